//! Commands that read and change a house's files, without a dispatcher.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use crate::harness::{House, PIANO_AND_LAMPS, iot_control, run, until};

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../mapping/tests/fixtures/house")
}

fn folder_of(house: &House) -> String {
    house.folder().display().to_string()
}

#[test]
fn a_schema_holds_the_house_s_names() {
    let house = House::copy(&fixture());
    let printed = run(["schema", &folder_of(&house)], "").ok();
    let schema = printed.json();
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    for name in [
        "\"piano.keys.press\"",
        "\"hall.lamp.toggle\"",
        "\"movie\"",
        "\"hall-off\"",
    ] {
        assert!(printed.stdout.contains(name), "{name}");
    }
    let written = run(["schema", &folder_of(&house), "--write"], "").ok();
    assert!(
        written.stdout.trim_end().ends_with("mapping.schema.json"),
        "{written:?}"
    );
    assert_eq!(house.read("mapping.schema.json"), printed.stdout);
    // What lies beside the mapping is no part of it.
    run(["check", &folder_of(&house)], "").ok();
}

#[test]
fn a_house_with_mistakes_has_a_schema_and_no_house_has_none() {
    let house = House::copy(&fixture());
    house.write("rules.toml", &house.read("bad.toml"));
    let printed = run(["schema", &folder_of(&house)], "").ok();
    assert!(printed.stderr.contains("does not check"), "{printed:?}");
    assert!(printed.stdout.contains("\"hall.motion.start\""));
    let none = run(["schema", "/nowhere"], "");
    assert_eq!(none.code, Some(1));
    assert!(none.stderr.contains("iot-control schema HOUSE"), "{none:?}");
}

#[test]
fn a_house_goes_out_as_json_and_comes_back() {
    let exported = run(["export", "--json", &fixture().display().to_string()], "").ok();
    assert_eq!(exported.json()["rule"]["middle-c"]["if"], "event.key == 60");
    let new = House::new("format = 1\n");
    let into = new.folder().join("copy").display().to_string();
    let imported = run(["import", "-", "--into", &into], &exported.stdout).ok();
    assert_eq!(imported.stdout.lines().count(), 4, "{imported:?}");
    run(["check", &into], "").ok();
    let tested = run(["test", &into], "").ok();
    assert!(tested.stdout.contains("8 passed"), "{tested:?}");
    let again = run(["export", "--json", &into], "").ok();
    assert_eq!(again.stdout, exported.stdout);

    let refused = run(["import", "-", "--into", &into], &exported.stdout);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("--force"), "{refused:?}");
    run(
        ["import", "-", "--into", &into, "--force"],
        &exported.stdout,
    )
    .ok();
}

#[test]
fn mistakes_in_json_are_told_with_their_place_and_nothing_is_written() {
    let house = House::new("format = 1\n");
    let into = house.folder().join("copy");
    let json = r#"{"rule": {"x": {"when": "hall.b.press", "do": []}}}"#;
    let args = ["import", "-", "--into", &into.display().to_string()];
    let refused = run(args, json);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused
            .stderr
            .contains("error at /rule/x/when: there is no device or group `hall`"),
        "{refused:?}"
    );
    let machine = run([&args[..], &["--json"]].concat(), json);
    assert_eq!(machine.code, Some(1));
    assert_eq!(machine.json()[0]["at"], "/rule/x/when");
    assert!(!into.exists());
}

#[test]
fn a_house_with_mistakes_is_not_exported() {
    let house = House::copy(&fixture());
    house.write("rules.toml", &house.read("bad.toml"));
    let refused = run(["export", "--json", &folder_of(&house)], "");
    assert_eq!((refused.code, &*refused.stdout), (Some(1), ""));
    assert!(refused.stderr.contains("did you mean"), "{refused:?}");
}

#[test]
fn a_rename_that_is_killed_is_finished_by_the_next_command_or_never_began() {
    const ROUNDS: usize = 12;
    let rules = |file: usize| {
        let rule = |at| {
            format!(
                "[rule.r{file}-{at}]\nwhen = \"hall.motion.start\"\ndo = \"hall.lamp.on\" # r{at}\n"
            )
        };
        (0..40).map(rule).collect::<String>()
    };
    let house = House::new(
        "format = 1\ninclude = [\"rules/*.toml\"]\n[device.hall]\nid = 1\nio.lamp = { kind = \"switch\" }\nio.motion = { kind = \"motion\" }\n",
    );
    for file in 0..6 {
        house.write(&format!("rules/r{file}.toml"), &rules(file));
    }
    let folder = folder_of(&house);
    let note = house.folder().join(".iot-control-edit");
    let mut names = ["hall", "floor"];
    for round in 0..ROUNDS {
        let mut child = iot_control()
            .args(["rename", &folder, names[0], names[1]])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // As soon as its note is there, or after it has ended by itself.
        until("the end of a rename, or its note", || {
            (note.exists() || child.try_wait().unwrap().is_some()).then_some(())
        });
        drop(child.kill());
        child.wait().unwrap();
        run(["check", &folder], "").ok();
        assert!(!note.exists());
        let all: String = (0..6)
            .map(|file| house.read(&format!("rules/r{file}.toml")))
            .chain([house.read("mapping.toml")])
            .collect();
        let has = names.map(|name| all.contains(&format!("{name}.lamp")));
        assert_ne!(has[0], has[1], "round {round}: {all}");
        if has[1] {
            names.reverse();
        }
    }
}

#[test]
fn whatever_reads_or_writes_a_house_first_finishes_an_edit_of_it() {
    const NOTE: &str = ".iot-control-edit";
    const READY: &str = ".rules.toml.999999999-0.new";
    let fixture = House::copy(&fixture());
    let json = run(["export", "--json", &folder_of(&fixture)], "").ok();
    let tried = fixture.folder().display().to_string();
    let commands: [&[&str]; 8] = [
        &["check", "HOUSE"],
        &["test", "HOUSE"],
        &["schema", "HOUSE"],
        &["export", "HOUSE"],
        &["import", "-", "--into", "HOUSE", "--force"],
        &["edit", "disable", "HOUSE", "doorbell-like", "--dry-run"],
        &["rename", "HOUSE", "hall", "floor", "--dry-run"],
        &[
            "replay",
            "--mapping",
            "HOUSE",
            "--since",
            "-1h",
            "--state",
            &tried,
        ],
    ];
    for command in commands {
        let house = House::copy(&self::fixture());
        // As a process leaves it that is killed behind its note.
        let rules = format!("# finished\n{}", house.read("rules.toml"));
        house.write(READY, &rules);
        house.write(
            NOTE,
            &format!("{{\"files\":[{{\"from\":\"{READY}\",\"to\":\"rules.toml\"}}]}}"),
        );
        let folder = folder_of(&house);
        let words = command.iter().map(|word| match *word {
            "HOUSE" => folder.as_str(),
            word => word,
        });
        let done = run(words, &json.stdout);
        assert!(
            done.stderr.contains("was interrupted"),
            "{command:?}: {done:?}"
        );
        assert!(!house.folder().join(NOTE).exists(), "{command:?}");
        assert!(!house.folder().join(READY).exists(), "{command:?}");
        if command[0] != "import" {
            assert_eq!(house.read("rules.toml"), rules, "{command:?}");
        }
    }
}

#[test]
fn an_edit_changes_its_line_and_a_dry_run_none() {
    let house = House::copy(&fixture());
    let folder = folder_of(&house);
    let before = house.read("rules.toml");
    let edit = [
        "edit",
        "set",
        &folder,
        "/rule/doorbell-like/limit",
        "1 per 20s",
    ];
    let dry = run([&edit[..], &["--dry-run"]].concat(), "").ok();
    assert!(
        dry.stdout
            .contains("- limit = \"1 per 30s\"\n+ limit = \"1 per 20s\"\n"),
        "{dry:?}"
    );
    assert_eq!(house.read("rules.toml"), before);
    let done = run(edit, "").ok();
    assert_eq!(done.stdout, dry.stdout);
    let after = before.replace("\"1 per 30s\"", "\"1 per 20s\"");
    assert_eq!(house.read("rules.toml"), after);
    let again = run(edit, "").ok();
    assert!(again.stderr.contains("it is so already"), "{again:?}");

    run(["edit", "disable", &folder, "middle-c"], "").ok();
    let rule = r#"{"when": "desk.button.press", "do": "desk.lamp.on"}"#;
    run(
        [
            "edit",
            "add-rule",
            &folder,
            "desk-on",
            rule,
            "--after",
            "any-piano-key",
        ],
        "",
    )
    .ok();
    run(["edit", "remove", &folder, "/rule/living-fallback"], "").ok();
    let text = house.read("rules.toml");
    assert!(
        text.contains("enabled = false\n\n[rule.any-piano-key]"),
        "{text}"
    );
    assert!(text.contains("[rule.desk-on]\nwhen = \"desk.button.press\"\ndo = \"desk.lamp.on\"\n\n[rule.velocity-dims]"));
    assert!(!text.contains("living-fallback"));
    run(["check", &folder], "").ok();
}

#[test]
fn an_edit_that_would_break_the_house_is_refused() {
    let house = House::copy(&fixture());
    let folder = folder_of(&house);
    let before = house.read("rules.toml");
    for (edit, word) in [
        (
            ["edit", "set", &folder, "/rule/middle-c/do", "hall.lamp.onn"],
            "did you mean `on`",
        ),
        (
            ["edit", "set", &folder, "/rule/middle-d/x/y", "1"],
            "`x` is no key of a rule",
        ),
        (["edit", "set", &folder, "rule.", "1"], "no path"),
        (
            ["edit", "set", &folder, "rules.middle-c.if", "1"],
            "did you mean /rule/middle-c/if?",
        ),
        (
            ["rename", &folder, "hall", "desk", "--dry-run"],
            "there is a device `desk` already",
        ),
        (
            ["rename", &folder, "halll", "x1", "--dry-run"],
            "did you mean `hall`?",
        ),
    ] {
        let refused = run(edit, "");
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.stderr.contains(word), "{refused:?}");
    }
    assert_eq!(house.read("rules.toml"), before);
}

#[test]
fn a_rename_goes_through_rules_scenes_groups_and_tests() {
    let house = House::copy(&fixture());
    let folder = folder_of(&house);
    house.write(
        "blocklist.toml",
        "# the hall\n[[block]]\ndevice = \"hall\"\n",
    );
    let files = ["house.toml", "rules.toml", "hall.test.toml"];
    let before = files.map(|file| house.read(file));
    let dry = run(["rename", &folder, "hall", "floor", "--dry-run"], "").ok();
    assert!(dry.stdout.contains("rules.toml:"), "{dry:?}");
    assert_eq!(files.map(|file| house.read(file)), before);
    let done = run(["rename", &folder, "hall", "floor"], "").ok();
    assert!(done.stderr.contains("iot/floor/.."), "{done:?}");
    run(["check", &folder], "").ok();
    assert!(run(["test", &folder], "").ok().stdout.contains("8 passed"));
    assert_eq!(
        house.read("blocklist.toml"),
        "# the hall\n[[block]]\ndevice = \"floor\"\n"
    );
    assert!(!house.read("rules.toml").contains("\"hall."));
    let light = run(["rename", &folder, "floor.lamp", "floor.light"], "").ok();
    assert!(
        light.stdout.contains("+ do   = \"floor.light.on\""),
        "{light:?}"
    );
    let timer = run(["rename", &folder, "hall-off", "floor-off"], "").ok();
    assert_eq!(timer.stdout.matches("\n+ ").count(), 2, "{timer:?}");
    run(["rename", &folder, "floor-off", "hall-off"], "").ok();
    run(["rename", &folder, "floor.light", "lamp"], "").ok();
    run(["rename", &folder, "floor", "hall"], "").ok();
    assert_eq!(files.map(|file| house.read(file)), before);
    let moved = run(["rename", &folder, "hall.lamp", "desk.light"], "");
    assert!(moved.stderr.contains("can't move it"), "{moved:?}");
}

#[test]
fn what_a_json_or_an_argument_quotes_can_t_act_on_a_terminal() {
    let json = r#"{"format":1,"device":{"a\u001b]0;pwn\u0007":{"id":1}},"\u001b[2J":{}}"#;
    let house = House::copy(&fixture());
    let folder = folder_of(&house);
    let into = house.state();
    let into = into.to_str().unwrap();
    for (words, input) in [
        (vec!["import", "-", "--into", into], json),
        (vec!["rename", &folder, "hall", "\u{1b}[2Jx"], ""),
        (vec!["rename", &folder, "\u{1b}[2Jx", "y"], ""),
    ] {
        let refused = run(words, input);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(!refused.stderr.contains('\u{1b}'), "{refused:?}");
        assert!(refused.stderr.contains("\\u001b"), "{refused:?}");
    }
    house.write(
        "a.test.toml",
        "[test.a]\nsteps = [{ log = \"\\u001b[2J\" }]\n",
    );
    let failed = run(["test", &folder], "");
    assert!(failed.stdout.contains("\\u001b[2J"), "{failed:?}");
    assert!(!failed.stdout.contains('\u{1b}'), "{failed:?}");
}

#[test]
fn an_edit_after_which_tests_fail_is_written_and_says_that_a_running_house_keeps_its_mapping() {
    let house = House::copy(&fixture());
    let folder = folder_of(&house);
    let edit = ["edit", "set", &folder, "rule.hall-motion.if", "\"false\""];
    let dry = run([&edit[..], &["--dry-run"]].concat(), "");
    assert_eq!(dry.code, Some(3), "{dry:?}");
    assert!(
        dry.stderr
            .contains("with this edit the house's tests fail: "),
        "{dry:?}"
    );
    let edited = run(edit, "");
    assert_eq!(edited.code, Some(3), "{edited:?}");
    for said in [
        "FAILED  ",
        "it is written, but the house's tests fail: ",
        "; a running house keeps the mapping it has",
    ] {
        assert!(edited.stderr.contains(said), "{said}: {edited:?}");
    }
    run(["check", &folder], "").ok();
    let exported = run(["export", &folder], "").ok().json();
    assert_eq!(exported["rule"]["hall-motion"]["if"], "false");
}

#[test]
fn a_rule_with_tests_is_switched_off_and_its_tests_are_skipped() {
    const LACK: &str =
        "warning: test motion-light-restarts-its-timer needs the rule hall-motion, which is off\n";
    let house = House::copy(&fixture());
    let folder = folder_of(&house);
    let off = run(["edit", "disable", &folder, "hall-motion"], "").ok();
    assert!(off.stderr.contains(LACK), "{off:?}");
    let checked = run(["check", &folder], "").ok();
    assert!(checked.stderr.contains(LACK), "{checked:?}");
    let tested = run(["test", &folder], "").ok();
    let line = "skipped motion-light-restarts-its-timer  (hall.test.toml:2): it needs the rule hall-motion, which is off\n";
    assert!(tested.stdout.contains(line), "{tested:?}");
    assert!(tested.stdout.contains(", 0 failed, "), "{tested:?}");
    let found = run(["check", &folder, "--json"], "").ok().json();
    let mut found = found.as_array().expect("a list").iter();
    let skipped = found.find(|found| found["code"] == "test-skipped");
    let skipped = skipped.expect("machines are told");
    assert_eq!(skipped["severity"], "warning");
    let told = run(["test", &folder, "--json"], "").ok().json();
    assert!(told["skipped"].as_u64().is_some_and(|skipped| skipped > 0));
    let json = run(["export", "--json", &folder], "").ok();
    let into = house.folder().join("copy").display().to_string();
    let imported = run(["import", "-", "--into", &into], &json.stdout).ok();
    assert!(imported.stderr.contains(LACK), "{imported:?}");
    let enabled = run(["edit", "enable", &folder, "hall-motion"], "").ok();
    assert_eq!(enabled.stderr, "", "{enabled:?}");
}

#[test]
fn an_edit_of_a_house_whose_tests_failed_before_says_so() {
    let house = House::copy(&fixture());
    let folder = folder_of(&house);
    house.write(
        "a.test.toml",
        "[test.a]\nsteps = [{ expect = [\"hall.lamp.on\"] }]\n",
    );
    let renamed = run(["rename", &folder, "hall", "floor"], "");
    assert_eq!(renamed.code, Some(3), "{renamed:?}");
    let said = "the house's tests fail: a, as before; a running house keeps the mapping it has";
    assert!(renamed.stderr.contains(said), "{renamed:?}");
}

#[test]
fn an_import_whose_tests_fail_is_written_and_says_so() {
    let exported = run(["export", &fixture().display().to_string()], "").ok();
    let mut json = exported.json();
    json["rule"]["hall-motion"]["if"] = "false".into();
    let new = House::new("format = 1\n");
    let into = new.folder().join("copy").display().to_string();
    let imported = run(["import", "-", "--into", &into], &json.to_string());
    assert_eq!(imported.code, Some(3), "{imported:?}");
    let said = "it is written, but the house's tests fail: ";
    assert!(imported.stderr.contains(said), "{imported:?}");
    run(["check", &into], "").ok();
    let args = ["import", "-", "--into", &into, "--force", "--json"];
    let told = run(args, &json.to_string());
    assert_eq!(told.code, Some(3), "{told:?}");
    let told = told.json();
    let failing = told.as_array().unwrap().iter();
    let mut failing = failing.filter(|problem| problem["code"] == "test-fails");
    let first = failing.next().expect("one fails");
    assert!(
        first["at"].as_str().unwrap().starts_with("/test/"),
        "{first}"
    );
    assert_eq!(first["severity"], "error");
}

#[test]
fn an_edit_of_a_house_that_did_not_check_says_so_and_not_that_tests_fail() {
    let house = House::new(&PIANO_AND_LAMPS.replace("kind = \"button\"", "kind = \"buton\""));
    let folder = house.folder().display().to_string();
    let renamed = run(["rename", &folder, "hall", "floor"], "");
    assert_eq!(renamed.code, Some(3), "{renamed:?}");
    let said = "the house does not check, as before; a running house keeps the mapping it has";
    assert!(renamed.stderr.contains(said), "{renamed:?}");
    assert!(!renamed.stderr.contains("tests fail"), "{renamed:?}");
}
