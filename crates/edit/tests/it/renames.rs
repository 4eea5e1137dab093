//! Another name, wherever it stands, and nothing else.

use std::collections::BTreeMap;

use edit::{Change, Edit, House, Refusal};
use proptest::prelude::*;

use crate::houses::{self, Choices, choices};

fn rename(house: &House, name: &str, to: &str) -> Result<Change, Refusal> {
    let symbol = house.symbol(name)?;
    let to = to.to_owned();
    house.edit(&Edit::Rename { symbol, to })
}

fn texts(house: &houses::House, change: &Change) -> BTreeMap<String, String> {
    let mut texts = house.files.clone();
    for (name, text) in change.files() {
        texts.insert(name.to_owned(), text.to_owned());
    }
    texts
}

/// The same house written with the other name is the text that renaming gives, byte for byte.
fn check_rename(choices: &Choices, which: usize) {
    let written = houses::house(choices, None);
    let name = &written.names[which % written.names.len()];
    let expected = houses::house(choices, Some((name, "zz9"))).files;
    let change = rename(
        &House::from_texts(written.files.clone()),
        &name.qualified(),
        "zz9",
    );
    let change = change.unwrap_or_else(|refusal| panic!("{name:?}: {refusal}"));
    assert_eq!(texts(&written, &change), expected, "{name:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_name_changes_everywhere_and_nothing_else_does(choices in choices(), which in 0_usize..1_000) {
        check_rename(&choices, which);
    }

    #[test]
    fn renamed_there_and_back_again_it_is_the_same_text(choices in choices(), which in 0_usize..1_000) {
        let written = houses::house(&choices, None);
        let name = &written.names[which % written.names.len()];
        let house = House::from_texts(written.files.clone());
        let there = rename(&house, &name.qualified(), "zz9").expect("it is new");
        let there = House::from_texts(texts(&written, &there));
        let mut new = name.qualified();
        let last = new.rfind('.').map_or(0, |dot| dot + 1);
        let old = new.split_off(last);
        let back = rename(&there, &format!("{new}zz9"), &old).expect("it was free");
        prop_assert_eq!(texts(&written, &back), written.files);
    }
}

const HOUSE: &str = r#"format = 1
[device.hall]
id = 1
io.lamp = { kind = "dimmer" }
io.top = { kind = "button" }
[device.desk]
id = 2
io.lamp = { kind = "switch" }
[group]
lights = ["hall.lamp", "desk.lamp"]
[rule.off]
when = "hall.top.press"
do = [{ start = "off", for = "5m" }, { scene = "dark" }]
if = "lights.exists(x, x.on)"
[rule.later]
when = { timer = "off" }
do = "lights.off"
[scene.dark]
hall.lamp = { on = false }
"#;

fn refused(name: &str, to: &str) -> Refusal {
    let house = House::from_texts([("mapping.toml", HOUSE)]);
    rename(&house, name, to).expect_err("it must not be done")
}

#[test]
fn what_can_t_be_a_name_or_is_one_already_is_refused() {
    for to in ["desk", "lights", "dark"] {
        assert!(matches!(refused("hall", to), Refusal::Taken(..)), "{to}");
    }
    assert!(matches!(
        refused("hall.lamp", "top"),
        Refusal::Taken("channel", _)
    ));
    assert!(matches!(
        refused("rule.off", "later"),
        Refusal::Taken("rule", _)
    ));
    for to in ["Hall", "", "a.b", "a-b", "state", "x y"] {
        assert!(matches!(refused("hall", to), Refusal::BadName(name, _) if name == to));
    }
    let told = |what, to| refused(what, to).to_string();
    assert_eq!(
        told("hall", "Hall-2"),
        "`Hall-2` can't be a name there: a name begins with a letter a-z; then come a-z, 0-9, `_`; at most 32, for example \
         `hall_2`"
    );
    let rule = told("rule.off", "Off");
    assert!(
        rule.contains("0-9, `_`, `-`; at most 32, for example `off`"),
        "{rule}"
    );
    let state = told("hall", "state");
    assert!(
        state.contains(": it is reserved; reserved are `dispatcher`"),
        "{state}"
    );
    assert_eq!(
        refused("halll", "x"),
        Refusal::Unknown("halll".to_owned(), Some("hall".to_owned()))
    );
    let both = vec!["timer.off".to_owned(), "rule.off".to_owned()];
    assert_eq!(
        refused("off", "x"),
        Refusal::Ambiguous("off".to_owned(), both)
    );
    assert!(matches!(refused("hall.lamp.on", "x"), Refusal::Unknown(..)));
}

#[test]
fn a_name_that_an_expression_uses_for_something_else_is_refused() {
    let refusal = refused("desk", "x");
    assert!(
        matches!(&refusal, Refusal::DoesNotCheck(why) if why.contains("can't stand for the member")),
        "{refusal}"
    );
}

#[test]
fn a_name_may_be_the_name_of_another_kind_of_thing() {
    let house = House::from_texts([("mapping.toml", HOUSE)]);
    let change = rename(&house, "rule.off", "later-on").expect("it is free");
    assert_eq!(change.lines().len(), 1);
    let change = rename(&house, "desk", "top").expect("a channel is called so, no device");
    assert_eq!(change.lines().len(), 2);
    let change = rename(&house, "hall", "hall").expect("it is called so");
    assert!(change.is_empty());
}

#[test]
fn a_house_with_mistakes_can_be_renamed_in_but_for_files_that_can_t_be_read() {
    let wrong = HOUSE.replace("\"lights.off\"", "\"lights.of\"");
    let house = House::from_texts([("mapping.toml", &wrong)]);
    assert!(house.analysis().loaded.has_errors());
    let change = rename(&house, "lights", "lamps").expect("it is unique");
    assert_eq!(
        change.text("mapping.toml"),
        Some(&*wrong.replace("lights", "lamps"))
    );
    let broken = HOUSE.replace("when = { timer = \"off\" }", "when = { timer = \"off\"");
    let house = House::from_texts([("mapping.toml", &broken)]);
    let refusal = rename(&house, "hall", "x1");
    assert_eq!(
        refusal.map(drop),
        Err(Refusal::Unreadable("mapping.toml".to_owned()))
    );
}

#[test]
fn an_edit_of_a_house_with_a_file_that_can_t_be_read_is_refused_with_that_file_and_how_to_mend_it()
{
    let including = HOUSE.replacen("format = 1", "format = 1\ninclude = [\"rules.toml\"]", 1);
    let rules = "[rule.more]\nwhen = \"hall.top.press\"\ndo = \"hall.lamp.on\"\n";
    let edits = |house: &House| {
        let set = Edit::set("/rule/more/limit", "3 per 10s").unwrap();
        let enable = Edit::Enable {
            rule: "more".to_owned(),
            on: false,
        };
        [
            rename(house, "hall", "corridor").map(drop),
            house.edit(&set).map(drop),
            house.edit(&Edit::remove("/rule/more").unwrap()).map(drop),
            house.edit(&enable).map(drop),
        ]
    };
    let whole = House::from_texts([("mapping.toml", &*including), ("rules.toml", rules)]);
    assert_eq!(edits(&whole), [Ok(()), Ok(()), Ok(()), Ok(())]);
    let cut = House::from_texts([("mapping.toml", &*including), ("rules.toml", &rules[..40])]);
    for refused in edits(&cut) {
        assert_eq!(refused, Err(Refusal::Unreadable("rules.toml".to_owned())));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("mapping.toml"), &including).unwrap();
    let spoil: [(&dyn Fn(), &str); 3] = [
        (
            &|| std::fs::write(path("rules.toml"), b"\xff").unwrap(),
            "save it as UTF-8",
        ),
        (
            &|| std::os::unix::fs::symlink("nowhere", path("rules.toml")).unwrap(),
            "let the link lead to a file",
        ),
        (&|| {}, "there is no file"),
    ];
    for (spoil, mend) in spoil {
        spoil();
        for refused in edits(&House::open(folder.path())) {
            let said = refused.expect_err("it can't be read").to_string();
            assert!(
                said.contains("`rules.toml`") && said.contains(mend),
                "{said}"
            );
        }
        drop(std::fs::remove_file(path("rules.toml")));
    }
    // A main file that leads nowhere declares nothing; that is not what is wrong.
    std::fs::remove_file(path("mapping.toml")).unwrap();
    std::os::unix::fs::symlink("nowhere", path("mapping.toml")).unwrap();
    for refused in edits(&House::open(folder.path())) {
        let said = refused.expect_err("it leads nowhere").to_string();
        assert!(
            said.contains("`mapping.toml` is a link that leads to nothing"),
            "{said}"
        );
    }
}
