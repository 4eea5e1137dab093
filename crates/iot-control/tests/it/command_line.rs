//! Commands, what they print and how they exit.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
};

use serde_json::json;

use crate::harness::{House, Kind, Output, finish, run};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn example() -> String {
    root().join("examples/piano-house").display().to_string()
}

/// The house whose rules hold eight mistakes.
fn mistaken() -> House {
    let fixtures = root().join("crates/mapping/tests/fixtures/house");
    let house = House::copy(&fixtures);
    house.write("rules.toml", &house.read("bad.toml"));
    house
}

fn folder_of(house: &House) -> String {
    house.folder().display().to_string()
}

#[test]
fn the_example_checks_and_its_tests_pass() {
    let checked = run(["check", &example()], "").ok();
    assert!(
        checked.stderr.is_empty() || !checked.stderr.contains("error"),
        "{checked:?}"
    );
    assert_eq!(
        run(["check", &example(), "--json"], "").ok().json(),
        json!([])
    );

    let tested = run(["test", &example()], "").ok();
    assert!(
        tested.stdout.trim_end().ends_with(" passed, 0 failed"),
        "{tested:?}"
    );
    let json = run(["test", &example(), "--json"], "").ok().json();
    assert_eq!(json["failed"], 0);
    assert!(json["passed"].as_u64().unwrap() >= 8, "{json:#}");

    let one = run(["test", &example(), "--filter", "piano-is-deaf"], "").ok();
    assert!(
        one.stdout.trim_end().ends_with("1 passed, 0 failed"),
        "{one:?}"
    );
}

#[test]
fn every_mistake_of_a_bad_house_is_found_in_one_run_with_its_place() {
    let house = mistaken();
    let checked = run(["check", &folder_of(&house)], "");
    assert_eq!(checked.code, Some(1));
    for (place, text) in [
        ("rules.toml:14:", "did you mean `velocity`?"),
        ("rules.toml:18:", "did you mean `start`?"),
        ("rules.toml:19:", "is a number"),
        ("rules.toml:20:", "did you mean `lamp`?"),
        ("rules.toml:23:", "did you mean `hall-off`?"),
        ("rules.toml:63:", "did you mean `start`?"),
        ("rules.toml:69:", "no command `dim`"),
        ("rules.toml:72:", "did you mean `when`?"),
    ] {
        assert!(
            checked.stderr.contains(place),
            "{place} in {}",
            checked.stderr
        );
        assert!(
            checked.stderr.contains(text),
            "{text} in {}",
            checked.stderr
        );
    }

    let json = run(["check", &folder_of(&house), "--json"], "");
    assert_eq!(json.code, Some(1));
    let problems = json.json();
    let errors = problems.as_array().unwrap().iter();
    let lines: Vec<u64> = errors
        .filter(|problem| problem["severity"] == "error")
        .filter(|problem| problem["labels"][0]["file"] == "rules.toml")
        .map(|problem| problem["labels"][0]["line"].as_u64().unwrap())
        .collect();
    assert_eq!(lines, [14, 18, 19, 20, 23, 63, 69, 72], "{problems:#}");

    let tested = run(["test", &folder_of(&house)], "");
    assert_eq!(tested.code, Some(1), "{tested:?}");
}

#[test]
fn a_test_file_with_mistakes_is_not_tested_but_told_whole() {
    let house = House::new(
        "format = 1\n[device.hall]\nid = 1\nio.button = { kind = \"button\" }\nio.lamp = { kind = \"switch\" }\nio.meter = { kind = \"power\" }\n\
         [rule.a]\nwhen = \"hall.button.press\"\ndo = \"hall.lamp.on\"\n",
    );
    house.write(
        "tests/a.test.toml",
        "[test.fine]\nsteps = [{ event = \"hall.button.press\", expect = [\"hall.lamp.on\"] }]\n\
         [test.odd]\nsteps = [\n\
         { report = \"hall.meter\", with = 1200 },\n\
         { event = \"hall.button.press\", expect = [{ scene = \"night\" }] },\n]\n",
    );
    let tested = run(["test", &folder_of(&house)], "");
    assert_eq!(tested.code, Some(1), "{tested:?}");
    assert!(!tested.stdout.contains("passed"), "{tested:?}");
    let checked = run(["check", &folder_of(&house)], "");
    assert_eq!(checked.code, Some(1));
    for told in [&tested.stderr, &checked.stderr] {
        assert!(told.contains("tests/a.test.toml:5:"), "{told}");
        assert!(told.contains("there is no scene `night`"), "{told}");
    }
    let json = run(["test", &folder_of(&house), "--json"], "");
    assert_eq!(json.code, Some(1));
    let problems = json.json()["problems"].as_array().map(Vec::len);
    assert!(problems.is_some_and(|found| found >= 2), "{json:?}");
}

#[test]
fn a_test_expects_a_scene_as_a_rule_sets_it() {
    let house = House::new(
        "format = 1\n[device.hall]\nid = 1\nio.button = { kind = \"button\" }\nio.lamp = { kind = \"dimmer\" }\nio.fan = { kind = \"switch\" }\n\
         [scene.movie]\nhall.lamp = { on = true, brightness = 10 }\nhall.fan = true\n\
         [rule.a]\nwhen = \"hall.button.press\"\ndo = { scene = \"movie\" }\n",
    );
    let test = |expect: &str| {
        let steps = format!("{{ event = \"hall.button.press\", expect = [{expect}] }}");
        house.write(
            "tests/a.test.toml",
            &format!("[test.a]\nsteps = [{steps}]\n"),
        );
        run(["test", &folder_of(&house)], "")
    };
    test("{ scene = \"movie\" }").ok();
    let missed = test("\"hall.fan.on\"");
    assert_eq!(missed.code, Some(1), "{missed:?}");
    house.write(
        "tests/b.test.toml",
        "[test.b]\nsteps = [{ expect = [{ scene = \"movie\" }] }]\n",
    );
    let nothing = test("{ scene = \"movie\" }");
    assert_eq!(nothing.code, Some(1));
    assert!(
        nothing.stdout.contains("hall.lamp on=true brightness=10"),
        "{nothing:?}"
    );
    // A rename finds it there too.
    let renamed = run(["rename", &folder_of(&house), "movie", "cinema"], "");
    assert_eq!(renamed.code, Some(3), "it fails as before: {renamed:?}");
    assert!(house.read("tests/b.test.toml").contains("cinema"));
}

#[test]
fn check_says_the_same_to_machines_with_the_same_keys_whatever_is_wrong() {
    let house = House::new(
        "[device.hall]\nid = 1\nio.lamp = { kind = \"dimer\" }\n[scene.dark]\nhall.lamp = false\n",
    );
    house.write("blocklist.toml", "[[block]]\nid = 0\n");
    house.write("settings.toml", "[mqtt]\nlistn = []\n");
    let checked = run(["check", &folder_of(&house), "--json"], "");
    assert_eq!(checked.code, Some(1));
    let problems = checked.json();
    let keys: Vec<Vec<&String>> = problems
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| problem.as_object().unwrap().keys().collect())
        .collect();
    assert_eq!(keys.len(), 3, "{problems:#}");
    for keys in keys {
        assert_eq!(keys, ["code", "help", "labels", "message", "severity"]);
    }
    assert_eq!(
        problems[0],
        json!({
            "code": "unknown-kind",
            "severity": "error",
            "message": "there is no kind `dimer`",
            "labels": [{
                "file": "mapping.toml", "line": 3, "column": 20, "end_line": 3, "end_column": 27, "text": "",
            }],
            "help": ["did you mean `dimmer`?"],
        })
    );

    assert_eq!(problems[1]["labels"][0]["file"], "blocklist.toml");
    assert_eq!(problems[2]["code"], "settings");

    // Warnings alone are no failure.
    house.write("blocklist.toml", "");
    house.write("settings.toml", "");
    let mapping = house.read("mapping.toml").replace("dimer", "dimmer");
    house.write(
        "mapping.toml",
        &mapping.replace("hall.lamp = false", "hall.lamp = { on = false }"),
    );
    let warned = run(["check", &folder_of(&house), "--json"], "").ok().json();
    let severities: Vec<_> = warned
        .as_array()
        .unwrap()
        .iter()
        .map(|of| &of["severity"])
        .collect();
    assert!(
        !severities.is_empty() && severities.iter().all(|of| *of == "warning"),
        "{warned:#}"
    );
    let warned = run(["check", &folder_of(&house)], "").ok();
    assert!(warned.stderr.contains("warning["), "{warned:?}");
    assert!(warned.stdout.contains("it checks"), "{warned:?}");
}

#[test]
fn test_tells_machines_what_was_expected_and_what_came() {
    let house = House::with_rules("");
    house.write(
        "tests/a.test.toml",
        "[test.right]\nsteps = [{ expect = [] }]\n[test.wrong]\nsteps = [\n  { at = \"1s\", event = \"piano.keys.press\", with = { key = 60, velocity = 1 }, expect = [\"hall.lamp.off\"] },\n]\n",
    );
    let tested = run(["test", &folder_of(&house), "--json"], "");
    assert_eq!(tested.code, Some(1));
    let json = tested.json();
    assert_eq!((&json["passed"], &json["failed"]), (&json!(1), &json!(1)));
    assert_eq!(
        json["tests"][0],
        json!({ "test": "right", "file": "tests/a.test.toml", "line": 1, "passed": true, "needs": [], "failures": [] })
    );
    let failure = &json["tests"][1]["failures"][0];
    assert_eq!(failure["file"], "tests/a.test.toml");
    assert_eq!(
        (&failure["line"], &failure["at_ms"]),
        (&json!(5), &json!(1_000))
    );
    assert_eq!(failure["unmet"][0]["expected"], "hall.lamp.off");
    let came = failure["unmet"][0]["came"].as_str().unwrap();
    assert!(came.starts_with("hall.lamp on=true"), "{came}");
    for key in ["happened", "missed", "waits"] {
        assert!(failure[key].is_array(), "{key}: {failure:#}");
    }
}

#[test]
fn nothing_that_was_tested_is_no_success_where_somebody_meant_a_test() {
    let house = House::with_rules("");
    let none = run(["test", &folder_of(&house)], "").ok();
    assert!(none.stderr.contains("no test is there"), "{none:?}");
    house.write(
        "tests/a.test.toml",
        "[test.right]\nsteps = [{ expect = [] }]\n",
    );
    let typo = run(["test", &folder_of(&house), "--filter", "rihgt"], "");
    assert_eq!(typo.code, Some(1), "{typo:?}");
    assert!(
        typo.stderr.contains("no test has 'rihgt' in its name"),
        "{typo:?}"
    );
    house.write("tests/b.test.toml", "[test.later]\nsteps = []\n");
    let empty = run(["test", &folder_of(&house)], "");
    assert_eq!(empty.code, Some(1), "{empty:?}");
    for said in [
        "EMPTY   later  (tests/b.test.toml:1): it has no steps",
        "1 passed, 0 failed, 1 without steps",
    ] {
        assert!(empty.stdout.contains(said), "{empty:?}");
    }
    let json = run(["test", &folder_of(&house), "--json"], "").json();
    assert_eq!((&json["passed"], &json["empty"]), (&json!(1), &json!(1)));
}

#[test]
fn files_that_nobody_reads_are_named_once() {
    let house = House::with_rules("");
    house.write("settings.toml", "");
    house.write("rules.tml", "[rule.x]\n");
    house.write("more/lamps.toml", "[device.x]\n");
    house.write("tests/evening.toml", "[test.x]\n");
    house.write(
        "tests/right.test.toml",
        "[test.right]\nsteps = [{ expect = [] }]\n",
    );
    house.write("notes.txt", "");
    house.write(".editor/config.toml", "");
    house.write("other-house/mapping.toml", "format = 1\n");
    let unread = ["more/lamps.toml", "rules.tml", "tests/evening.toml"];
    for command in ["check", "test"] {
        let said = run([command, &folder_of(&house)], "").ok().stderr;
        let named = format!("note: nobody reads {}: ", unread.join(", "));
        assert_eq!(said.matches(&named).count(), 1, "{said}");
    }
    let problems = run(["check", &folder_of(&house), "--json"], "").ok().json();
    let problems = problems.as_array().unwrap().iter();
    let files = problems.filter(|problem| problem["code"] == "unread-file");
    let files: Vec<_> = files
        .map(|problem| problem["labels"][0]["file"].clone())
        .collect();
    assert_eq!(files, unread);
    let tested = run(["test", &folder_of(&house), "--json"], "").ok().json();
    assert_eq!(tested["unread"], json!(unread));
}

#[test]
fn settings_that_name_what_the_house_does_not_have_are_told_by_check() {
    let rule =
        "[rule.ring]\nwhen = \"desk.button.press\"\ndo = { notify = \"fhone\", text = \"x\" }\n";
    let house = House::with_rules(rule);
    assert!(
        !run(["check", &folder_of(&house)], "")
            .ok()
            .stderr
            .contains("fhone")
    );
    house.write(
        "settings.toml",
        "[presence]\nsilence_max.hal = \"1h\"\n[notify.phone]\nkind = \"mqtt\"\n",
    );
    let checked = run(["check", &folder_of(&house)], "").ok();
    for said in [
        "warning: settings.toml: presence.silence_max.hal: the house has no device hal; did you mean hall?",
        "rule ring tells people by fhone",
        "did you mean phone?",
    ] {
        assert!(checked.stderr.contains(said), "{said}: {checked:?}");
    }
    let problems = run(["check", &folder_of(&house), "--json"], "").ok().json();
    let settings = problems.as_array().unwrap().iter();
    let settings = settings.filter(|problem| problem["code"] == "settings");
    assert_eq!(settings.count(), 2, "{problems:#}");
}

#[test]
fn a_file_where_a_house_is_meant_is_answered_with_its_folder() {
    let house = House::with_rules("");
    let file = house.folder().join("mapping.toml").display().to_string();
    let tried = run(["replay", "--since", "-1h", "--mapping", &file], "");
    assert_eq!(tried.code, Some(2), "{tried:?}");
    let said = format!("iot-control replay .. --mapping {}", folder_of(&house));
    assert!(tried.stderr.contains(&said), "{tried:?}");
    for command in ["run", "check", "test", "export", "schema"] {
        let tried = run([command, &file], "");
        assert_eq!(tried.code, Some(1), "{tried:?}");
        let said = format!("iot-control {command} {}", folder_of(&house));
        assert!(tried.stderr.trim_end().ends_with(&said), "{tried:?}");
    }
    let tried = run(["edit", "set", &file, "rule.x.if", "true"], "");
    let said = format!("iot-control edit set {}", folder_of(&house));
    assert!(tried.stderr.contains(&said), "{tried:?}");
}

#[test]
fn two_syntax_errors_and_what_stands_beside_them_are_found_in_one_run() {
    let house = mistaken();
    house.write("rules.toml", &house.read("bad-syntax.toml"));
    let checked = run(["check", &folder_of(&house)], "");
    assert_eq!(checked.code, Some(1));
    for place in ["rules.toml:4:", "rules.toml:6:", "rules.toml:8:"] {
        assert!(
            checked.stderr.contains(place),
            "{place} in {}",
            checked.stderr
        );
    }
    assert!(checked.stderr.contains("onn"), "{}", checked.stderr);
}

#[test]
fn a_house_test_that_fails_shows_what_was_expected_and_what_came() {
    let house = House::with_rules("");
    house.write(
        "tests/wrong.test.toml",
        "[test.wrong]\nsteps = [\n  { event = \"piano.keys.press\", with = { key = 60, velocity = 1 }, expect = [\"hall.lamp.off\"] },\n]\n",
    );
    let tested = run(["test", &folder_of(&house)], "");
    assert_eq!(tested.code, Some(1));
    let said = format!("{}{}", tested.stdout, tested.stderr);
    for text in [
        "tests/wrong.test.toml:3",
        "hall.lamp.off",
        "hall.lamp on=true",
        "0 passed, 1 failed",
    ] {
        assert!(said.contains(text), "{text} in {said}");
    }
}

#[test]
fn a_second_dispatcher_on_the_same_state_is_refused_with_the_pid_of_the_first() {
    let house = House::with_rules("");
    let dispatcher = house.start();
    let second = start_on(&house, "127.0.0.1:0");
    assert_eq!(second.code, Some(1), "{second:?}");
    let pid = dispatcher.pid().to_string();
    assert!(second.stderr.contains(&pid), "{pid} in {second:?}");
    // The first does not mind.
    dispatcher.device_client(Kind::RumqttcV5, "hall", &[]);
}

#[test]
fn a_port_that_is_taken_is_said_with_what_to_do() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let house = House::with_rules("");
    let refused = start_on(&house, &address);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    for text in [&*address, "is taken", "mqtt.listen"] {
        assert!(refused.stderr.contains(text), "{text} in {refused:?}");
    }
}

#[test]
fn a_first_start_tells_commands_that_add_users_as_they_stand() {
    let house = House::with_rules("");
    let mut dispatcher = house.start();
    dispatcher.says(0, "ready in");
    let said = dispatcher.said(0);
    let commands: Vec<Vec<String>> = said
        .lines()
        .filter_map(|line| {
            // As it was started, so that a second terminal finds it.
            let rest = line
                .trim()
                .strip_prefix(env!("CARGO_BIN_EXE_iot-control"))?;
            rest.strip_prefix(" user add ")
        })
        .map(|rest| {
            let (words, _) = rest.split_once('#').expect("it says whom it adds");
            let words = words.split_whitespace().map(str::to_owned);
            ["user", "add"]
                .map(str::to_owned)
                .into_iter()
                .chain(words)
                .collect()
        })
        .collect();
    assert_eq!(commands.len(), 3, "{said}");
    let mut passwords = Vec::new();
    for command in &commands {
        // A person is asked for the password.
        let asks = command
            .iter()
            .all(|word| word != "--device" && word != "--tool");
        let stdin = asks.then_some("--password-stdin");
        let words = command.iter().map(String::as_str).chain(stdin);
        let added = run(words, if asks { "long enough a secret\n" } else { "" });
        assert_eq!(added.code, Some(0), "{added:?}");
        passwords.push(added.stdout.trim().to_owned());
    }
    let users = dispatcher.ask(&["user", "list", "--json"]).ok().json();
    let of_piano = serde_json::json!({ "name": "piano", "kind": "device", "device": "piano" });
    let users = users.as_array().expect("it is a list");
    assert!(users.contains(&of_piano) && users.len() == 3, "{users:#?}");
    assert_eq!(dispatcher.interrupt(), Some(0));
    let again = house.start();
    again.says(0, "ready in");
    assert!(!again.said(0).contains("user add"), "{}", again.said(0));
    for password in passwords.iter().filter(|password| !password.is_empty()) {
        assert!(!again.said(0).contains(password.as_str()));
        assert!(!said.contains(password.as_str()));
    }
}

#[test]
fn commands_without_a_running_dispatcher_say_so() {
    let house = House::with_rules("");
    let state = house.state().display().to_string();
    for words in [
        vec!["device", "list"],
        vec!["device", "show", "hall"],
        vec!["device", "block", "hall"],
        vec!["press", "piano.keys"],
        vec!["set", "night", "true"],
        vec!["events"],
    ] {
        let output = run(words.iter().copied().chain(["--state", &state]), "");
        assert_eq!(output.code, Some(1), "{words:?} {output:?}");
        assert!(
            output.stderr.contains("no dispatcher is running"),
            "{output:?}"
        );
    }
}

#[test]
fn wrong_usage_exits_with_2_and_wrong_settings_with_their_place() {
    assert_eq!(run(["chekc"], "").code, Some(2));
    assert_eq!(run(["device", "block"], "").code, Some(2));
    assert_eq!(
        run(["device", "block", "x", "--as", "ghost"], "").code,
        Some(2)
    );
    assert_eq!(run(["check", "/nowhere"], "").code, Some(1));

    let house = House::with_rules("");
    house.write("settings.toml", "[mqtt]\nlisten = [\"here\"]\n");
    let output = start_on(&house, "127.0.0.1:0");
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stderr.contains("settings.toml"), "{output:?}");
}

#[test]
fn devices_are_shown_to_people_and_machines() {
    let house = House::with_rules("");
    let dispatcher = house.start();
    let mut lamp = dispatcher.device_client(Kind::RumqttcV5, "hall", &[]);
    lamp.publish("iot/hall/lamp/state", r#"{"on":true,"brightness":40}"#);
    let list = dispatcher.ask(&["device", "list"]).ok();
    let lines: Vec<&str> = list.stdout.lines().collect();
    assert_eq!(lines.len(), 4, "{list:?}");
    assert!(lines[0].contains("id") && lines[0].contains("name"));
    assert!(
        lines[2].contains("hall") && lines[2].contains("online"),
        "{list:?}"
    );
    let shown = dispatcher.ask(&["device", "show", "hall"]).ok();
    assert!(shown.stdout.contains("brightness=40"), "{shown:?}");
    let noted = shown.stdout.lines().find(|line| line.contains("noted"));
    assert!(
        noted.is_some_and(|line| line.contains("first reports")),
        "{shown:?}"
    );
    let hall = dispatcher.device("hall");
    assert_eq!(hall["id"], 21);
    assert_eq!(hall["channels"]["lamp"]["kind"], "dimmer");
    assert_eq!(hall["channels"]["lamp"]["reported"]["brightness"], 40);
}

/// `run` on an address where it can't stay.
fn start_on(house: &House, address: &str) -> Output {
    let mut command = crate::harness::iot_control();
    command
        .args(["run", &folder_of(house), "--state"])
        .arg(house.state())
        .env("IOT_CONTROL__WEB__LISTEN", "")
        .env("IOT_CONTROL__MQTT__LISTEN", address);
    finish(command, "")
}
