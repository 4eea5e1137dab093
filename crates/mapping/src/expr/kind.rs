//! The type of an expression while it is checked: as [`Type`], and a literal text remembers what it
//! says, so that it can stand for a name of an enum.

use std::sync::Arc;

use types::Type;

/// What an expression's value can be.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Bool,
    /// In an inclusive range.
    Number {
        min: f64,
        max: f64,
    },
    /// Any text.
    Text,
    /// One of these names.
    Enum(Arc<[Arc<str>]>),
    /// One of these literal texts.
    Literal(Vec<Arc<str>>),
}

impl Kind {
    /// Any number.
    pub(super) const NUMBER: Self = Self::Number {
        min: f64::NEG_INFINITY,
        max: f64::INFINITY,
    };

    pub(super) fn of(ty: &Type) -> Self {
        match ty {
            Type::Bool => Self::Bool,
            Type::Int { min, max } | Type::Number { min, max } => Self::Number {
                min: *min,
                max: *max,
            },
            Type::Text => Self::Text,
            Type::Enum(names) => Self::Enum(names.clone()),
        }
    }

    pub(super) fn to_type(&self) -> Type {
        match self {
            Self::Bool => Type::Bool,
            Self::Number { min, max } => Type::Number {
                min: *min,
                max: *max,
            },
            Self::Text | Self::Literal(_) => Type::Text,
            Self::Enum(names) => Type::Enum(names.clone()),
        }
    }

    /// The word for it, with its article.
    pub(super) fn a_name(&self) -> &'static str {
        match self {
            Self::Bool => "a bool",
            Self::Number { .. } => "a number",
            Self::Text | Self::Literal(_) => "a text",
            Self::Enum(_) => "an enum",
        }
    }

    /// As [`Kind::a_name`], with an enum's names.
    pub(super) fn described(&self) -> String {
        match self {
            Self::Enum(names) => format!("an enum ({})", listed(names)),
            _ => self.a_name().to_owned(),
        }
    }

    pub(super) fn is_number(&self) -> bool {
        matches!(self, Self::Number { .. })
    }

    pub(super) fn is_text(&self) -> bool {
        matches!(self, Self::Text | Self::Literal(_))
    }

    /// The one kind of both, for the two sides of `?:` and for a field that several events have.
    pub(super) fn joined(&self, other: &Self) -> Option<Self> {
        Some(match (self, other) {
            (Self::Bool, Self::Bool) => Self::Bool,
            (
                Self::Number { min, max },
                Self::Number {
                    min: low,
                    max: high,
                },
            ) => Self::Number {
                min: min.min(*low),
                max: max.max(*high),
            },
            (Self::Literal(left), Self::Literal(right)) => {
                let mut texts = left.clone();
                texts.extend(right.iter().filter(|text| !left.contains(text)).cloned());
                Self::Literal(texts)
            }
            (Self::Text | Self::Literal(_), Self::Text | Self::Literal(_)) => Self::Text,
            (Self::Enum(names), Self::Literal(texts))
            | (Self::Literal(texts), Self::Enum(names))
                if texts.iter().all(|text| names.contains(text)) =>
            {
                Self::Enum(names.clone())
            }
            (Self::Enum(left), Self::Enum(right)) if left == right => Self::Enum(left.clone()),
            _ => return None,
        })
    }
}

/// `a, b, c`.
pub(super) fn listed(names: &[Arc<str>]) -> String {
    names.join(", ")
}
