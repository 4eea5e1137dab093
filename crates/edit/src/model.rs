//! The model: what the files of a house say together, as plain values in their order. Its JSON is the form
//! that programs read and write.
//!
//! Order counts: rules fire in it. So this is no `serde_json::Value`, which sorts. Must not know files.

use std::fmt;

use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::pointer::Step;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Model {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number; always finite.
    Float(f64),
    /// A text.
    Text(String),
    /// Values.
    List(Vec<Model>),
    /// Values by name; no name stands twice.
    Table(Vec<(String, Model)>),
}

impl Model {
    /// An empty table.
    #[must_use]
    pub fn table() -> Self {
        Self::Table(Vec::new())
    }

    /// The value under a name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Self> {
        let Self::Table(fields) = self else {
            return None;
        };
        let mut fields = fields.iter();
        fields.find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The value at a path.
    #[must_use]
    pub fn at(&self, path: &[Step]) -> Option<&Self> {
        let mut value = self;
        for step in path {
            value = match (step, value) {
                (Step::Item(number), Self::List(list)) => list.get(*number)?,
                (step, Self::Table(_)) => value.field(&step.to_string())?,
                _ => return None,
            };
        }
        Some(value)
    }

    /// Writes a value at a path: what is there is replaced, a table is filled with what is in the new one.
    /// Tables on the way are made; `None`: a list has no such element, or something else is in the way.
    pub(crate) fn set(&mut self, path: &[Step], new: Self) -> Option<()> {
        let Some((step, rest)) = path.split_first() else {
            self.become_(new);
            return Some(());
        };
        match (step, self) {
            (Step::Item(number), Self::List(list)) => list.get_mut(*number)?.set(rest, new),
            (step, Self::Table(fields)) => {
                let name = step.to_string();
                if !fields.iter().any(|(key, _)| *key == name) {
                    fields.push((name.clone(), Self::table()));
                }
                let mut fields = fields.iter_mut();
                let (_, value) = fields.find(|(key, _)| *key == name)?;
                value.set(rest, new)
            }
            _ => None,
        }
    }

    /// Becomes `new`; fields that stay keep their place.
    fn become_(&mut self, new: Self) {
        match (self, new) {
            (Self::Table(old), Self::Table(new)) => {
                old.retain(|(key, _)| new.iter().any(|(other, _)| other == key));
                for (key, value) in new {
                    match old.iter_mut().find(|(other, _)| *other == key) {
                        Some((_, old)) => old.become_(value),
                        None => old.push((key, value)),
                    }
                }
            }
            (old, new) => *old = new,
        }
    }

    /// Takes out what is at a path; `None`: nothing is there.
    pub(crate) fn remove(&mut self, path: &[Step]) -> Option<Self> {
        let (last, above) = path.split_last()?;
        let mut value = self;
        for step in above {
            value = match (step, value) {
                (Step::Item(number), Self::List(list)) => list.get_mut(*number)?,
                (step, Self::Table(fields)) => {
                    let name = step.to_string();
                    let mut fields = fields.iter_mut();
                    &mut fields.find(|(key, _)| *key == name)?.1
                }
                _ => return None,
            };
        }
        match (last, value) {
            (Step::Item(number), Self::List(list)) => {
                (*number < list.len()).then(|| list.remove(*number))
            }
            (step, Self::Table(fields)) => {
                let name = step.to_string();
                let at = fields.iter().position(|(key, _)| *key == name)?;
                Some(fields.remove(at).1)
            }
            _ => None,
        }
    }

    /// Whether both say the same, whatever the order of their tables.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::List(a), Self::List(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.says_the_same(b))
            }
            (Self::Table(a), Self::Table(_)) => {
                let same = |(key, value): &(String, Self)| {
                    other
                        .field(key)
                        .is_some_and(|other| value.says_the_same(other))
                };
                a.len() == other.len() && a.iter().all(same)
            }
            (Self::Int(a), Self::Float(b)) | (Self::Float(b), Self::Int(a)) => *a as f64 == *b,
            _ => self == other,
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::List(list) => list.len(),
            Self::Table(fields) => fields.len(),
            _ => 0,
        }
    }
}

impl From<bool> for Model {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Model {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<&str> for Model {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl Serialize for Model {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Int(value) => serializer.serialize_i64(*value),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Text(value) => serializer.serialize_str(value),
            Self::List(list) => serializer.collect_seq(list),
            Self::Table(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (key, value) in fields {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

/// As JSON, on several lines.
impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = serde_json::to_string_pretty(self).map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}
