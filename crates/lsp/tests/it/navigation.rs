//! Where names are declared and mentioned, and renaming them.

use serde_json::{Value as Json, json};

use crate::harness::{DEVICES, Editor, RULES};

fn places(answer: &Json, editor: &Editor) -> Vec<String> {
    let folder = format!("file://{}/", editor.folder().display());
    let all = answer
        .as_array()
        .unwrap_or_else(|| panic!("{answer}"))
        .iter();
    let show = |place: &Json| {
        let name = place["uri"]
            .as_str()
            .expect("a uri")
            .trim_start_matches(&folder)
            .to_owned();
        let start = &place["range"]["start"];
        format!("{name} {}:{}", start["line"], start["character"])
    };
    all.map(show).collect()
}

#[test]
fn a_name_leads_to_its_declaration() {
    for (from, to, expected) in [
        ("hall.lamp.on", "hall.la|mp.on", "devices.toml 8:3"),
        ("hall.lamp.on", "ha|ll.lamp.on", "devices.toml 5:8"),
        ("hall.lamp.on", "hall.lamp.o|n", "devices.toml 8:3"),
        ("desk.keys.press", "desk.keys.pr|ess", "devices.toml 16:3"),
        ("event.key", "event.ke|y", "devices.toml 16:3"),
        ("var.night", "var.ni|ght", "devices.toml 22:0"),
        ("\"movie\"", "\"mo|vie\"", "devices.toml 25:7"),
        ("timer = \"hall", "timer = \"h|all", "rules.toml 3:33"),
    ] {
        let mut editor = Editor::new();
        let marked = RULES.replacen(from, to, 1);
        let answer = editor.ask_at("textDocument/definition", "rules.toml", &marked, &json!({}));
        assert_eq!(places(&answer, &editor), [expected], "{marked}");
    }
}

#[test]
fn what_an_own_kind_brings_leads_to_the_kind() {
    let kind =
        "[kind.siren]\nevents.rang = {}\n[device.roof]\nid = 9\nio.bell = { kind = \"siren\" }\n";
    let rule = "[rule.x]\nwhen = \"roof.bell.ra|ng\"\ndo = \"hall.lamp.on\"\n";
    let mut editor = Editor::new();
    let marked = format!("{kind}{rule}");
    let answer = editor.ask_at("textDocument/definition", "rules.toml", &marked, &json!({}));
    assert_eq!(places(&answer, &editor), ["rules.toml 0:6"]);
    let marked = marked
        .replace('|', "")
        .replace("kind = \"siren\"", "kind = \"si|ren\"");
    let answer = editor.ask_at(
        "textDocument/rename",
        "rules.toml",
        &marked,
        &json!({ "newName": "bell" }),
    );
    let edits = answer["changes"][editor.uri("rules.toml")]
        .as_array()
        .expect("a list")
        .clone();
    assert_eq!(edits.len(), 2, "{edits:?}");
}

#[test]
fn all_mentions_of_a_name_are_found() {
    let mut editor = Editor::new();
    let marked = DEVICES.replacen("io.lux", "io.l|ux", 1);
    let mut ask = |declaration: bool| {
        let context = json!({ "context": { "includeDeclaration": declaration } });
        let answer = editor.ask_at("textDocument/references", "devices.toml", &marked, &context);
        places(&answer, &editor)
    };
    let all = ask(true);
    assert_eq!(
        all,
        [
            "devices.toml 10:3",
            "rules.toml 2:17",
            "tests/house.test.toml 1:25"
        ]
    );
    assert_eq!(ask(false), all[1..]);
}

#[test]
fn a_rename_changes_all_files() {
    let mut editor = Editor::new();
    editor.write("blocklist.toml", "[[block]]\ndevice = \"hall\" # 𝄞\n");
    let marked = RULES.replacen("hall.lamp.on", "ha|ll.lamp.on", 1);
    let prepared = editor.ask_at(
        "textDocument/prepareRename",
        "rules.toml",
        &marked,
        &json!({}),
    );
    assert_eq!(prepared["placeholder"], "hall");
    assert_eq!(
        prepared["range"]["start"],
        json!({ "line": 3, "character": 7 })
    );
    let new = json!({ "newName": "floor" });
    let answer = editor.ask_at("textDocument/rename", "rules.toml", &marked, &new);
    let changes = answer["changes"].as_object().expect("changes");
    assert_eq!(changes.len(), 4, "{changes:?}");
    let mut texts = std::collections::BTreeMap::new();
    for (uri, edits) in changes {
        let path = uri.trim_start_matches("file://");
        let text = std::fs::read_to_string(path).expect("it is there");
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        for edit in edits.as_array().expect("a list") {
            let line =
                &mut lines[edit["range"]["start"]["line"].as_u64().expect("a line") as usize];
            assert_eq!(
                edit["range"]["end"]["character"],
                line.encode_utf16().count()
            );
            *line = edit["newText"].as_str().expect("a text").to_owned();
        }
        let name = path
            .trim_start_matches(&format!("{}/", editor.folder().display()))
            .to_owned();
        texts.insert(name, lines.join("\n") + "\n");
    }
    assert_eq!(
        texts["blocklist.toml"],
        "[[block]]\ndevice = \"floor\" # 𝄞\n"
    );
    texts.remove("blocklist.toml");
    texts.insert(
        "mapping.toml".to_owned(),
        "format = 1\ninclude = [\"devices.toml\", \"rules.toml\"]\n".to_owned(),
    );
    let loaded = mapping::load_texts(texts);
    assert!(!loaded.has_errors(), "{:?}", loaded.diagnostics);
}

#[test]
fn what_can_t_be_renamed_says_why() {
    let mut editor = Editor::new();
    let device = RULES.replacen("hall.lamp.on", "ha|ll.lamp.on", 1);
    for (marked, name, word) in [
        (device.clone(), "desk", "already"),
        (device, "no name", "can't be a name"),
        (
            RULES.replacen("hall.lamp.on", "hall.lamp.o|n", 1),
            "x1",
            "no name of its own",
        ),
    ] {
        let new = json!({ "newName": name });
        let answer = editor.raw_at("textDocument/rename", "rules.toml", &marked, &new);
        let message = answer["error"]["message"].as_str().unwrap_or_default();
        let refused = message.contains(word)
            || word == "no name of its own" && message.contains("nothing that has a name");
        assert!(refused, "{answer}");
    }
    let command = RULES.replacen("hall.lamp.on", "hall.lamp.o|n", 1);
    let prepared = editor.ask_at(
        "textDocument/prepareRename",
        "rules.toml",
        &command,
        &json!({}),
    );
    assert_eq!(prepared, Json::Null);
}

#[test]
fn a_rename_that_adds_a_line_hands_over_the_whole_text() {
    let marked = DEVICES.replacen("night", "ni|ght", 1);
    let mut editor = Editor::new();
    let answer = editor.ask_at(
        "textDocument/rename",
        "devices.toml",
        &marked,
        &json!({ "newName": "dark" }),
    );
    let changes = answer["changes"].as_object().expect("changes").values();
    let added = changes.flat_map(|edits| edits.as_array().expect("a list"));
    let added: Vec<&str> = added.filter_map(|edit| edit["newText"].as_str()).collect();
    let line = "[renamed]\n\"var.night\" = \"var.dark\"\n";
    assert!(added.iter().any(|text| text.ends_with(line)), "{added:?}");
}

#[test]
fn the_name_of_today_beside_an_old_one_leads_to_its_declaration() {
    let marked = format!("{RULES}\n[renamed]\n\"var.dark\" = \"var.ni|ght\"\n");
    let mut editor = Editor::new();
    let answer = editor.ask_at("textDocument/definition", "rules.toml", &marked, &json!({}));
    assert_eq!(places(&answer, &editor), ["devices.toml 22:0"]);
}
