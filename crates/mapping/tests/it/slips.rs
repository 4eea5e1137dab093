//! One letter too many, anywhere in a good house.

use std::{collections::BTreeMap, fs, path::Path};

use mapping::{Severity, grammar, load_texts};

/// Places that are tried; fewer were lost by accident.
const PLACES_MIN: usize = 200;

/// The keys of the language.
fn keys() -> Vec<&'static str> {
    let forms = [&grammar::TRIGGERS, &grammar::ACTIONS, &grammar::STEPS];
    let forms = forms.into_iter().flat_map(|forms| forms.all);
    let tables = [
        &grammar::RULE,
        &grammar::DEVICE,
        &grammar::CHANNEL,
        &grammar::HOME,
    ];
    let tests = [
        &grammar::TEST,
        &grammar::GIVEN,
        &grammar::STEP,
        &grammar::VAR,
    ];
    let tables = tables.into_iter().chain(tests).map(|keys| keys.names);
    let all = tables.chain(forms.map(|form| form.keys.names)).flatten();
    all.copied().collect()
}

/// Where keys of the language stand in a text, outside of texts and comments: the byte behind their first letter.
fn places(text: &str) -> Vec<usize> {
    let keys = keys();
    let mut places = Vec::new();
    let mut quote = None;
    let mut start = None;
    for (at, letter) in text.char_indices() {
        match (quote, letter) {
            (Some('#'), '\n') => quote = None,
            (Some(open), letter) if open == letter => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '#') => quote = Some(letter),
            (None, _) => {}
        }
        if quote.is_none() && (letter.is_ascii_alphanumeric() || letter == '_') {
            start.get_or_insert(at);
        } else if let Some(begin) = start.take() {
            let is_key = text[at..].trim_start_matches(' ').starts_with(['=', '.']);
            if is_key && keys.contains(&&text[begin..at]) {
                places.push(begin + 1);
            }
        }
    }
    places
}

#[test]
fn no_key_with_a_letter_too_many_goes_unnoticed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/house");
    let names = ["mapping.toml", "house.toml", "rules.toml", "hall.test.toml"];
    let read = |name: &str| fs::read_to_string(folder.join(name)).expect("the fixture is there");
    let house: BTreeMap<&str, String> = names.map(|name| (name, read(name))).into();
    let mut tried = 0;
    for (name, text) in &house {
        for at in places(text) {
            let mut texts = house.clone();
            let slipped = format!("{}q{}", &text[..at], &text[at..]);
            texts.insert(name, slipped.clone());
            let found = load_texts(texts).diagnostics;
            let is_error = |severity| severity == Severity::Error;
            let noticed = found.iter().any(|found| is_error(found.severity));
            let line = slipped[..at].lines().count();
            let shown = slipped.lines().nth(line - 1).unwrap_or_default();
            assert!(noticed, "{name}:{line}: {shown}");
            tried += 1;
        }
    }
    assert!(tried >= PLACES_MIN, "{tried}");
}
