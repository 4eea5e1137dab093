//! A flat JSON object, or one bare value, borrowed from the payload.

use std::{borrow::Cow, fmt, sync::Arc};

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use types::{Type, Value};

use super::plain;
use crate::refusal::Reason;

/// More pairs than any channel declares; what has more is somebody's experiment.
pub(super) const PAIRS_MAX: usize = 64;

/// A key and its value.
pub(crate) type Pair<'a> = (Cow<'a, str>, Scalar<'a>);

/// One plain JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar<'a> {
    Bool(bool),
    Whole(u64),
    Number(f64),
    Text(Cow<'a, str>),
    /// An object, a list or null.
    NotPlain,
}

/// What a payload holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Body<'a> {
    Pairs(Vec<Pair<'a>>),
    Bare(Scalar<'a>),
}

impl<'a> Body<'a> {
    /// Reads a payload. What is not JSON but a short printable word (`ON`, `open`) is a bare text.
    pub(crate) fn read(payload: &'a [u8]) -> Result<Self, Reason> {
        let trimmed = payload.trim_ascii();
        let object = match trimmed.first() {
            None => return Err(Reason::Empty),
            Some(first) => *first == b'{',
        };
        if object {
            return match plain::pairs(trimmed) {
                Some(pairs) => Ok(Self::Pairs(pairs)),
                None => by_library(trimmed).map(Self::Pairs).map_err(not_json),
            };
        }
        match serde_json::from_slice::<Scalar<'a>>(trimmed) {
            Ok(scalar) => Ok(Self::Bare(scalar)),
            Err(error) => match word(trimmed) {
                Some(word) => Ok(Self::Bare(Scalar::Text(Cow::Borrowed(word)))),
                None => Err(not_json(error)),
            },
        }
    }
}

/// The pairs of any JSON object.
pub(super) fn by_library(payload: &[u8]) -> serde_json::Result<Vec<Pair<'_>>> {
    serde_json::from_slice::<Pairs<'_>>(payload).map(|pairs| pairs.0)
}

#[allow(clippy::needless_pass_by_value)] // the shape that `map_err` takes
fn not_json(error: serde_json::Error) -> Reason {
    Reason::NotJson {
        detail: error.to_string(),
    }
}

fn word(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    let plain = text.len() <= Type::TEXT_BYTES_MAX
        && !text.starts_with(['[', '"'])
        && !text.chars().any(char::is_control);
    plain.then_some(text)
}

impl Scalar<'_> {
    /// As a value of `ty`. A bool may be written ON/OFF, true/false or 1/0.
    pub(crate) fn to_value(&self, ty: &Type) -> Result<Value, types::Refusal> {
        let value = match (ty, self) {
            (Type::Bool, scalar) => match scalar.to_bool() {
                Some(value) => Value::Bool(value),
                None => scalar.plain(),
            },
            (Type::Enum(names), Self::Text(text)) => {
                match names.iter().find(|name| ***name == **text) {
                    Some(name) => return Ok(Value::Text(Arc::clone(name))),
                    None => self.plain(),
                }
            }
            _ => self.plain(),
        };
        ty.check(&value)?;
        Ok(value)
    }

    /// ON/OFF, true/false, 1/0.
    pub(crate) fn to_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            Self::Whole(1) => Some(true),
            Self::Whole(0) => Some(false),
            Self::Text(text) => {
                let is =
                    |words: [&str; 3]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
                if is(["on", "true", "1"]) {
                    Some(true)
                } else if is(["off", "false", "0"]) {
                    Some(false)
                } else {
                    None
                }
            }
            _ => None,
        }
    }

    /// The number 0, in which way ever it is written.
    pub(crate) fn is_zero(&self) -> bool {
        matches!(self, Self::Whole(0)) || matches!(self, Self::Number(n) if *n == 0.0)
    }

    /// As it stands. Objects and lists never come here: their callers refuse them first, and were
    /// one to come, it fits no type.
    pub(crate) fn plain(&self) -> Value {
        match self {
            Self::Bool(value) => Value::Bool(*value),
            Self::Whole(value) => Value::Number(*value as f64),
            Self::Number(value) => Value::number(*value),
            Self::Text(text) => Value::Text(text.as_ref().into()),
            Self::NotPlain => Value::Number(f64::NAN),
        }
    }
}

/// Checks one named value.
pub(crate) fn checked(field: &Arc<str>, ty: &Type, scalar: &Scalar<'_>) -> Result<Value, Reason> {
    if *scalar == Scalar::NotPlain {
        return Err(Reason::NotPlain {
            field: field.to_string(),
        });
    }
    scalar.to_value(ty).map_err(|refusal| Reason::Value {
        field: Arc::clone(field),
        refusal,
    })
}

/// Refuses a key that stands there twice: the second of two values must not win by accident.
pub(crate) fn no_doubles(pairs: &[(Cow<'_, str>, Scalar<'_>)]) -> Result<(), Reason> {
    for (place, (name, _)) in pairs.iter().enumerate() {
        if pairs[..place].iter().any(|(earlier, _)| earlier == name) {
            return Err(Reason::DoubleField {
                name: name.to_string(),
            });
        }
    }
    Ok(())
}

struct Pairs<'a>(Vec<(Cow<'a, str>, Scalar<'a>)>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairsVisitor;
        impl<'de> Visitor<'de> for PairsVisitor {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::with_capacity(8);
                while let Some((Key(key), value)) = map.next_entry::<Key<'de>, Scalar<'de>>()? {
                    if pairs.len() == PAIRS_MAX {
                        return Err(serde::de::Error::custom("more than 64 fields"));
                    }
                    pairs.push((key, value));
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(PairsVisitor)
    }
}

struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

impl<'de> Deserialize<'de> for Scalar<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Scalar::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Scalar::Whole(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Scalar::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Scalar::Number(value))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Scalar::NotPlain)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::NotPlain)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::NotPlain)
    }
}
