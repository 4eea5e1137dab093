//! The real binary as a language server over standard input and output.

use serde_json::{Value as Json, json};

use crate::harness::{Dispatcher, Editor, House, iot_control, place};

fn editor_of(house: &House) -> Editor {
    let mut server = iot_control();
    server
        .args(["lsp", "--stdio", "--state"])
        .arg(house.state());
    let (editor, can) = Editor::start(&mut server, &json!({ "capabilities": {} }));
    assert_eq!(can["positionEncoding"], "utf-16");
    editor
}

#[test]
fn a_house_is_written_in_an_editor() {
    let house = House::with_rules("");
    let uri = format!("file://{}", house.folder().join("mapping.toml").display());
    let sound = house.read("mapping.toml");
    let mut editor = editor_of(&house);
    let wrong = sound.replace("hall.lamp.toggle", "hall.lamp.togle");
    editor.open(&uri, &wrong);
    let found = editor.diagnostics(&uri);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["code"], "unknown-command");
    assert!(
        found[0]["message"]
            .as_str()
            .expect("a text")
            .contains("did you mean `toggle`?")
    );

    let completion = editor.ask(
        "textDocument/completion",
        &place(&uri, &wrong, "do = \"hall.lamp.to"),
    );
    let items = completion["items"].as_array().expect("a list");
    assert!(items.iter().any(|item| item["label"] == "hall.lamp.toggle"));

    let document = json!({ "uri": uri, "version": 2 });
    let changes = json!([{ "text": sound }]);
    editor.tell(
        "textDocument/didChange",
        &json!({ "textDocument": document, "contentChanges": changes }),
    );
    assert_eq!(editor.diagnostics(&uri), [Json::Null; 0]);
    let definition = editor.ask(
        "textDocument/definition",
        &place(&uri, &sound, "do = \"hall.lam"),
    );
    assert_eq!(definition[0]["uri"], uri);
    let mut rename = place(&uri, &sound, "do = \"ha");
    rename["newName"] = json!("floor");
    let changes = editor.ask("textDocument/rename", &rename);
    assert!(changes["changes"][&uri].as_array().expect("a list").len() >= 5);
    assert_eq!(editor.end(), Some(0));
}

#[test]
fn hovers_tell_what_runs() {
    let house = House::with_rules(
        "[var]\nnight = { kind = \"bool\", start = true }\n[rule.v]\nwhen = \"desk.button.press\"\nif = \"var.night\"\ndo = \"hall.lamp.on\"\n",
    );
    let uri = format!("file://{}", house.folder().join("mapping.toml").display());
    let text = house.read("mapping.toml");
    let mut editor = editor_of(&house);
    editor.open(&uri, &text);
    let mut hover = |word: &str| {
        let answer = editor.ask("textDocument/hover", &place(&uri, &text, word));
        answer["contents"]["value"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    // Nobody runs it: the same without values.
    assert!(!hover("[device.hal").contains("now:"));
    let dispatcher = Dispatcher::start(&house, &["--simulate"]);
    dispatcher.device_is("hall", "is simulated", |hall| hall["online"] == true);
    dispatcher.ask(&["press", "piano.keys", "key=60"]).ok();
    dispatcher.device_is("hall", "is on", |hall| {
        hall["channels"]["lamp"]["reported"]["on"] == true
    });
    let device = hover("[device.hal");
    assert!(device.ends_with("now: **online**"), "{device}");
    let lamp = hover("do = \"hall.lam");
    assert!(
        lamp.contains("now: **") && lamp.contains("on = true"),
        "{lamp}"
    );
    let var = hover("if = \"var.nigh");
    assert!(var.ends_with("now: **true**"), "{var}");
}

#[test]
fn a_server_without_an_editor_ends() {
    let house = House::with_rules("");
    assert_eq!(editor_of(&house).hang_up(), Some(1));
}
