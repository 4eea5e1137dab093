//! What is told to be wrong, and when.

use serde_json::json;

use crate::harness::{Editor, RULES};

#[test]
fn a_sound_house_is_not_complained_about() {
    let mut editor = Editor::new();
    editor.open("rules.toml", RULES);
    // The variable that nobody reads is a warning.
    let told = editor.published();
    assert_eq!(
        told,
        [(
            "devices.toml".to_owned(),
            vec!["23:0 var-unused".to_owned()]
        )]
    );
    assert_eq!(editor.published(), []);
}

#[test]
fn an_edit_that_was_interrupted_is_finished_before_the_house_is_read() {
    let mut editor = Editor::new();
    let ready = ".rules.toml.999999999-0.new";
    editor.write(ready, RULES);
    editor.write("rules.toml", "[rule.half]\n");
    editor.write(
        ".iot-control-edit",
        &json!({ "files": [{ "from": ready, "to": "rules.toml" }] }).to_string(),
    );
    editor.open("devices.toml", crate::harness::DEVICES);
    let told = editor.published();
    assert!(
        told.iter().all(|(name, _)| name != "rules.toml"),
        "{told:?}"
    );
    let rules = std::fs::read_to_string(editor.folder().join("rules.toml"));
    assert_eq!(rules.unwrap(), RULES);
}

#[test]
fn mistakes_come_as_they_are_typed_and_go_when_they_are_mended() {
    let mut editor = Editor::new();
    editor.open("rules.toml", RULES);
    editor.published();
    // 𝄞 counts as two.
    let wrong = RULES.replace(
        "do = \"hall.lamp.off\"",
        "note = \"𝄞\"\ndo = \"hall.lmap.off\"",
    );
    let wrong = wrong.replace("event.key == 60", "'𝄞' == '𝄞' && event.kye == 60");
    editor.change("rules.toml", &wrong);
    let mut told = editor.published();
    told.retain(|(name, _)| name == "rules.toml");
    let expected = ["8:11 unknown-channel", "12:28 unknown-field"]
        .map(str::to_owned)
        .to_vec();
    assert_eq!(told, [("rules.toml".to_owned(), expected)]);
    editor.change("rules.toml", RULES);
    let told = editor.published();
    assert!(
        told.contains(&("rules.toml".to_owned(), Vec::new())),
        "{told:?}"
    );
}

#[test]
fn they_are_those_of_check() {
    let mut editor = Editor::new();
    let wrong = RULES
        .replace("hall.motion.start", "hall.motion.strat")
        .replace("scene =", "scen =");
    editor.write("rules.toml", &wrong);
    editor.write("blocklist.toml", "[[block]]\ndevise = \"hall\"\n");
    editor.open("devices.toml", crate::harness::DEVICES);
    let mut told: Vec<String> = Vec::new();
    for message in editor.idle() {
        for found in message["params"]["diagnostics"].as_array().expect("a list") {
            let start = &found["range"]["start"];
            told.push(format!(
                "{}:{} {}",
                start["line"],
                start["character"],
                found["message"].as_str().expect("a text")
            ));
        }
    }
    let loaded = mapping::load(editor.folder());
    let blocks = mapping::blocklist::parse("blocklist.toml", "[[block]]\ndevise = \"hall\"\n");
    let mut said: Vec<String> = Vec::new();
    for (sources, diagnostics) in [
        (&loaded.sources, &loaded.diagnostics),
        (&blocks.sources, &blocks.diagnostics),
    ] {
        for found in mapping::findings(sources, diagnostics) {
            let label = if found.label.is_empty() {
                String::new()
            } else {
                format!(" ({})", found.label)
            };
            let help: String = found.help.iter().map(|help| format!("\n{help}")).collect();
            said.push(format!(
                "{}:{} {}{label}{help}",
                found.line - 1,
                found.column - 1,
                found.message
            ));
        }
    }
    told.sort();
    said.sort();
    assert!(told.len() >= 3, "{told:?}");
    assert_eq!(told, said);
}

#[test]
fn a_second_place_comes_along() {
    let mut editor = Editor::new();
    let twice = crate::harness::DEVICES.replace("id = 22", "id = 21");
    editor.open("devices.toml", &twice);
    let messages = editor.idle();
    let found = messages
        .iter()
        .flat_map(|message| message["params"]["diagnostics"].as_array().expect("a list"));
    let found: Vec<_> = found
        .filter(|found| found["code"] == "duplicate-id")
        .collect();
    assert_eq!(found.len(), 1);
    let related = &found[0]["relatedInformation"][0];
    assert_eq!(
        related["location"]["uri"],
        json!(editor.uri("devices.toml"))
    );
    assert_eq!(related["location"]["range"]["start"]["line"], 6);
}

#[test]
fn what_changes_on_the_disk_is_seen() {
    let mut editor = Editor::new();
    editor.open("devices.toml", crate::harness::DEVICES);
    editor.published();
    editor.write("rules.toml", &RULES.replace("\"movie\"", "\"moive\""));
    let change = json!({ "uri": editor.uri("rules.toml"), "type": 2 });
    editor.tell(
        "workspace/didChangeWatchedFiles",
        json!({ "changes": [change] }),
    );
    let told = editor.published();
    assert!(
        told.iter()
            .any(|(name, found)| name == "rules.toml" && found.len() == 1),
        "{told:?}"
    );
}

#[test]
fn a_closed_house_is_forgotten() {
    let mut editor = Editor::new();
    let wrong = RULES.replace("\"movie\"", "\"moive\"");
    editor.open("rules.toml", &wrong);
    assert!(
        editor
            .published()
            .iter()
            .any(|(name, _)| name == "rules.toml")
    );
    let document = json!({ "uri": editor.uri("rules.toml") });
    editor.tell("textDocument/didClose", json!({ "textDocument": document }));
    let told = editor.published();
    assert!(
        told.contains(&("rules.toml".to_owned(), Vec::new())),
        "{told:?}"
    );
    assert!(told.iter().all(|(_, found)| found.is_empty()), "{told:?}");
}
