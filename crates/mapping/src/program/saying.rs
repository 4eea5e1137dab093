//! What a device of another make is told, where each thing has a message of its own: a form with holes for our fields.
//!
//! [`said`] writes, [`Saying::heard`] reads the same back: a simulated device understands what is told.

use std::sync::Arc;

use types::Value;

use super::{Codec, colour};

/// One message that a device of another make understands.
#[derive(Clone, Debug, PartialEq)]
pub struct Saying {
    /// Where it is said.
    pub topic: Arc<str>,
    /// What it says.
    pub tells: Tells,
    /// The payload.
    pub form: Form,
}

/// What a message tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Tells {
    /// These fields: each has a value, or this one.
    Fields(Vec<(Arc<str>, Option<Value>)>),
    /// Our momentary command of this name.
    Command(Arc<str>),
}

/// A payload with holes.
#[derive(Clone, Debug, PartialEq)]
pub struct Form(Vec<Piece>);

#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Text(Arc<str>),
    Field(Arc<str>),
    /// One of red, green and blue, 0-255, of our hue and saturation.
    Primary(usize),
}

/// Holes that are no fields of ours.
const PRIMARIES: [&str; 3] = ["red", "green", "blue"];

impl Form {
    /// Reads `set,true,<brightness>`; `<red>`, `<green>` and `<blue>` are 0-255 of the fields hue and saturation.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut pieces = Vec::new();
        for (number, part) in text.split('<').enumerate() {
            let hole = part.split_once('>').filter(|_| number > 0);
            let rest = match hole {
                Some((name, rest)) => {
                    let primary = PRIMARIES.iter().position(|primary| *primary == name);
                    pieces.push(primary.map_or_else(|| Piece::Field(name.into()), Piece::Primary));
                    rest
                }
                None => part,
            };
            if !rest.is_empty() {
                pieces.push(Piece::Text(rest.into()));
            }
        }
        Self(pieces)
    }

    /// The fields that fill its holes.
    fn fields(&self) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .flat_map(|piece| match piece {
                Piece::Text(_) => [None, None],
                Piece::Field(name) => [Some(&**name), None],
                Piece::Primary(_) => [Some("hue"), Some("saturation")],
            })
            .flatten()
    }
}

/// The messages that tell `fields`, in order: each tells something that none before it told.
///
/// Off is off: some lamps light up when they are told how bright they would be.
#[must_use]
pub fn said(codec: &Codec, fields: &[(&str, &Value)]) -> Vec<(Arc<str>, String)> {
    let is_off = |(name, value): &&(&str, &Value)| *name == "on" && **value == Value::Bool(false);
    let off = fields.iter().find(is_off).map(std::slice::from_ref);
    let fields = off.unwrap_or(fields);
    let value_of = |name: &str| {
        let field = fields.iter().find(|(known, _)| *known == name);
        field.map(|(_, value)| *value)
    };
    let mut told: Vec<&str> = Vec::new();
    let mut messages = Vec::new();
    for saying in &codec.sayings {
        let Tells::Fields(needs) = &saying.tells else {
            continue;
        };
        let fits = |(name, wanted): &(Arc<str>, Option<Value>)| {
            let value = value_of(name);
            value.is_some_and(|value| wanted.as_ref().is_none_or(|wanted| wanted == value))
        };
        let news = needs.iter().any(|(name, _)| !told.contains(&&**name));
        if !news || !needs.iter().all(fits) {
            continue;
        }
        told.extend(needs.iter().map(|(name, _)| &**name));
        told.extend(saying.form.fields());
        messages.push((Arc::clone(&saying.topic), saying.form.fill(codec, value_of)));
    }
    messages
}

impl Form {
    fn fill<'v>(&self, codec: &Codec, value_of: impl Fn(&str) -> Option<&'v Value>) -> String {
        let number = |name: &str| value_of(name).and_then(Value::as_number);
        let primaries = || {
            let saturation = number("saturation").unwrap_or(100.0);
            colour::primaries(number("hue").unwrap_or_default(), saturation)
        };
        let words = self.0.iter().map(|piece| match piece {
            Piece::Text(text) => text.to_string(),
            Piece::Primary(which) => primaries()[*which].to_string(),
            Piece::Field(name) => match value_of(name) {
                Some(Value::Number(ours)) => codec.measure(name).theirs(*ours).to_string(),
                Some(Value::Text(text)) => text.to_string(),
                Some(Value::Bool(side)) => {
                    let word = if *side { &codec.on } else { &codec.off };
                    word.as_deref()
                        .map_or_else(|| side.to_string(), str::to_owned)
                }
                None => String::new(),
            },
        });
        words.collect()
    }
}

impl Saying {
    /// The payload with values of our fields in its holes.
    #[must_use]
    pub fn filled(&self, fields: &[(&str, &Value)]) -> String {
        let value_of = |name: &str| {
            let field = fields.iter().find(|(known, _)| *known == name);
            field.map(|(_, value)| *value)
        };
        self.form.fill(&Codec::default(), value_of)
    }

    /// The fields that `payload` tells, where it is this message.
    #[must_use]
    pub fn heard(&self, codec: &Codec, payload: &str) -> Option<Vec<(Arc<str>, Value)>> {
        let Tells::Fields(needs) = &self.tells else {
            return None;
        };
        let mut heard: Vec<(Arc<str>, Value)> = Vec::new();
        let mut primaries = [None; 3];
        let mut rest = payload;
        let mut pieces = self.form.0.iter().peekable();
        while let Some(piece) = pieces.next() {
            if let Piece::Text(text) = piece {
                rest = rest.strip_prefix(&**text)?;
                continue;
            }
            let end = match pieces.peek() {
                Some(Piece::Text(next)) => rest.find(&**next)?,
                _ => rest.len(),
            };
            let (word, after) = rest.split_at(end);
            rest = after;
            match piece {
                Piece::Primary(which) => primaries[*which] = word.parse::<f64>().ok(),
                Piece::Field(name) => heard.push((Arc::clone(name), value(codec, name, word)?)),
                Piece::Text(_) => {}
            }
        }
        if !rest.is_empty() {
            return None;
        }
        if let [Some(red), Some(green), Some(blue)] = primaries {
            let (hue, saturation) = colour::of_primaries([red, green, blue]);
            heard.push(("hue".into(), hue.into()));
            heard.push(("saturation".into(), saturation.into()));
        }
        for (name, wanted) in needs {
            let known = heard.iter().any(|(field, _)| field == name);
            if let Some(wanted) = wanted.as_ref().filter(|_| !known) {
                heard.push((Arc::clone(name), wanted.clone()));
            }
        }
        Some(heard)
    }
}

/// A device's word for a field of ours.
fn value(codec: &Codec, name: &str, word: &str) -> Option<Value> {
    if codec.on.as_deref() == Some(word) || word == "true" {
        return Some(Value::Bool(true));
    }
    if codec.off.as_deref() == Some(word) || word == "false" {
        return Some(Value::Bool(false));
    }
    match word.parse::<f64>() {
        Ok(theirs) => Some(Value::number(codec.measure(name).ours(theirs))),
        Err(_) => (!word.is_empty()).then(|| Value::from(word)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lamp() -> Codec {
        let saying = |needs: &[(&str, Option<bool>)], form: &str| Saying {
            topic: "lamp/set".into(),
            tells: Tells::Fields(
                needs
                    .iter()
                    .map(|(name, wanted)| ((*name).into(), wanted.map(Value::Bool)))
                    .collect(),
            ),
            form: Form::new(form),
        };
        Codec {
            sayings: vec![
                saying(&[("on", Some(false))], "off"),
                saying(
                    &[("on", Some(true)), ("brightness", None)],
                    "on,<brightness>",
                ),
                saying(&[("on", Some(true))], "on"),
                saying(&[("hue", None)], r#"{"rgb":[<red>,<green>,<blue>]}"#),
                saying(&[("saturation", None)], r#"{"rgb":[<red>,<green>,<blue>]}"#),
            ],
            ..Codec::default()
        }
    }

    fn check(fields: &[(&str, Value)], expected: &[&str]) {
        let fields: Vec<(&str, &Value)> =
            fields.iter().map(|(name, value)| (*name, value)).collect();
        let said: Vec<String> = said(&lamp(), &fields)
            .into_iter()
            .map(|(_, text)| text)
            .collect();
        assert_eq!(said, expected, "{fields:?}");
    }

    #[test]
    fn a_message_is_said_where_it_tells_something_new() {
        let (on, off) = (("on", Value::Bool(true)), ("on", Value::Bool(false)));
        let bright = ("brightness", Value::Number(40.0));
        let (hue, pale) = (
            ("hue", Value::Number(120.0)),
            ("saturation", Value::Number(0.0)),
        );
        check(std::slice::from_ref(&on), &["on"]);
        check(&[on.clone(), bright.clone()], &["on,40"]);
        check(&[off, bright.clone(), hue.clone()], &["off"]);
        check(&[bright], &[]);
        check(&[on, hue.clone()], &["on", r#"{"rgb":[0,255,0]}"#]);
        check(&[hue, pale.clone()], &[r#"{"rgb":[255,255,255]}"#]);
        check(&[pale], &[r#"{"rgb":[255,255,255]}"#]);
    }

    #[test]
    fn what_was_said_is_heard() {
        let codec = lamp();
        let heard = |payload: &str| {
            let mut found = codec
                .sayings
                .iter()
                .filter_map(|saying| saying.heard(&codec, payload));
            found.next()
        };
        let field = |name: &str, value: Value| (Arc::from(name), value);
        let (on, bright) = (field("on", true.into()), field("brightness", 40.0.into()));
        assert_eq!(heard("on,40"), Some(vec![bright, on.clone()]));
        assert_eq!(heard("on"), Some(vec![on]));
        let green = vec![
            field("hue", 120.0.into()),
            field("saturation", 100.0.into()),
        ];
        assert_eq!(heard(r#"{"rgb":[0,255,0]}"#), Some(green));
        for other in ["", "onward", "on,", "off,40", r#"{"rgb":[0,255]}"#] {
            assert_eq!(heard(other), None, "{other}");
        }
    }
}
