//! JSON -> model. Names that stand twice, `null` and anything else that a house can't say are refused with
//! their place; serde_json's own values would take the last of two names and forget the order.

use std::{cell::RefCell, fmt};

use serde::de::{self, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::Problem;
use crate::{
    model::Model,
    pointer::{Pointer, Step},
};

/// Largest text: what a house's files hold together at most, and some air.
pub const BYTES_MAX: usize = 10_000_000;

/// Deepest nesting: a house needs eight levels, and the files are read with as many.
const DEPTH_MAX: usize = 64;

/// Reads a whole house.
pub(super) fn model(json: &str) -> Result<Model, Problem> {
    match value(json)? {
        model @ Model::Table(_) => Ok(model),
        _ => Err(wrong(Pointer::default(), "a house is an object".to_owned())),
    }
}

fn wrong(at: Pointer, message: String) -> Problem {
    Problem {
        at,
        is_error: true,
        code: "json",
        message,
        help: Vec::new(),
    }
}

/// Reads one value.
pub(super) fn value(json: &str) -> Result<Model, Problem> {
    if json.len() > BYTES_MAX {
        let message = format!("this is larger than {} MB", BYTES_MAX / 1_000_000);
        return Err(wrong(Pointer::default(), message));
    }
    let way = RefCell::new(Vec::new());
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let read = Seed(&way).deserialize(&mut deserializer);
    let read = read.and_then(|model| deserializer.end().map(|()| model));
    // Where reading stopped, the way there is left as it was.
    read.map_err(|error| wrong(Pointer(way.into_inner()), error.to_string()))
}

/// Reads a value, and keeps the way to it.
struct Seed<'w>(&'w RefCell<Vec<Step>>);

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Model;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Model, D::Error> {
        if self.0.borrow().len() > DEPTH_MAX {
            let message = format!("this nests deeper than {DEPTH_MAX} levels");
            return Err(D::Error::custom(message));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Model;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number, true or false, a list or an object")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Model, E> {
        Ok(Model::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Model, E> {
        Ok(Model::Int(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Model, E> {
        Ok(i64::try_from(value).map_or(Model::Float(value as f64), Model::Int))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Model, E> {
        if value.is_finite() {
            Ok(Model::Float(value))
        } else {
            Err(E::custom("a number must be finite"))
        }
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Model, E> {
        Ok(Model::Text(value.to_owned()))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Model, E> {
        Err(E::custom("null says nothing here: leave the name out"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Model, A::Error> {
        let mut list = Vec::new();
        loop {
            self.0.borrow_mut().push(Step::Item(list.len()));
            let Some(value) = seq.next_element_seed(Seed(self.0))? else {
                break;
            };
            list.push(value);
            self.0.borrow_mut().pop();
        }
        self.0.borrow_mut().pop();
        Ok(Model::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Model, A::Error> {
        let mut fields: Vec<(String, Model)> = Vec::new();
        let mut known = std::collections::BTreeSet::new();
        while let Some(name) = map.next_key::<String>()? {
            self.0.borrow_mut().push(Step::Key(name.as_str().into()));
            if !known.insert(name.clone()) {
                return Err(A::Error::custom("this name stands here twice"));
            }
            let value = map.next_value_seed(Seed(self.0))?;
            fields.push((name, value));
            self.0.borrow_mut().pop();
        }
        Ok(Model::Table(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_kinds_of_numbers_are_kept() {
        let model = model(r#"{"b": [1, 1.0, -3, 18446744073709551615], "a": {"c": "x"}}"#).unwrap();
        let Model::Table(fields) = &model else {
            panic!("{model:?}");
        };
        assert_eq!(fields[0].0, "b");
        let numbers = [
            Model::Int(1),
            Model::Float(1.0),
            Model::Int(-3),
            Model::Float(18_446_744_073_709_551_615.0),
        ];
        assert_eq!(fields[0].1, Model::List(numbers.to_vec()));
    }

    #[test]
    fn what_no_house_can_say_is_refused_with_its_place() {
        let deep = "[".repeat(200);
        for (json, at, word) in [
            (r#"{"rule": {"x": {"do": null}}}"#, "/rule/x/do", "null"),
            (r#"{"rule": {"x": 1, "x": 2}}"#, "/rule/x", "twice"),
            (r#"{"a": [1, {"b/c": nul}]}"#, "/a/1/b~1c", "expected"),
            (r#"{"a": 1e999}"#, "/a", "out of range"),
            (r#"{"a": 1} x"#, "", "trailing"),
            (r#"{"a": "#, "/a", "EOF"),
            ("", "", "EOF"),
            ("[]", "", "object"),
            ("3", "", "object"),
            ("null", "", "null"),
            ("\u{feff}{}", "", "expected"),
            (&format!(r#"{{"a": {deep}"#), "", "deeper"),
        ] {
            let problem = model(json).unwrap_err();
            assert!(problem.message.contains(word), "{json}: {problem}");
            if !at.is_empty() {
                assert_eq!(problem.at.to_string(), at, "{json}");
            }
        }
    }
}
