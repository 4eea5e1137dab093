//! `set`: a person at the machine sets a variable; rules follow, a kill -9 takes nothing of it, and `why` knows.

use crate::harness::{Dispatcher, House, run};

const HOUSE: &str = r#"
format = 1

[device.hall]
id = 1
io.lamp = { kind = "switch" }

[var]
night   = { kind = "bool", keep = true }
comfort = { kind = "number", start = 21, min = 5, max = 28, keep = true }
mood    = { kind = "text", values = ["calm", "party"], start = "calm" }

[rule.lamp]
when = { holds = "var.night && var.comfort > 20 && var.mood == 'calm'" }
do   = "hall.lamp.on"
"#;

fn set(dispatcher: &Dispatcher<'_>, name: &str, value: &str) -> String {
    let words = ["set", name, value];
    dispatcher.ask(&words).ok().stdout.trim().to_owned()
}

#[test]
fn a_variable_that_a_person_sets_turns_rules_and_outlives_kill_9() {
    let house = House::new(HOUSE);
    let dispatcher = house.start();
    let said = set(&dispatcher, "var.night", "true");
    assert_eq!(said, "var.night is true (before: false)");
    dispatcher.device_is("hall", "its lamp is to be on", |hall| {
        hall["channels"]["lamp"]["target"]["on"] == true
    });
    assert_eq!(
        set(&dispatcher, "night", "true"),
        "var.night was true already"
    );
    assert_eq!(
        set(&dispatcher, "comfort", "22.5"),
        "var.comfort is 22.5 (before: 21)"
    );
    assert_eq!(
        set(&dispatcher, "mood", "party"),
        "var.mood is party (before: calm)"
    );

    let dispatcher = dispatcher.kill_9_and_restart();
    let state = dispatcher.ask(&["state", "--json"]).ok().json();
    let var = |name: &str| state["vars"][name].clone();
    assert_eq!(
        (&var("night"), &var("comfort")),
        (&true.into(), &22.5.into()),
        "{state}"
    );
    assert_eq!(var("mood"), "calm", "it is not kept");
    let why = dispatcher.ask(&["why", "var.night"]).ok().stdout;
    assert!(
        why.starts_with("var.night  true   (before: false)\n"),
        "{why}"
    );
    assert!(why.contains("somebody set var.night to true"), "{why}");
    assert!(
        why.contains("since then the dispatcher was off until"),
        "{why}"
    );
    let why = dispatcher.ask(&["why", "hall.lamp"]).ok();
    assert!(
        why.stdout.contains("somebody set var.night to true"),
        "{why:?}"
    );
    assert_eq!(why.stderr, "");
    dispatcher.kill_9();
    let state = house.state().display().to_string();
    let off = "note: no dispatcher runs here; its last input came at ";
    for words in [["why", "hall.lamp"], ["why-not", "lamp"]] {
        let answer = run(words.into_iter().chain(["--state", &state]), "").ok();
        assert!(answer.stderr.contains(off), "{answer:?}");
    }
}

#[test]
fn what_can_not_be_set_is_refused_with_the_reason() {
    let house = House::new(HOUSE);
    let dispatcher = house.start();
    for (words, said) in [
        (["set", "nigth", "true"], "did you mean night?"),
        (["set", "var.nigth", "true"], "did you mean night?"),
        (
            ["set", "hall.lamp", "true"],
            "hall.lamp is no variable; ask for a target with an MQTT client, on iot/hall/lamp/set",
        ),
        (["set", "night", "7"], "var.night=7: write true or false"),
        (
            ["set", "comfort", "warm"],
            "var.comfort=warm: write a number from 5 to 28",
        ),
        (
            ["set", "comfort", "-3"],
            "var.comfort is -3, which is not in 5..28",
        ),
        (["set", "mood", "wild"], "calm"),
    ] {
        let output = dispatcher.ask(&words);
        assert_eq!(output.code, Some(1), "{output:?}");
        assert!(output.stderr.contains(said), "{said}: {output:?}");
    }
    let state = dispatcher
        .ask(&["state", "var.comfort", "--json"])
        .ok()
        .json();
    assert_eq!(state["vars"]["comfort"], 21);
}

#[test]
fn a_moment_that_is_asked_about_is_told_as_it_was_read() {
    let house = House::new(HOUSE);
    let dispatcher = house.start();
    set(&dispatcher, "night", "true");
    let (folder, today) = (house.folder().display().to_string(), " today (");
    let state = house.state().display().to_string();
    for (words, word) in [
        (&["why", "var.night", "--at", "-0s"][..], "at "),
        (&["why-not", "lamp", "--at", "-0s"], "at "),
        (&["state", "--at", "-0s"], "at "),
        (&["events", "--since", "-0s"], "from "),
        (&["events", "--until", "-0s"], "until "),
        (&["history", "hall.lamp", "--since", "-0s"], "from "),
        (&["replay", "--since", "-0s", "--mapping", &folder], "from "),
    ] {
        let output = run(words.iter().copied().chain(["--state", &state]), "");
        let mut lines = output.stderr.lines();
        let told = lines.any(|line| line.starts_with(word) && line.contains(today));
        assert!(told, "{words:?}: {output:?}");
    }
    let answer = dispatcher.ask(&["why", "hall.lamp", "--at", "2026-01-01"]);
    assert!(answer.stderr.starts_with("on 2026-01-01\n"), "{answer:?}");
}

#[test]
fn who_sets_records_or_lets_in_something_by_its_old_name_hears_the_one_of_today() {
    let house = House::new(HOUSE);
    let dispatcher = house.start();
    set(&dispatcher, "night", "true");
    let renamed = HOUSE.replace("night", "dark").replace("hall", "floor");
    let light = renamed.replace("[rule.lamp]", "[rule.light]");
    for (text, name) in [
        (renamed, "var.night -> var.dark"),
        (light, "rule.lamp -> rule.light"),
    ] {
        let said = dispatcher.mark();
        house.write("mapping.toml", &text);
        let told = dispatcher.says(said, "are in force");
        assert!(told.contains(name), "{told}");
    }
    let folder = house.folder().display().to_string();
    let out = house.state().join("x.identity").display().to_string();
    let record = ["test", &folder, "--record", "x", "--since", "-1h"];
    let of = |more: [&'static str; 2]| [&record[..], &more[..]].concat();
    for (words, said) in [
        (
            vec!["set", "night", "false"],
            "var.night is called var.dark now\n",
        ),
        (
            vec!["set", "var.night", "false"],
            "var.night is called var.dark now\n",
        ),
        (
            of(["--rule", "lamp"]),
            "rule.lamp is called rule.light now\n",
        ),
        (of(["--device", "hall"]), "hall is called floor now\n"),
        (
            vec!["user", "add", "x", "--device", "hall"],
            "hall is called floor now\n",
        ),
        (
            vec!["device", "add", "hall", "--out", &out],
            "hall is called floor now\n",
        ),
    ] {
        let refused = dispatcher.ask(&words);
        assert_eq!(refused.code, Some(1), "{words:?}: {refused:?}");
        assert!(refused.stderr.ends_with(said), "{words:?}: {refused:?}");
    }
}
