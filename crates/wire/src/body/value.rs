//! Values and named fields. Called by the bodies and by whoever builds one. Must not know types of channels.

use minicbor::{Decoder, Encoder, data::Type};

use super::{
    BodyError,
    cbor::{Out, bounded, name},
};

/// Fields of one message at most.
pub const FIELDS_MAX: usize = 8;
/// Bytes of a name at most.
pub const NAME_LEN_MAX: usize = 32;
/// Bytes of a text at most.
pub const TEXT_LEN_MAX: usize = 64;

/// The largest integer that a number holds exactly: 2^53.
const INTEGER_MAX: i64 = 1 << 53;

/// A value; the words are those of the house.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// True or false.
    Bool(bool),
    /// Finite. Whole numbers up to 2^53 travel as integers, others as floats.
    Number(f64),
    /// A text or an enum's name, up to 64 bytes.
    Text(&'a str),
}

impl<'a> Value<'a> {
    pub(crate) fn decode(d: &mut Decoder<'a>) -> Result<Self, BodyError> {
        match d.datatype()? {
            Type::Bool => Ok(Self::Bool(d.bool()?)),
            Type::F16 | Type::F32 | Type::F64 => finite(d.f64()?),
            Type::String => {
                let text = d.str()?;
                bounded(text.len(), TEXT_LEN_MAX, "a text")?;
                Ok(Self::Text(text))
            }
            _ => {
                let number = d.i64()?;
                if number.abs_diff(0) > INTEGER_MAX.unsigned_abs() {
                    return Err(BodyError::Limit { what: "a number" });
                }
                finite(number as f64)
            }
        }
    }

    pub(crate) fn encode(&self, e: &mut Encoder<Out<'_>>) -> Result<(), BodyError> {
        match *self {
            Self::Bool(value) => e.bool(value)?,
            Self::Number(number) => {
                finite(number)?;
                let whole = number as i64;
                if whole as f64 == number && whole.abs_diff(0) <= INTEGER_MAX.unsigned_abs() {
                    e.i64(whole)?
                } else if f64::from(number as f32) == number {
                    e.f32(number as f32)?
                } else {
                    e.f64(number)?
                }
            }
            Self::Text(text) => {
                bounded(text.len(), TEXT_LEN_MAX, "a text")?;
                e.str(text)?
            }
        };
        Ok(())
    }
}

fn finite<'a>(number: f64) -> Result<Value<'a>, BodyError> {
    if number.is_finite() {
        Ok(Value::Number(number))
    } else {
        Err(BodyError::Limit { what: "a number" })
    }
}

/// Up to eight named values, in the order they were put; each name once.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Fields<'a> {
    entries: [Option<(&'a str, Value<'a>)>; FIELDS_MAX],
}

impl<'a> Fields<'a> {
    /// Takes them.
    ///
    /// # Errors
    /// A name is none or comes twice, or there are more than eight.
    pub fn new(fields: &[(&'a str, Value<'a>)]) -> Result<Self, BodyError> {
        let mut all = Self::default();
        fields
            .iter()
            .try_for_each(|(name, value)| all.put(name, *value))?;
        Ok(all)
    }

    /// The fields.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, Value<'a>)> + '_ {
        self.entries.iter().flatten().copied()
    }

    fn put(&mut self, field: &'a str, value: Value<'a>) -> Result<(), BodyError> {
        name(field)?;
        for entry in &mut self.entries {
            match entry {
                Some((known, _)) if *known == field => return Err(BodyError::Name),
                Some(_) => {}
                None => {
                    *entry = Some((field, value));
                    return Ok(());
                }
            }
        }
        Err(BodyError::Limit { what: "the fields" })
    }

    pub(super) fn decode(d: &mut Decoder<'a>) -> Result<Self, BodyError> {
        let count = d.map()?.ok_or(BodyError::Shape {
            expected: "known length",
        })?;
        if count > FIELDS_MAX as u64 {
            return Err(BodyError::Limit { what: "the fields" });
        }
        let mut all = Self::default();
        for _ in 0..count {
            let name = d.str()?;
            all.put(name, Value::decode(d)?)?;
        }
        Ok(all)
    }

    pub(super) fn encode(&self, e: &mut Encoder<Out<'_>>) -> Result<(), BodyError> {
        e.map(self.iter().count() as u64)?;
        for (name, value) in self.iter() {
            e.str(name)?;
            value.encode(e)?;
        }
        Ok(())
    }
}
