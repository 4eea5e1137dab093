//! Values and rules: what is changed, and what is kept.

use std::{collections::BTreeMap, path::Path};

use edit::{Change, Edit, House, Model, Pointer, Refusal, export};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::houses::{self, choices};

fn json_of(analysis: &mapping::Analysis) -> Json {
    serde_json::from_str(&export(analysis).to_string()).expect("it is JSON")
}

/// What the edit means, on plain JSON.
fn applied(house: &Json, edit: &Edit) -> Json {
    let mut house = house.clone();
    match edit {
        Edit::Set { at, value } => set(&mut house, at, json!(value)),
        Edit::AddRule { name, rule, .. } => {
            set(&mut house, &pointer(&format!("/rule/{name}")), json!(rule));
        }
        Edit::Enable { rule, on } => set(
            &mut house,
            &pointer(&format!("/rule/{rule}/enabled")),
            json!(on),
        ),
        Edit::Remove { at } => {
            let at = at.to_string();
            let (above, last) = at.rsplit_once('/').expect("it is a pointer");
            match house.pointer_mut(above).expect("it is there") {
                Json::Object(fields) => drop(fields.remove(last)),
                Json::Array(list) => drop(list.remove(last.parse().expect("a number"))),
                _ => panic!("nothing to take out of"),
            }
        }
        _ => panic!("not a change of values"),
    }
    let tops = house.as_object_mut().expect("a house is an object");
    tops.retain(|_, value| *value != json!({}));
    house
}

fn set(house: &mut Json, at: &Pointer, value: Json) {
    let mut here = house;
    for step in &at.0 {
        let step = step.to_string();
        here = match here {
            Json::Array(list) => &mut list[step.parse::<usize>().expect("a number")],
            Json::Object(_) => &mut here[step],
            other => panic!("{other} is no table"),
        };
        if here.is_null() {
            *here = json!({});
        }
    }
    *here = value;
}

fn pointer(text: &str) -> Pointer {
    Pointer::read(text).expect("it is one")
}

fn comments(texts: &BTreeMap<String, String>) -> Vec<&str> {
    let lines = texts.values().flat_map(|text| text.lines());
    // No text of these houses holds this.
    lines
        .filter_map(|line| line.find("# ").map(|at| &line[at..]))
        .collect()
}

fn rule() -> Model {
    Model::Table(vec![
        ("when".to_owned(), Model::from("*.offline")),
        (
            "do".to_owned(),
            Model::Table(vec![
                ("notify".to_owned(), "all".into()),
                ("text".to_owned(), "gone \"#\"".into()),
            ]),
        ),
    ])
}

/// Any edit of a house that it can take.
fn edits(house: &houses::House, which: usize, other: usize) -> (Edit, bool) {
    let of = |keep: fn(&houses::Name) -> Option<&'static str>| -> Vec<&'static str> {
        house.names.iter().filter_map(keep).collect()
    };
    let rules = of(|name| match name {
        houses::Name::Rule(name) => Some(*name),
        _ => None,
    });
    let devices = of(|name| match name {
        houses::Name::Device(name) => Some(*name),
        _ => None,
    });
    let device = devices[other % devices.len()];
    let rule_name = (!rules.is_empty()).then(|| rules[other % rules.len()]);
    let set = |at: String, value: Model| Edit::set(&at, value).expect("it is a pointer");
    let remove = |at: String| Edit::remove(&at).expect("it is a pointer");
    // Whether every comment must still be there.
    match (which % 14, rule_name) {
        (0, Some(rule)) => (set(format!("/rule/{rule}/limit"), "3 per 10s".into()), true),
        (1, Some(rule)) => (
            Edit::Enable {
                rule: rule.to_owned(),
                on: false,
            },
            true,
        ),
        (2, Some(rule)) => (
            set(format!("/rule/{rule}/do"), Model::List(vec![rule_do()])),
            false,
        ),
        (3, Some(rule)) => (
            set(format!("/rule/{rule}/after_downtime/run_late"), "5m".into()),
            true,
        ),
        (4, Some(rule)) => (set(format!("/rule/{rule}"), self::rule()), false),
        (5, Some(rule)) => (remove(format!("/rule/{rule}")), false),
        (6, after) => {
            let after = after.map(str::to_owned);
            let name = "brand-new".to_owned();
            (
                Edit::AddRule {
                    name,
                    rule: self::rule(),
                    after,
                },
                true,
            )
        }
        (7, _) => (
            set(format!("/device/{device}/room"), "the \u{e4}".into()),
            true,
        ),
        (8, _) => (
            set(
                format!("/device/{device}/io/fresh"),
                Model::Table(vec![("kind".to_owned(), "light".into())]),
            ),
            true,
        ),
        (9, _) => (set("/var/fresh/kind".to_owned(), "bool".into()), true),
        (10, _) => (set("/home/latitude".to_owned(), Model::Float(-3.25)), true),
        (11, _) => (
            set(
                "/group/fresh".to_owned(),
                Model::List(vec![Model::Text(device.to_owned())]),
            ),
            true,
        ),
        (12, _) => (
            set(
                "/test/fresh".to_owned(),
                Model::Table(vec![("steps".to_owned(), Model::List(vec![]))]),
            ),
            true,
        ),
        _ => (set(format!("/device/{device}/id"), Model::Int(77)), true),
    }
}

fn rule_do() -> Model {
    Model::Table(vec![
        ("notify".to_owned(), "all".into()),
        ("text".to_owned(), "x".repeat(200).as_str().into()),
    ])
}

fn after(house: &houses::House, change: &Change) -> BTreeMap<String, String> {
    let mut texts = house.files.clone();
    for (name, text) in change.files() {
        texts.insert(name.to_owned(), text.to_owned());
    }
    texts
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_text_means_the_changed_meaning(choices in choices(), which in 0_usize..1_000, other in 0_usize..1_000) {
        let written = houses::house(&choices, None);
        let house = House::from_texts(written.files.clone());
        let (edit, keeps_comments) = edits(&written, which, other);
        let change = match house.edit(&edit) {
            Ok(change) => change,
            // A rule that tests name, or that starts a timer, can't go.
            Err(Refusal::DoesNotCheck(_)) => return Ok(()),
            Err(refusal) => panic!("{edit:?}: {refusal}\n{:#?}", written.files),
        };
        prop_assert_eq!(json_of(change.analysis()), applied(&json_of(house.analysis()), &edit));
        let texts = after(&written, &change);
        if keeps_comments {
            let mut new = comments(&texts);
            new.retain(|comment| !comment.contains("gone"));
            prop_assert_eq!(new, comments(&written.files));
        }
        // Whoever writes TOML 1.0 gets TOML 1.0.
        let is_1_0 = |text: &String| text.parse::<toml_1_0::Table>().is_ok();
        if written.files.values().all(is_1_0) {
            prop_assert!(texts.values().all(is_1_0), "{texts:#?}");
        }
        // Line ends are those of the file.
        for (name, text) in &texts {
            let crlf = written.files.get(name).is_some_and(|old| old.contains("\r\n"));
            let (returns, feeds) = (text.matches("\r\n").count(), text.matches('\n').count());
            prop_assert_eq!(returns, if crlf { feeds } else { 0 }, "{}: {}", name, text);
        }
    }

    #[test]
    fn what_is_taken_out_leaves_all_other_lines(choices in choices(), which in 0_usize..1_000) {
        let written = houses::house(&choices, None);
        let rules = written.names.iter().filter_map(|name| match name {
            houses::Name::Rule(name) => Some(*name),
            _ => None,
        });
        let rules: Vec<&str> = rules.collect();
        prop_assume!(!rules.is_empty());
        let rule = rules[which % rules.len()];
        let house = House::from_texts(written.files.clone());
        let edit = Edit::remove(&format!("/rule/{rule}")).expect("it is a pointer");
        let Ok(change) = house.edit(&edit) else { return Ok(()) };
        for (name, new) in change.files() {
            let mut old = written.files[name].lines();
            for line in new.lines() {
                prop_assert!(old.any(|other| other == line), "{line} is new in\n{new}");
            }
        }
        let gone = change.lines();
        prop_assert!(gone.iter().all(|line| line.new.is_none()));
        let header = format!("[rule.{rule}]");
        let headers = gone.iter().filter_map(|line| line.old.as_ref()).filter(|line| line.starts_with('['));
        let headers: Vec<&String> = headers.collect();
        prop_assert!(headers.len() == 1 && headers[0].starts_with(&header), "{headers:?}");
    }
}

fn piano() -> House {
    House::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/piano-house"))
}

/// Makes the edit and compares the one line that it changes.
fn check_line(edit: &Edit, file: &str, old: &str, new: &str) {
    let change = piano()
        .edit(edit)
        .unwrap_or_else(|refusal| panic!("{refusal}"));
    let texts = piano_texts();
    let mut lines = texts[file].lines();
    let line = edit::Line {
        file: file.to_owned(),
        number: lines.position(|line| line == old).expect("it is there") + 1,
        old: Some(old.to_owned()),
        new: Some(new.to_owned()),
    };
    assert_eq!(change.lines(), [line]);
}

#[test]
fn one_value_is_one_line() {
    let edit = Edit::set("/rule/door-bell/limit", "1 per 20s").expect("it is a pointer");
    check_line(
        &edit,
        "rules.toml",
        "limit = \"1 per 10s\"",
        "limit = \"1 per 20s\"",
    );
    let edit = Edit::set("/device/living/io/temp/stale_after", "10m").expect("it is a pointer");
    check_line(
        &edit,
        "devices.toml",
        "io.temp   = { kind = \"temperature\", one_wire = 11, report_every = \"30s\", stale_after = \"5m\" }",
        "io.temp   = { kind = \"temperature\", one_wire = 11, report_every = \"30s\", stale_after = \"10m\" }",
    );
}

#[test]
fn a_rule_is_switched_off_by_a_line_and_on_again_as_it_was() {
    let off = Edit::Enable {
        rule: "middle-c".to_owned(),
        on: false,
    };
    let change = piano().edit(&off).expect("it is there");
    let text = change.text("rules.toml").expect("it is there");
    assert!(text.contains("do    = \"hall.lamp.on\"\nenabled = false\n\n[rule.lowest-key]"));
    let mut texts: BTreeMap<String, String> = piano_texts();
    texts.insert("rules.toml".to_owned(), text.to_owned());
    let house = House::from_texts(texts);
    let on = Edit::Enable {
        rule: "middle-c".to_owned(),
        on: true,
    };
    let change = house.edit(&on).expect("it is there");
    let before = &piano_texts()["rules.toml"];
    assert_eq!(change.text("rules.toml"), Some(&**before));
    assert!(piano().edit(&on).expect("it is on").is_empty());
    let missing = Edit::Enable {
        rule: "middle-d".to_owned(),
        on: true,
    };
    let near = Some("middle-c".to_owned());
    assert_eq!(
        piano().edit(&missing).map(drop),
        Err(Refusal::Unknown("middle-d".to_owned(), near))
    );
}

fn piano_texts() -> BTreeMap<String, String> {
    let house = piano();
    let sources = house.analysis().loaded.sources.iter();
    sources
        .map(|(_, file)| (file.name.to_string(), file.text.clone()))
        .collect()
}

#[test]
fn what_would_not_check_is_refused_and_says_why() {
    for (edit, word) in [
        (
            Edit::set("/rule/middle-c/do", "hall.lamp.onn"),
            "did you mean `on`",
        ),
        (Edit::remove("/device/hall"), "no device or group `hall`"),
        (Edit::remove("/rule/hall-motion/do"), "needs `do`"),
        (
            Edit::set("/device/desk/id", Model::Int(17)),
            "two devices have the id 17",
        ),
        (Edit::remove("/rule/night-begins"), "no rule `night-begins`"),
    ] {
        let refusal = piano().edit(&edit.expect("it is a pointer"));
        let refusal = refusal.map(drop).expect_err(word);
        assert!(matches!(refusal, Refusal::DoesNotCheck(_)), "{refusal}");
        assert!(refusal.to_string().contains(word), "{refusal}");
    }
}

#[test]
fn what_is_not_there_or_can_t_be_there_is_refused() {
    for (edit, word) in [
        (
            Edit::remove("/rule/middle-d"),
            "did you mean /rule/middle-c?",
        ),
        (Edit::set("/rulez/x", true), "did you mean /rule/x?"),
        (Edit::set("rules.x", true), "did you mean /rule/x?"),
        (Edit::set("/include", true), "nothing is at /include"),
        (Edit::set("/rule", true), "table"),
        (Edit::set("/rule/x", true), "table"),
        (
            Edit::set("/rule/middle-c/if/x", true),
            "with nothing below it",
        ),
        (Edit::set("/group/lights/9", "hall.lamp"), "is a list of"),
        (Edit::remove("/rule/middle-c/if/x"), "nothing is at"),
    ] {
        let refusal = piano().edit(&edit.expect("it is a pointer"));
        let refusal = refusal.map(drop).expect_err(word);
        assert!(refusal.to_string().contains(word), "{refusal}");
    }
    let edit = Edit::AddRule {
        name: "middle-c".to_owned(),
        rule: rule(),
        after: None,
    };
    assert_eq!(
        piano().edit(&edit).map(drop),
        Err(Refusal::Taken("rule", "middle-c".to_owned()))
    );
}

#[test]
fn a_value_below_something_that_is_not_there_says_what_is_missing_and_what_there_is() {
    for (at, words) in [
        (
            "rule.middle-c.foo.bar",
            [
                "nothing is at /rule/middle-c/foo",
                "/rule/middle-c has when, if, do",
            ],
        ),
        (
            "/rule/midle-c/if",
            [
                "nothing is at /rule/midle-c; did you mean /rule/middle-c?",
                "/rule has middle-c, ",
            ],
        ),
        (
            "/device/hall/io/lapm/kind",
            [
                "did you mean /device/hall/io/lamp?",
                "/device/hall/io has lamp, motion, lux",
            ],
        ),
    ] {
        let edit = Edit::set(at, "x").expect("it is a path");
        let refusal = piano().edit(&edit).map(drop).expect_err(at).to_string();
        for word in words {
            assert!(refusal.contains(word), "{word}: {refusal}");
        }
    }
    // What is new and checks is no slip.
    let off = Model::Table(vec![("on".to_owned(), false.into())]);
    let new = Edit::set("/scene/quiet/hall/lamp", off).expect("it is a path");
    assert!(!piano().edit(&new).expect("it checks").is_empty());
}

#[test]
fn a_path_may_be_written_as_the_files_write_it() {
    let pointer = Edit::set("/rule/door-bell/limit", "1 per 20s").expect("it is a path");
    let dotted = Edit::set("rule.\"door-bell\".limit", "1 per 20s").expect("it is a path");
    assert_eq!(pointer, dotted);
}

#[test]
fn a_change_is_written_once_and_not_over_other_people_s_changes() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in piano_texts() {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("it has one")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
    let house = House::open(folder.path());
    let edit = Edit::set("/rule/door-bell/limit", "1 per 20s").expect("it is a pointer");
    let change = house.edit(&edit).expect("it checks");
    change.write(folder.path()).expect("nobody else is there");
    let rules = std::fs::read_to_string(folder.path().join("rules.toml")).expect("it is there");
    assert_eq!(change.text("rules.toml"), Some(&*rules));
    let again = change
        .write(folder.path())
        .expect_err("it is changed already");
    assert!(again.to_string().contains("changed meanwhile"), "{again}");
}

#[test]
fn who_writes_below_a_list_or_a_value_is_told_what_stands_there() {
    let house = House::from_texts([(
        "mapping.toml",
        "format = 1\n[device.hall]\nid = 7\nio.lamp = { kind = \"switch\" }\n[group]\nupstairs = [\"hall.lamp\"]\n",
    )]);
    for (at, said) in [
        (
            "group.upstairs.x",
            "/group/upstairs/x can't be written: /group/upstairs is a list of one item, /group/upstairs/0; to add one write the whole list, which is '[\"hall.lamp\"]' now",
        ),
        (
            "device.hall.id.x",
            "/device/hall/id/x can't be written: /device/hall/id is 7, with nothing below it; write the whole of it",
        ),
    ] {
        let edit = Edit::set(at, "hall.lamp").expect("it is a path");
        let refusal = house.edit(&edit).map(drop).expect_err(at);
        assert_eq!(refusal.to_string(), said);
    }
}

#[test]
fn an_edit_whose_folder_is_gone_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("house");
    std::fs::create_dir(&path).expect("a folder");
    let text = "format = 1\n[var]\nnight = { kind = \"bool\", keep = true }\n";
    std::fs::write(path.join("mapping.toml"), text).expect("a file");
    let edit = Edit::set("/var/night/start", true).expect("it is a pointer");
    let change = House::open(&path).edit(&edit).expect("it checks");
    std::fs::remove_dir_all(&path).expect("nobody else is there");
    let gone = change
        .write(&path)
        .expect_err("nothing is there")
        .to_string();
    assert!(gone.contains("this folder is gone"), "{gone}");
    assert!(!path.exists());
}
