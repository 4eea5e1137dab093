//! Names: each place where something of a house stands is known, whatever way it is written.

use std::{collections::BTreeMap, path::Path};

use mapping::{
    Analysis, analyze,
    index::{Mention, Symbol},
};

fn house(folder: &str) -> Analysis {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    analyze(Some(&folder), &BTreeMap::new())
}

fn texts(texts: &[(&str, &str)]) -> Analysis {
    let texts = texts.iter();
    let texts = texts.map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    analyze(None, &texts.collect())
}

fn word<'a>(house: &'a Analysis, mention: &Mention) -> &'a str {
    let file = house.loaded.sources.file(mention.span.file);
    &file.text[mention.span.bytes.clone()]
}

/// How often a word stands in all files, without comments and what people read; no text of these houses
/// holds a `#`, nor names anything of the house for people.
fn words_of(house: &Analysis, name: &str) -> usize {
    let mut count = 0;
    for (_, file) in house.loaded.sources.iter() {
        for line in file.text.lines() {
            let code = line.split('#').next().unwrap_or_default();
            let code = code.split("text = ").next().unwrap_or_default();
            let words = code.split(|c: char| !(c.is_ascii_alphanumeric() || "_-".contains(c)));
            count += words.filter(|word| *word == name).count();
        }
    }
    count
}

#[test]
fn every_word_that_is_a_name_is_known() {
    for folder in ["tests/fixtures/house", "../../examples/piano-house"] {
        let house = house(folder);
        // Names that are no other word of the language, nor of another thing.
        let names = house.draft.names.devices.keys();
        let names = names.chain(house.draft.names.groups.keys());
        let names: Vec<_> = names.chain(house.draft.names.timers.keys()).collect();
        assert!(names.len() >= 9, "{names:?}");
        for name in names {
            let known = house.index.mentions().iter();
            let known = known.filter(|mention| mention.symbol.word() == name);
            assert_eq!(known.count(), words_of(&house, name), "{name} in {folder}");
        }
    }
}

#[test]
fn a_mention_is_the_word_and_nothing_else() {
    let house = house("tests/fixtures/house");
    assert!(house.index.mentions().len() > 250);
    for mention in house.index.mentions() {
        assert_eq!(word(&house, mention), &**mention.symbol.word());
    }
}

#[test]
fn each_thing_is_declared_once() {
    let house = house("../../examples/piano-house");
    let mut declared = BTreeMap::new();
    for mention in house.index.mentions() {
        let timer = matches!(mention.symbol, Symbol::Timer(_));
        if mention.declares && !timer {
            *declared.entry(&mention.symbol).or_insert(0) += 1;
        }
    }
    assert!(declared.len() >= 70, "{}", declared.len());
    assert!(declared.values().all(|count| *count == 1));
}

#[test]
fn names_in_expressions_keys_and_quotes_are_found() {
    let house = texts(&[(
        "mapping.toml",
        r#"
format = 1
[device.hall]
id = 1
io.lamp = { kind = "dimmer" }
[device.hall.io.lux]
kind = "lux"
[group]
all = ["hall.lamp"]
[var]
level = { kind = "number" }
[scene.dim]
hall.lamp.on = true
"hall".lamp.brightness = 3
[rule.r]
when = 'hall.lux.changed'
if = "all.exists(x, x.brightness > 1) && state.hall.lux < 5 && hall . online || event.lux > 3"
do = [{ set = "all", brightness = "${target.hall.lamp.brightness + var.level}" }, { scene = "dim" }]
"#,
    )]);
    let mut counts = BTreeMap::new();
    for mention in house.index.mentions() {
        *counts.entry(mention.symbol.to_string()).or_insert(0) += 1;
    }
    let expected = [
        ("hall", 9),
        ("hall.lamp", 5),
        ("hall.lux", 3),
        ("all", 3),
        ("level", 2),
        ("dim", 2),
        ("event.lux", 1),
    ];
    for (name, count) in expected {
        assert_eq!(counts.get(name), Some(&count), "{name}: {counts:?}");
    }
    let hall = Symbol::Device("hall".into());
    let place = house.index.declaration(&hall).unwrap();
    assert_eq!(
        house
            .loaded
            .sources
            .line_column(place.file, place.bytes.start),
        (3, 9)
    );
}

#[test]
fn a_broken_rule_keeps_the_names_of_the_others() {
    let house = texts(&[(
        "mapping.toml",
        "format = 1\n[device.a]\nid = 1\nio.b = { kind = \"button\" }\nio.l = { kind = \"switch\" }\n\
         [rule.x]\nwhen = \"a.b.press\ndo = \"a.l.on\"\n[rule.y]\nwhen = \"a.b.press\"\ndo = \"a.l.no\"\n",
    )]);
    assert!(house.loaded.program.is_none());
    assert_eq!(house.draft.devices.len(), 1);
    let device = Symbol::Device("a".into());
    assert!(house.index.of(&device).count() >= 3);
    let at = house
        .loaded
        .sources
        .file(house.mapping[0])
        .text
        .find("b.press\"\ndo = \"a.l.no");
    let here: Vec<_> = house.index.at(house.mapping[0], at.unwrap()).collect();
    assert_eq!(here.len(), 1);
    assert_eq!(here[0].symbol.to_string(), "a.b");
}
