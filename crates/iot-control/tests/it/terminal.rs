//! A house in which every text acts: on a terminal by C0 and C1 controls, on the reader's eyes by turning the direction of writing.
//! No command prints any of it as it is.

use serde_json::{Value as Json, json};

use crate::harness::{Dispatcher, Editor, House, Kind, Output, iot_control, place, run};

/// Clears a terminal in eight bits, and turns what follows around in two ways.
const ACTS: &str = "A\u{9b}2J\u{202e}\u{2066}\u{85}Z";

/// The same as files and payloads may have it, with what no TOML may hold as it is.
const ESCAPED: &str = r"\u001b]0;PWN\u0007\u007f";

const HOUSE: &str = r#"
format = 1
# ACTS
[home]
timezone = "Europe/Berlin"

[kind.parrot]
target.says = "text"
state.hears = "text"
events.word = { text = "text" }

[device.d]
id = 1
room = "ACTS"
board = "esp32-c3"
io.a = { kind = "parrot" }
io.b = { kind = "parrot" }

[var]
word = { kind = "text", start = "ACTS" }
mood = { kind = "text", values = ["calm", "ACTS"], start = "calm" }

[rule.repeat]
note = "ACTS"
when = "d.a.word"
if   = "event.text != 'ACTS!' && var.word != 'ACTS?'"
do   = [
  { set = "d.b", says = "${event.text}" },
  { var = "word", to = "${event.text}" },
  { notify = "all", text = "ACTS ${event.text}" },
]

[rule.never]
when = "d.a.word"
if   = "state.d.a.hears == 'ACTS'"
do   = { set = "d.b", says = "ACTS" }
"#;

const TESTS: &str = r#"
[test.fails]
steps = [
  { event = "d.a.word", with = { text = "ACTS" }, expect = [{ set = "d.b", says = "ACTS." }], log = "ACTS" },
]
"#;

fn acting(text: &str) -> String {
    text.replace("ACTS", &format!("{ACTS}{ESCAPED}"))
}

fn acts(c: char) -> bool {
    let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    (c.is_control() && c != '\n') || turns
}

#[track_caller]
fn harmless(of: &str, text: &str) {
    let found: Vec<char> = text.chars().filter(|c| acts(*c)).collect();
    assert!(found.is_empty(), "{of}: {found:?} in {text:?}");
}

/// What a command prints, of which nothing acts.
#[track_caller]
fn printed(words: &[&str], output: &Output) -> String {
    let text = format!("{}{}", output.stdout, output.stderr);
    harmless(&words.join(" "), &text);
    text
}

/// A house that checks, and whose one test fails.
fn house() -> House {
    let house = House::new(&acting(HOUSE));
    house.write("tests/a.test.toml", &acting(TESTS));
    house
}

#[test]
fn what_reads_a_house_prints_nothing_of_it_that_acts() {
    let house = house();
    let folder = house.folder().display().to_string();
    let shown = |words: &[&str]| {
        let output = run(words, "");
        (output.code, printed(words, &output))
    };
    for (words, code) in [
        (&["check", &folder][..], 0),
        (&["check", &folder, "--json"], 0),
        (&["test", &folder], 1),
        (&["test", &folder, "--json"], 1),
        (&["export", "--json", &folder], 0),
        (&["schema", &folder], 0),
        (&["edit", "disable", &folder, "never", "--dry-run"], 3),
        (
            &[
                "edit",
                "set",
                &folder,
                "rule.never.note",
                "--dry-run",
                &acting("ACTS"),
            ],
            3,
        ),
        (&["rename", &folder, "word", "saying", "--dry-run"], 3),
        (&["rename", &folder, "word", ACTS], 1),
    ] {
        let (ended, text) = shown(words);
        assert_eq!(ended, Some(code), "{words:?}: {text}");
    }
    // What machines read is the same text still.
    let exported = run(["export", "--json", &folder], "").json();
    let note = exported["rule"]["never"]["do"]["says"].as_str();
    assert!(
        note.is_some_and(|note| note.starts_with(ACTS)),
        "{exported}"
    );
}

#[test]
fn a_complaint_points_at_its_place_in_a_line_that_is_shown_escaped() {
    let house = House::new("");
    let mapping = acting(HOUSE).replace("d.a.hears ==", "d.a.herrs ==");
    // In a comment, in a name, in a text, in front of what is wrong and behind it.
    let mapping = mapping.replace("[rule.never]", &format!("[rule.\"n{ACTS}\"]"));
    let mapping = mapping.replace("io.a = {", &format!("io.\"{ACTS}\" = 'x{ACTS}', io.a = {{"));
    house.write("mapping.toml", &mapping);
    let folder = house.folder().display().to_string();
    for words in [
        &["check", &folder][..],
        &["check", &folder, "--json"],
        &["test", &folder],
        &["export", &folder, "--json"],
    ] {
        let output = run(words, "");
        assert_eq!(output.code, Some(1), "{output:?}");
        printed(words, &output);
    }

    let line = format!("x = '{ACTS}' # {ACTS}\nif = \"state.d.a.herrs == '{ACTS}'\"");
    let mapping = acting(HOUSE).replace("if   = \"state.d.a.hears == 'ACTS'\"", &line);
    let mapping = mapping.replacen(
        &acting("if   = \"state.d.a.hears == 'ACTS'\""),
        &format!("if = \"'{ACTS}' == state.d.a.herrs\" # {ACTS}"),
        1,
    );
    house.write("mapping.toml", &mapping);
    let told = run(["check", &folder], "").stderr;
    let lines: Vec<&str> = told.lines().collect();
    let at = lines
        .iter()
        .rposition(|line| line.contains("state.d.a.herrs"));
    let at = at.unwrap_or_else(|| panic!("{told}"));
    let (quoted, below) = (lines[at], lines[at + 1]);
    let column =
        |line: &str, part: &str| line.split(part).next().map(|before| before.chars().count());
    assert_eq!(column(quoted, "herrs"), column(below, "^^^^^"), "{told}");
}

#[test]
fn what_runs_and_what_is_asked_about_it_prints_nothing_that_acts() {
    let house = house();
    let tests = house.folder().join("tests");
    std::fs::remove_dir_all(tests).unwrap();
    let dispatcher = Dispatcher::start_with(&house, &[], &[("STREAM", "on")]);
    let mut device = dispatcher.device_client(Kind::RumqttcV5, "d", &["iot/d/b/target"]);
    let json = |text: &str| acting(text).replace('\u{85}', "\\u0085");
    device.publish("iot/d/a/state", &json(r#"{"hears":"ACTS"}"#));
    device.publish("iot/d/a/event", &json(r#"{"event":"word","text":"ACTS"}"#));
    for refused in [
        r#"{"event":"ACTS"}"#,
        r#"{"event":"word","ACTS":1}"#,
        r#"{"hears":["ACTS"]}"#,
        "ACTS",
    ] {
        device.publish("iot/d/a/event", &json(refused));
    }
    device.publish(&format!("iot/d/{}/event", ACTS.replace('\u{85}', "")), "x");
    dispatcher.prints("rule repeat");
    for words in [
        &["events", "--since", "-1h"][..],
        &["events", "--since", "-1h", "--json"],
        &["state"],
        &["state", "--json"],
        &["history", "d.a.hears", "--since", "-1h"],
        &["history", "d.a.hears", "--since", "-1h", "--json"],
        &["why", "d.b"],
        &["why", "d.b", "--json"],
        &["why", "var.word"],
        &["why", "notify"],
        &["why-not", "never"],
        &["why-not", "never", "--json"],
        &["device", "list"],
        &["device", "show", "d"],
        &["device", "show", "d", "--json"],
        &["status"],
        &["status", "--json"],
        &["user", "list"],
    ] {
        let output = dispatcher.ask(words).ok();
        printed(words, &output);
    }
    for wrong in [
        vec!["why", ACTS],
        vec!["why-not", ACTS],
        vec!["history", ACTS, "--since", "-1h"],
        vec!["state", "--at", ACTS],
        vec!["device", "show", ACTS],
        vec!["device", "block", ACTS],
        vec!["press", ACTS],
        vec!["events", "--filter", ACTS],
        vec!["user", "add", ACTS, "--tool"],
    ] {
        let output = dispatcher.ask(&wrong);
        assert_eq!(output.code, Some(1), "{output:?}");
        printed(&wrong, &output);
    }
    let folder = house.folder().display().to_string();
    let state = house.state().display().to_string();
    for words in [
        vec!["replay", "--mapping", &folder, "--since", "-1h"],
        vec!["test", &folder, "--record", "what", "--since", "-1h"],
    ] {
        let output = run(words.iter().copied().chain(["--state", &state]), "");
        printed(&words, &output);
    }
    // An edit whose warning quotes all of it.
    let mark = dispatcher.mark();
    house.write(
        "mapping.toml",
        &acting(&HOUSE.replace("!= 'ACTS?'", "!= 1")),
    );
    dispatcher.says(mark, "not in force");
    harmless("stdout", &dispatcher.printed());
    harmless("stderr", &dispatcher.said(0));
}

#[test]
fn an_editor_is_shown_nothing_that_acts() {
    let house = house();
    let uri = format!("file://{}", house.folder().join("mapping.toml").display());
    let mut server = iot_control();
    server
        .args(["lsp", "--stdio", "--state"])
        .arg(house.state());
    let (mut editor, _) = Editor::start(&mut server, &json!({ "capabilities": {} }));
    let text = acting(HOUSE).replace("when = \"d.a.word\"", &format!("when = \"d.a.{ACTS}\""));
    editor.open(&uri, &text);
    let told = editor.diagnostics(&uri);
    assert!(told.len() >= 3, "{told:?}");
    told.iter().for_each(harmless_json);
    editor.open(&uri, &acting(HOUSE));
    let text = acting(HOUSE);
    for word in ["[rule.nev", "wor", "moo", "d.a.hear", "[rule.rep"] {
        let hover = editor.ask("textDocument/hover", &place(&uri, &text, word));
        harmless_json(&hover["contents"]);
    }
    let hover = editor.ask("textDocument/hover", &place(&uri, &text, "[rule.nev"));
    let said = hover["contents"]["value"].as_str().unwrap_or_default();
    assert!(said.contains(r"\u009b2J\u202e"), "{said}");
}

fn harmless_json(value: &Json) {
    match value {
        Json::String(text) => harmless("the editor", text),
        Json::Array(values) => values.iter().for_each(harmless_json),
        Json::Object(values) => values.values().for_each(harmless_json),
        _ => {}
    }
}
