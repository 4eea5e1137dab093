//! Files -> model.

use mapping::{Analysis, grammar};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::model::Model;

/// The model of a house: everything that its files declare, in their order. Comments, and how it is spread
/// over files, are no part of it. Files that are no TOML are left out.
#[must_use]
pub fn export(house: &Analysis) -> Model {
    let mut tops: Vec<(String, Model)> = vec![("format".to_owned(), Model::Int(1))];
    let known = grammar::MAPPING.names.iter().chain(grammar::TESTS.names);
    let known = known.filter(|name| !matches!(**name, "format" | "include"));
    tops.extend(known.map(|name| ((*name).to_owned(), Model::table())));
    for file in house.mapping.iter().chain(&house.tests) {
        let text = &house.loaded.sources.file(*file).text;
        let Ok(table) = DeTable::parse(text) else {
            continue;
        };
        for (key, value) in entries(table.get_ref()) {
            let Some((name, all)) = tops.iter_mut().find(|(name, _)| name == key) else {
                continue;
            };
            match (all, value) {
                (Model::Table(all), Model::Table(more)) => all.extend(more),
                // Which file it stood in is no part of the model: it holds for the house.
                (all, Model::List(more)) if name == "allow" => allow(all, more),
                _ => {}
            }
        }
    }
    tops.retain(|(_, value)| *value != Model::table());
    Model::Table(tops)
}

/// What the files silence together, each once.
fn allow(all: &mut Model, more: Vec<Model>) {
    if !matches!(all, Model::List(_)) {
        *all = Model::List(Vec::new());
    }
    if let Model::List(all) = all {
        for lint in more {
            if !all.contains(&lint) {
                all.push(lint);
            }
        }
    }
}

/// A table's entries in the order of the text.
fn entries<'a>(table: &'a DeTable<'_>) -> Vec<(&'a str, Model)> {
    let mut all: Vec<_> = table.iter().collect();
    all.sort_by_key(|(key, _)| key.span().start);
    all.into_iter()
        .map(|(key, value)| (&**key.get_ref(), model(value)))
        .collect()
}

/// One value.
pub(crate) fn model(value: &Spanned<DeValue<'_>>) -> Model {
    match value.get_ref() {
        DeValue::String(text) => Model::Text(text.to_string()),
        DeValue::Integer(number) => {
            let text = number.as_str();
            match i64::from_str_radix(text, number.radix()) {
                Ok(number) => Model::Int(number),
                Err(_) => float(text),
            }
        }
        DeValue::Float(number) => float(number.as_str()),
        DeValue::Boolean(truth) => Model::Bool(*truth),
        DeValue::Datetime(date) => Model::Text(date.to_string()),
        DeValue::Array(list) => Model::List(list.iter().map(model).collect()),
        DeValue::Table(table) => {
            let all = entries(table).into_iter();
            Model::Table(all.map(|(key, value)| (key.to_owned(), value)).collect())
        }
    }
}

/// Infinities and NaN are no numbers of a house: `check` refuses them wherever they stand.
fn float(text: &str) -> Model {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Model::Float(number),
        _ => Model::Text(text.to_owned()),
    }
}
