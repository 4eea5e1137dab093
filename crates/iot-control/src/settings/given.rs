//! What stands behind a key, from the file or from a variable, and how it is read as something. A variable
//! has no types: its text is read as what the key takes.

use std::{fmt::Display, net::SocketAddr, num::NonZeroU32, ops::RangeInclusive, time::Duration};

use notify::Secret;
use toml::de::DeValue;

/// A value that was given.
pub(super) enum Given<'a> {
    File(&'a DeValue<'a>),
    Variable(&'a str),
}

/// What a value takes, where it is something else.
type Taken<T> = Result<T, String>;

/// Longest text of a value that a message repeats.
const SHOWN_CHARS_MAX: usize = 60;

impl Given<'_> {
    /// As a message repeats it.
    fn shown(&self) -> String {
        let text = match self {
            Self::Variable(text) => (*text).to_owned(),
            Self::File(DeValue::String(text)) => text.to_string(),
            Self::File(DeValue::Integer(number)) => number.to_string(),
            Self::File(DeValue::Float(number)) => number.to_string(),
            Self::File(DeValue::Boolean(value)) => value.to_string(),
            Self::File(DeValue::Datetime(time)) => time.to_string(),
            Self::File(DeValue::Array(_)) => return "a list".to_owned(),
            Self::File(DeValue::Table(_)) => return "a table".to_owned(),
        };
        let short: String = text.chars().take(SHOWN_CHARS_MAX).collect();
        let more = if short.len() < text.len() { ".." } else { "" };
        format!("'{}{more}'", short.escape_debug())
    }

    fn instead(&self, takes: impl Display) -> String {
        format!("takes {takes}, not {}", self.shown())
    }

    /// Any text.
    pub(super) fn text(&self) -> Taken<String> {
        match self {
            Self::Variable(text) => Ok((*text).to_owned()),
            Self::File(DeValue::String(text)) => Ok(text.to_string()),
            Self::File(_) => Err(self.instead("a text in quotes")),
        }
    }

    /// A text that is never repeated. It is one also where it could be read as a number.
    pub(super) fn secret(&self) -> Taken<Secret> {
        let text = match self {
            Self::Variable(text) => Some(*text),
            Self::File(value) => value.as_str(),
        };
        match text {
            Some("") => Err("takes a text, not an empty one".to_owned()),
            Some(text) => Ok(text.into()),
            None => Err("takes a text in quotes".to_owned()),
        }
    }

    /// A text that is not empty.
    pub(super) fn filled(&self) -> Taken<String> {
        let text = self.text()?;
        if text.is_empty() {
            return Err("takes a text, not an empty one".to_owned());
        }
        Ok(text)
    }

    /// A list of texts; in a variable, parted by commas or as the file writes it.
    pub(super) fn texts(&self) -> Taken<Vec<String>> {
        const TAKES: &str = "a list of texts, as in [\"one\", \"two\"]";
        let texts: Vec<String> = match self {
            Self::Variable(text) => parts(text).into_iter().map(str::to_owned).collect(),
            Self::File(DeValue::Array(values)) => {
                let texts = values.iter().map(|value| value.get_ref().as_str());
                let texts: Option<Vec<&str>> = texts.collect();
                let texts = texts.ok_or_else(|| self.instead(TAKES))?;
                texts.into_iter().map(str::to_owned).collect()
            }
            Self::File(_) => return Err(self.instead(TAKES)),
        };
        if texts.is_empty() || texts.iter().any(String::is_empty) {
            return Err("takes at least one text, and none that is empty".to_owned());
        }
        Ok(texts)
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&self, words: &[(&str, T)]) -> Taken<T> {
        let text = match self {
            Self::Variable(text) => Some(*text),
            Self::File(value) => value.as_str(),
        };
        let found = words.iter().find(|(word, _)| Some(*word) == text);
        found.map(|(_, value)| *value).ok_or_else(|| {
            let known: Vec<String> = words.iter().map(|(word, _)| format!("'{word}'")).collect();
            self.instead(known.join(" or "))
        })
    }

    pub(super) fn yes_or_no(&self) -> Taken<bool> {
        match self {
            Self::Variable("true") | Self::File(DeValue::Boolean(true)) => Ok(true),
            Self::Variable("false") | Self::File(DeValue::Boolean(false)) => Ok(false),
            _ => Err(self.instead("true or false")),
        }
    }

    /// A whole number in a range.
    pub(super) fn number<T>(&self, range: RangeInclusive<T>) -> Taken<T>
    where
        T: TryFrom<u64> + PartialOrd + Display,
    {
        let number = match self {
            Self::Variable(text) => text.trim().replace('_', "").parse().ok(),
            Self::File(DeValue::Integer(number)) => {
                u64::from_str_radix(number.as_str(), number.radix()).ok()
            }
            Self::File(_) => None,
        };
        let number = number.and_then(|number: u64| T::try_from(number).ok());
        number
            .filter(|number| range.contains(number))
            .ok_or_else(|| {
                let (first, last) = (range.start(), range.end());
                self.instead(format_args!("a whole number from {first} to {last}"))
            })
    }

    pub(super) fn count(&self, range: RangeInclusive<u32>) -> Taken<NonZeroU32> {
        let count = self.number(range)?;
        NonZeroU32::new(count).ok_or_else(|| self.instead("at least 1"))
    }

    /// A list of IP addresses with their ports; in a variable, parted by commas or as the file writes it.
    pub(super) fn addresses(&self) -> Taken<Vec<SocketAddr>> {
        let takes = "addresses with a port, as in [\"0.0.0.0:1883\", \"[::]:1883\"]";
        let address = |text: &str| {
            text.trim().parse().map_err(|_| {
                let given = Given::Variable(text);
                given.instead(takes)
            })
        };
        match self {
            Self::Variable(text) => parts(text).into_iter().map(address).collect(),
            Self::File(DeValue::Array(values)) => values
                .iter()
                .map(|value| match value.get_ref().as_str() {
                    Some(text) => address(text),
                    None => Err(Given::File(value.get_ref()).instead(takes)),
                })
                .collect(),
            Self::File(DeValue::String(text)) => Ok(vec![address(text)?]),
            Self::File(_) => Err(self.instead(takes)),
        }
    }

    /// As [`Self::addresses`]; none at all as an empty text or list.
    pub(super) fn addresses_or_none(&self) -> Taken<Vec<SocketAddr>> {
        let is_empty = match self {
            Self::Variable(text) => text.trim().is_empty(),
            Self::File(DeValue::String(text)) => text.is_empty(),
            Self::File(_) => false,
        };
        match is_empty {
            true => Ok(Vec::new()),
            false => self.addresses(),
        }
    }

    /// A span of time, as a mapping writes it.
    pub(super) fn span(&self, range: RangeInclusive<Duration>) -> Taken<Duration> {
        let text = self.text().ok();
        let span = text.as_deref().and_then(mapping::duration);
        let span = span.ok_or_else(|| self.instead(mapping::DURATION_FORM))?;
        if !range.contains(&span) {
            let (first, last) = (range.start().as_secs(), range.end().as_secs());
            return Err(self.instead(format_args!("at least {first} s and at most {last} s")));
        }
        Ok(span)
    }
}

/// The parts of a list in a variable: `one, two`, or as the file writes it, `["one", "two"]`. An address such as
/// `[::]:1883` is no list.
fn parts(text: &str) -> Vec<&str> {
    let inner = text.trim().strip_prefix('[');
    let inner = inner.and_then(|text| text.strip_suffix(']')).map(str::trim);
    match inner {
        Some("") => Vec::new(),
        Some(list) if list.starts_with(['"', '\'']) => {
            let list = list.trim_end_matches(',').split(',');
            list.map(|part| part.trim().trim_matches(['"', '\'']))
                .collect()
        }
        _ => text.split(',').map(str::trim).collect(),
    }
}
