//! Another name, wherever it stands, and nothing else.

use std::collections::BTreeMap;

use edit::{Change, Edit, House, Refusal};
use mapping::program::{ChannelIx, RuleIx, Succession, TimerIx, VarIx};
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

/// Without what the house says of its past.
fn of_today(mut texts: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let main = texts.get_mut("mapping.toml").expect("it is there");
    if let Some(table) = main.find("[renamed]") {
        main.truncate(table);
    }
    main.truncate(main.trim_end().len());
    texts
}

/// The same house written with the other name is the text that renaming gives, byte for byte but for the old name in `[renamed]`.
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
    assert_eq!(
        of_today(texts(&written, &change)),
        of_today(expected),
        "{name:?}"
    );
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
        prop_assert_eq!(of_today(texts(&written, &back)), of_today(written.files));
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
fn a_new_name_may_be_written_as_the_old_one_is() {
    let house = House::from_texts([(
        "mapping.toml",
        "format = 1\n[device.hall]\nid = 1\nio.lamp = { kind = \"switch\" }\n[var]\nnight = { kind = \"bool\" }\n",
    )]);
    let bare = |old, new| edit::bare_name(&house.symbol(old).expect("it is there"), new);
    assert_eq!(bare("var.night", "var.away"), "away");
    assert_eq!(bare("night", "var.away"), "away");
    assert_eq!(bare("night", "away"), "away");
    assert_eq!(bare("hall", "device.porch"), "porch");
    assert_eq!(bare("hall.lamp", "hall.top"), "top");
    // Nothing moves, and nothing becomes something else.
    assert_eq!(bare("hall.lamp", "porch.top"), "porch.top");
    assert_eq!(bare("night", "timer.away"), "timer.away");
}

#[test]
fn a_rename_and_its_way_back_leave_no_blank_line() {
    let text = "format = 1\n[device.hall]\nid = 1\nio.lamp = { kind = \"switch\" }\n";
    let house = House::from_texts([("mapping.toml", text)]);
    let there = rename(&house, "hall.lamp", "top").expect("it can");
    let there = there.text("mapping.toml").expect("it changed").to_owned();
    let house = House::from_texts([("mapping.toml", there.as_str())]);
    let back = rename(&house, "hall.top", "lamp").expect("it can");
    assert_eq!(
        back.text("mapping.toml"),
        Some(&*format!(
            "{text}\n[renamed]\n\"hall.top\" = \"hall.lamp\"\n"
        ))
    );
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

const REMEMBERS: &str = r#"format = 1
[device.hall]
id = 1
io.plug = { kind = "switch" }
io.top = { kind = "button" }
[device.mode]
virtual = true
io.evening = { kind = "switch" }
[var]
night = { kind = "bool", keep = true }
[rule.on]
when = "hall.top.press"
if = "var.night && state.mode.evening"
do = ["hall.plug.on", { start = "off", for = "5m" }]
[rule.later]
when = { timer = "off" }
do = ["hall.plug.off", { var = "night", to = false }]
"#;

/// The house after these renames, one after the other: `var.night dark`.
fn renamed(text: &str, renames: &[&str]) -> String {
    let mut text = text.to_owned();
    for line in renames {
        let (name, to) = line.split_once(' ').expect("two words");
        let house = House::from_texts([("mapping.toml", &text)]);
        let change = rename(&house, name, to).unwrap_or_else(|refusal| panic!("{line}: {refusal}"));
        text = change.text("mapping.toml").expect("it is there").to_owned();
        let house = House::from_texts([("mapping.toml", &text)]);
        assert!(!house.analysis().loaded.has_errors(), "{text}");
    }
    text
}

/// What stands below `[renamed]` then.
#[track_caller]
fn check_lines(renames: &[&str], expected: &[&str]) {
    let text = renamed(REMEMBERS, renames);
    let (_, lines) = text.split_once("[renamed]\n").unwrap_or_default();
    assert_eq!(lines.lines().collect::<Vec<_>>(), expected, "{text}");
}

#[test]
fn the_old_name_is_written_down_where_only_a_name_of_a_rule_tells_what_has_another_one() {
    check_lines(&["var.night dark"], &["\"var.night\" = \"var.dark\""]);
    check_lines(&["hall.plug socket"], &["\"hall.plug\" = \"hall.socket\""]);
    check_lines(&["mode modes"], &["mode = \"modes\""]);
    // A number tells it, and what the rules do, whatever they are called.
    check_lines(&["hall corridor"], &[]);
    check_lines(&["timer.off late"], &[]);
    check_lines(&["rule.on come"], &[]);
}

#[test]
fn old_names_lead_from_one_to_the_next_and_in_no_circle() {
    let first = "\"var.night\" = \"var.a\"";
    check_lines(
        &["var.night a", "var.a b"],
        &[first, "\"var.a\" = \"var.b\""],
    );
    check_lines(
        &["var.night a", "var.a night"],
        &["\"var.a\" = \"var.night\""],
    );
    check_lines(
        &["var.night a", "var.a b", "var.b a"],
        &["\"var.night\" = \"var.b\"", "\"var.b\" = \"var.a\""],
    );
    // The right column is a use of the name.
    check_lines(
        &["hall.plug socket", "hall corridor"],
        &["\"hall.plug\" = \"corridor.socket\""],
    );
    let known = format!("{REMEMBERS}[renamed]\n\"timer.x\" = \"timer.off\"\n");
    let text = renamed(&known, &["timer.off late"]);
    assert!(
        text.ends_with("[renamed]\n\"timer.x\" = \"timer.late\"\n"),
        "{text}"
    );
}

#[test]
fn whatever_is_renamed_before_a_house_looks_goes_on() {
    let all = [
        "var.night dark",
        "rule.on come",
        "hall.plug socket",
        "hall corridor",
        "mode modes",
        "modes.evening dusk",
        "timer.off late",
        "rule.later go",
        "var.dark darker",
        "corridor.socket outlet",
    ];
    let program = |text: &str| {
        let loaded = mapping::load_texts([("mapping.toml", text)]);
        loaded.program.expect("it checks")
    };
    let new = program(&renamed(REMEMBERS, &all));
    let before = program(REMEMBERS);
    let told = Succession::new(&before, &new).renamed();
    let told: Vec<String> = told.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "hall -> corridor",
            "mode -> modes",
            "hall.plug -> corridor.outlet",
            "mode.evening -> modes.dusk",
            "var.night -> var.darker",
            "timer.off -> timer.late",
            "rule.on -> rule.come",
            "rule.later -> rule.go",
        ]
    );
    // Also for whoever looked in between.
    for seen in 1..all.len() {
        let old = program(&renamed(REMEMBERS, &all[..seen]));
        let succession = Succession::new(&old, &new);
        let gone = [
            ChannelIx::all(old.channels.len()).any(|ix| succession.channel(ix).is_none()),
            VarIx::all(old.vars.len()).any(|ix| succession.var(ix).is_none()),
            TimerIx::all(old.timers.len()).any(|ix| succession.timer(ix).is_none()),
            RuleIx::all(old.rules.len()).any(|ix| succession.rule(ix).is_none()),
        ];
        assert_eq!(gone, [false; 4], "{seen}");
    }
}

#[test]
fn two_renames_that_would_prove_only_each_other_are_both_found() {
    for renames in [
        ["var.night dark", "rule.on come"],
        ["rule.on come", "var.night dark"],
    ] {
        let alone = REMEMBERS.replace(", { var = \"night\", to = false }", "");
        let (old, new) = (&alone, renamed(&alone, &renames));
        let [old, new] = [old, &new].map(|text| {
            let loaded = mapping::load_texts([("mapping.toml", text)]);
            loaded.program.expect("it checks")
        });
        let succession = Succession::new(&old, &new);
        let told: Vec<String> = succession
            .renamed()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(told, ["var.night -> var.dark", "rule.on -> rule.come"]);
    }
}
