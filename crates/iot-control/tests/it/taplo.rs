//! The schema in the language server that editors have for TOML: taplo, as Even Better TOML runs it.

use std::{path::Path, process::Command};

use serde_json::{Value as Json, json};

use crate::harness::{Editor, House, peers_folder, place, run, say_if_missing};

fn is_installed() -> bool {
    let package = peers_folder().join("node_modules/@taplo/lsp/package.json");
    let node = Command::new("node").arg("--version").output().is_ok();
    say_if_missing("taplo", node && package.is_file())
}

/// A house with its schema, and an editor beside it.
fn editor(house: &House) -> Editor {
    let folder = house.folder();
    run(["schema", &folder.display().to_string(), "--write"], "").ok();
    let agent = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/agents/taplo.cjs");
    let mut server = Command::new("node");
    server
        .arg(agent)
        .env("NODE_PATH", peers_folder().join("node_modules"));
    let root = format!("file://{}", folder.display());
    let hello = json!({
        "processId": null,
        "rootUri": root,
        "workspaceFolders": [{ "uri": root, "name": "house" }],
        "capabilities": { "workspace": { "configuration": true, "workspaceFolders": true } },
        "initializationOptions": { "configurationSection": "evenBetterToml" },
    });
    Editor::start(&mut server, &hello).0
}

/// The house's mapping with the schema at its top and something more at its end.
fn text(house: &House, more: &str) -> String {
    format!(
        "#:schema ./mapping.schema.json\n{}\n{more}",
        house.read("mapping.toml")
    )
}

fn uri(house: &House, name: &str) -> String {
    format!("file://{}", house.folder().join(name).display())
}

/// What is wrong with a file, once the schema was looked at.
fn complaints(editor: &mut Editor, uri: &str) -> Vec<String> {
    // It tells of the syntax first, then twice of nothing, then of the schema.
    loop {
        let found = editor.diagnostics(uri);
        if !found.is_empty() {
            let message = |found: &Json| found["message"].as_str().unwrap_or_default().to_owned();
            return found.iter().map(message).collect();
        }
    }
}

#[test]
fn a_typo_is_refused_as_it_is_typed() {
    if !is_installed() {
        return;
    }
    let house = House::with_rules("");
    let mut editor = editor(&house);
    for (number, (more, word)) in [
        ("[rule.x]\nwehn = \"desk.button.press\"\ndo = \"hall.lamp.on\"\n", "'wehn' was unexpected"),
        ("[rule.x]\nwhen = \"desk.button.perss\"\ndo = \"hall.lamp.on\"\n", "\"desk.button.perss\""),
        ("[rule.x]\nwhen = \"desk.button.press\"\ndo = { set = \"hall.lamp\", brightness = 101 }\n", "101"),
        ("[device.x]\nid = 9\nio.l = { kind = \"dimer\" }\n", "\"dimer\""),
        ("[device.x]\nid = 9\nio.l = { kind = \"dimmer\", debounce_ms = 3 }\n", "debounce_ms"),
    ]
    .into_iter()
    .enumerate()
    {
        let uri = uri(&house, &format!("{number}.toml"));
        editor.open(&uri, &text(&house, more));
        let found = complaints(&mut editor, &uri);
        assert!(found.iter().any(|found| found.contains(word)), "{more}: {found:?}");
    }
}

#[test]
fn keys_events_commands_and_scenes_are_completed() {
    if !is_installed() {
        return;
    }
    let scene = "[scene.evening]\nhall.lamp = { brightness = 20 }\n[rule.use]\nwhen = \"desk.button.click\"\ndo = { scene = \"evening\" }\n";
    let house = House::with_rules(scene);
    let mut editor = editor(&house);
    for (number, (more, at, expected)) in [
        ("[rule.x]\n\n", "[rule.x]\n", &["when", "limit", "if"][..]),
        (
            "[rule.x]\nwhen = \"\"\n",
            "[rule.x]\nwhen = \"",
            &[
                "\"desk.button.press\"",
                "\"hall.motion.start\"",
                "\"*.offline\"",
            ],
        ),
        (
            "[rule.x]\ndo = \"\"\n",
            "[rule.x]\ndo = \"",
            &["\"hall.lamp.on\"", "\"desk.lamp.toggle\""],
        ),
        (
            "[rule.x]\ndo = { scene = \"\" }\n",
            "[rule.x]\ndo = { scene = \"",
            &["\"evening\""],
        ),
        (
            "[device.x]\nio.l = { kind = \"\" }\n",
            "[device.x]\nio.l = { kind = \"",
            &["\"dimmer\"", "\"button\""],
        ),
        ("[device.x]\n\n", "[device.x]\n", &["id", "board", "room"]),
    ]
    .into_iter()
    .enumerate()
    {
        let uri = uri(&house, &format!("{number}.toml"));
        let text = text(&house, more);
        editor.open(&uri, &text);
        // It knows of the schema once it has complained about what is not finished.
        complaints(&mut editor, &uri);
        let answer = editor.ask("textDocument/completion", &place(&uri, &text, at));
        let items = answer["items"]
            .as_array()
            .or(answer.as_array())
            .expect("a list")
            .iter();
        let labels: Vec<&str> = items.filter_map(|item| item["label"].as_str()).collect();
        for label in expected {
            assert!(
                labels.contains(label),
                "{more}: {label} is not in {labels:?}"
            );
        }
    }
}
