//! Values that channels report and take, and the types that say which values are allowed.

use alloc::{string::String, sync::Arc, vec::Vec};
use core::fmt::{self, Write as _};

use crate::Shown;

/// One value. Integers and numbers share `f64`; an enum's value is the text of its name.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `true` or `false`.
    Bool(bool),
    /// A finite number; NaN and infinities are never stored (they are *unknown*), nor is -0.0, which is 0 to everybody and
    /// would not read back from a journal as it was. What comes in or is computed is made one by [`Value::number`].
    Number(f64),
    /// A text, or the name of an enum's value.
    Text(Arc<str>),
}

impl Value {
    /// A number that came in or was computed: thermometers say -0.0 around freezing, and `0 * -1` is that.
    #[must_use]
    pub fn number(value: f64) -> Self {
        Self::Number(without_sign_of_zero(value))
    }

    /// The word for this value's type, as diagnostics print it.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Bool(_) => "bool",
            Self::Number(_) => "number",
            Self::Text(_) => "text",
        }
    }

    /// Appends it as it is. Whatever people see is written by `Display`, which escapes what a text could do to a
    /// terminal.
    pub fn append_to(&self, out: &mut String) {
        match self {
            Self::Text(text) => out.push_str(text),
            // A String takes whatever comes.
            other => drop(write!(out, "{other}")),
        }
    }

    /// The truth value, where this is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(value) = self {
            Some(*value)
        } else {
            None
        }
    }

    /// The number, where this is one.
    #[must_use]
    pub fn as_number(&self) -> Option<f64> {
        if let Self::Number(value) = self {
            Some(*value)
        } else {
            None
        }
    }

    /// The text, where this is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(value) = self {
            Some(value)
        } else {
            None
        }
    }
}

/// For people; a text is [`Shown`]. Numbers print without a trailing `.0`, never in exponent form and the same in every locale.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(value) if *value == 0.0 => f.write_str("0"),
            Self::Number(value) => write!(f, "{value}"),
            Self::Text(value) => Shown(value).fmt(f),
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::number(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.into())
    }
}

/// A number is written as CBOR's shortest exact form; decoding accepts any of them.
impl<C> minicbor::Encode<C> for Value {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        match self {
            Self::Bool(value) => e.bool(*value)?,
            Self::Number(value) => {
                let whole = *value as i64;
                if whole as f64 == *value && whole.unsigned_abs() < (1 << 53) {
                    e.i64(whole)?
                } else {
                    e.f64(*value)?
                }
            }
            Self::Text(value) => e.str(value)?,
        };
        Ok(())
    }
}

impl<'b, C> minicbor::Decode<'b, C> for Value {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        use minicbor::data::Type as Cbor;
        let number = |value: f64| {
            if value.is_finite() {
                Ok(Self::number(value))
            } else {
                Err(minicbor::decode::Error::message(
                    "a number that is not finite",
                ))
            }
        };
        match d.datatype()? {
            Cbor::Bool => Ok(Self::Bool(d.bool()?)),
            Cbor::F16 | Cbor::F32 | Cbor::F64 => number(d.f64()?),
            Cbor::String => Ok(Self::Text(d.str()?.into())),
            _ => {
                let whole = i128::from(d.int()?);
                let exact = whole.unsigned_abs() <= 1 << 53;
                let message = "a whole number beyond what a number holds exactly";
                exact
                    .then_some(Self::Number(whole as f64))
                    .ok_or_else(|| minicbor::decode::Error::message(message))
            }
        }
    }
}

/// What values a field takes.
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    /// `true` or `false`.
    Bool,
    /// A whole number in an inclusive range.
    Int {
        /// Smallest allowed value.
        min: f64,
        /// Largest allowed value.
        max: f64,
    },
    /// A finite number in an inclusive range; an unbounded side is infinite.
    Number {
        /// Smallest allowed value.
        min: f64,
        /// Largest allowed value.
        max: f64,
    },
    /// Any text of at most 1,024 bytes.
    Text,
    /// One of these names.
    Enum(Arc<[Arc<str>]>),
}

/// Why a value does not fit its type; prints as a sentence's end: "is 300, which is not in 0..100".
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Refusal {
    /// Another type than the field's.
    Type {
        /// What the field takes.
        expected: &'static str,
        /// What came.
        got: &'static str,
    },
    /// A number outside the range, or with a fraction where a whole number is taken.
    Range {
        /// What came.
        value: f64,
        /// Smallest allowed value.
        min: f64,
        /// Largest allowed value.
        max: f64,
        /// Whether only whole numbers fit.
        whole: bool,
    },
    /// A text that is none of the enum's names.
    Name {
        /// What came.
        value: String,
        /// What would fit.
        expected: Vec<Arc<str>>,
    },
    /// A text that is too long; holds its length in bytes.
    Length(usize),
}

impl Type {
    /// Longest text that a field holds, in bytes.
    pub const TEXT_BYTES_MAX: usize = 1_024;

    /// The word for this type, as diagnostics print it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int { .. } => "int",
            Self::Number { .. } => "number",
            Self::Text => "text",
            Self::Enum(_) => "enum",
        }
    }

    /// Checks that `value` fits.
    ///
    /// # Errors
    /// A [`Refusal`] that says what came and what would fit.
    pub fn check(&self, value: &Value) -> Result<(), Refusal> {
        match (self, value) {
            (Self::Bool, Value::Bool(_)) => Ok(()),
            (Self::Int { min, max }, Value::Number(value)) => in_range(*value, *min, *max, true),
            (Self::Number { min, max }, Value::Number(value)) => {
                in_range(*value, *min, *max, false)
            }
            (Self::Text, Value::Text(text)) if text.len() > Self::TEXT_BYTES_MAX => {
                Err(Refusal::Length(text.len()))
            }
            (Self::Text, Value::Text(_)) => Ok(()),
            (Self::Enum(names), Value::Text(text)) => {
                if names.contains(text) {
                    Ok(())
                } else {
                    Err(Refusal::Name {
                        value: String::from(&**text),
                        expected: names.to_vec(),
                    })
                }
            }
            _ => Err(Refusal::Type {
                expected: self.name(),
                got: value.type_name(),
            }),
        }
    }

    /// A computed value made to fit: rounded half away from zero where only whole numbers fit,
    /// clamped to the range. `None` where no value near it fits (another type, NaN, unknown name).
    #[must_use]
    pub fn fit(&self, value: Value) -> Option<Value> {
        match (self, value) {
            (Self::Int { min, max }, Value::Number(value)) if !value.is_nan() => {
                Some(Value::number(round_half_away(value).clamp(*min, *max)))
            }
            (Self::Number { min, max }, Value::Number(value)) if !value.is_nan() => {
                Some(Value::number(value.clamp(*min, *max))).filter(|v| self.check(v).is_ok())
            }
            (_, value) => self.check(&value).is_ok().then_some(value),
        }
    }
}

/// 0 for -0.0; every other number as it is.
#[must_use]
pub fn without_sign_of_zero(number: f64) -> f64 {
    // Of two zeros the sum has a sign only where both have (IEEE 754-2019, 6.3).
    number + 0.0
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type { expected, got } => write!(f, "is a {got} where a {expected} is taken"),
            Self::Range {
                value,
                min,
                max,
                whole,
            } => {
                let whole = if *whole { "a whole number " } else { "" };
                write!(f, "is {value}, which is not {whole}in {min}..{max}")
            }
            Self::Name { value, expected } => {
                write!(f, "is '{}', which is none of ", Shown(value))?;
                for (ix, name) in expected.iter().enumerate() {
                    if ix > 0 {
                        f.write_str(", ")?;
                    }
                    f.write_str(name)?;
                }
                Ok(())
            }
            Self::Length(bytes) => {
                write!(
                    f,
                    "is {bytes} bytes long, which is more than {}",
                    Type::TEXT_BYTES_MAX
                )
            }
        }
    }
}

impl core::error::Error for Refusal {}

fn in_range(value: f64, min: f64, max: f64, whole: bool) -> Result<(), Refusal> {
    let fits = value.is_finite()
        && (min..=max).contains(&value)
        && (!whole || round_half_away(value) == value);
    if fits {
        Ok(())
    } else {
        Err(Refusal::Range {
            value,
            min,
            max,
            whole,
        })
    }
}

/// `f64::round` without std: half away from zero. Beyond 2^52 every `f64` is whole already.
fn round_half_away(value: f64) -> f64 {
    if value.is_nan() || value >= 4_503_599_627_370_496.0 || value <= -4_503_599_627_370_496.0 {
        return value;
    }
    let whole = value as i64 as f64;
    let rest = value - whole;
    if rest >= 0.5 {
        whole + 1.0
    } else if rest <= -0.5 {
        whole - 1.0
    } else {
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn computed_values_are_rounded_half_away_from_zero_and_clamped() {
        let brightness = Type::Int {
            min: 1.0,
            max: 100.0,
        };
        for (value, expected) in [(50.39, 50.0), (50.5, 51.0), (-7.0, 1.0), (1e300, 100.0)] {
            assert_eq!(
                brightness.fit(Value::Number(value)),
                Some(Value::Number(expected))
            );
        }
        assert_eq!(brightness.fit(Value::Number(f64::NAN)), None);
        assert_eq!(round_half_away(-2.5), -3.0);
    }

    #[test]
    fn zero_has_no_sign() {
        let is_zero = |value: Option<Value>| {
            value.and_then(|value| value.as_number()).map(f64::to_bits) == Some(0)
        };
        assert!(is_zero(Some(Value::number(-0.0))) && is_zero(Some(Value::from(-0.0))));
        // Single and double.
        for bytes in [
            &[0xfa, 0x80, 0, 0, 0][..],
            &[0xfb, 0x80, 0, 0, 0, 0, 0, 0, 0],
        ] {
            assert!(is_zero(minicbor::decode(bytes).ok()), "{bytes:?}");
        }
        for (min, max) in [(-5.0, 5.0), (-0.0, 5.0), (-5.0, -0.0)] {
            for value in [-0.0, -0.4, if min < 0.0 { 7.0 } else { -7.0 }] {
                let fitted = Type::Int { min, max }.fit(Value::Number(value));
                let is_end = fitted == Some(Value::Number(5.0));
                assert!(is_end || is_zero(fitted), "{value} in {min}..{max}");
            }
        }
        let number = Type::Number {
            min: -0.0,
            max: 1.0,
        };
        assert!(is_zero(number.fit(Value::Number(-3.0))));
    }

    #[test]
    fn a_value_of_another_type_is_refused_with_both_names() {
        let refusal = Type::Bool.check(&Value::Number(1.0)).unwrap_err();
        assert_eq!(
            alloc::format!("{refusal}"),
            "is a number where a bool is taken"
        );
    }
}
