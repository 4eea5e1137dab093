//! Whatever an editor's plugin sends, the server answers or ends; it does not panic.

use std::io::Cursor;

use lsp::serve;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::harness::{DEVICES, Editor, RULES};

const METHODS: &[&str] = &[
    "initialize",
    "shutdown",
    "textDocument/didOpen",
    "textDocument/didChange",
    "textDocument/didClose",
    "textDocument/didSave",
    "textDocument/completion",
    "textDocument/hover",
    "textDocument/definition",
    "textDocument/references",
    "textDocument/rename",
    "textDocument/prepareRename",
    "workspace/didChangeWatchedFiles",
    "$/cancelRequest",
    "",
];

fn json_value() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        prop::sample::select(vec![
            "file:///x/mapping.toml",
            "",
            "toml",
            "file://",
            "\u{0}",
            "ä𝄞",
            "1",
            "file:///%"
        ])
        .prop_map(Json::from),
    ];
    let keys = prop::sample::select(vec![
        "textDocument",
        "uri",
        "position",
        "line",
        "character",
        "text",
        "version",
        "languageId",
        "contentChanges",
        "range",
        "newName",
        "context",
        "includeDeclaration",
        "changes",
        "type",
        "start",
        "end",
    ]);
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::vec((keys.clone(), inner), 0..6).prop_map(|all| all
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect::<serde_json::Map<_, _>>()
                .into()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..200), length in any::<u64>()) {
        let mut framed = format!("Content-Length: {length}\r\n\r\n").into_bytes();
        framed.extend(&bytes);
        let _ = serve(Cursor::new(bytes), &mut Vec::new(), Box::new(()));
        let _ = serve(Cursor::new(framed), &mut Vec::new(), Box::new(()));
    }

    #[test]
    fn any_messages_get_answers(messages in prop::collection::vec((prop::sample::select(METHODS), json_value(), any::<bool>()), 1..12)) {
        let mut bytes = Vec::new();
        let hello = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {} });
        let messages = messages.into_iter().enumerate().map(|(id, (method, params, asks))| {
            let mut message = json!({ "jsonrpc": "2.0", "method": method, "params": params });
            if asks {
                message["id"] = json!(id + 1);
            }
            message
        });
        let mut asked = 0;
        for message in std::iter::once(hello).chain(messages) {
            asked += usize::from(message.get("id").is_some());
            let body = message.to_string();
            bytes.extend(format!("Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes());
        }
        let mut out = Vec::new();
        let done = serve(Cursor::new(bytes), &mut out, Box::new(()));
        prop_assert!(done.is_ok());
        let out = String::from_utf8(out).expect("it is JSON");
        prop_assert_eq!(out.matches("\"id\":").count(), asked, "{}", out);
    }

    #[test]
    fn any_place_of_a_damaged_file_gets_answers(
        at in 0_usize..2_000,
        cut in 0_usize..40,
        noise in "[\\PC\n]{0,5}",
        line in 0_u32..60,
        character in 0_u32..90,
        rules in any::<bool>(),
    ) {
        let (name, text) = if rules { ("rules.toml", RULES) } else { ("devices.toml", DEVICES) };
        let mut text = text.to_owned();
        let at = at % text.len();
        let end = (at + cut).min(text.len());
        text.replace_range(at..end, &noise);
        let mut editor = Editor::new();
        editor.open(name, &text);
        let place = json!({
            "textDocument": { "uri": editor.uri(name) },
            "position": { "line": line, "character": character },
            "context": { "includeDeclaration": true },
            "newName": "zz9",
        });
        for method in ["completion", "hover", "definition", "references", "prepareRename", "rename"] {
            let answer = editor.raw(&format!("textDocument/{method}"), place.clone());
            prop_assert!(answer.get("result").is_some() || answer.get("error").is_some());
        }
        editor.published();
    }
}

#[test]
fn positions_beyond_everything_are_its_end() {
    let mut editor = Editor::new();
    editor.open("rules.toml", RULES);
    for (line, character) in [(u32::MAX, u32::MAX), (0, u32::MAX), (u32::MAX, 0)] {
        let at = json!({
            "textDocument": { "uri": editor.uri("rules.toml") },
            "position": { "line": line, "character": character },
        });
        editor.ask("textDocument/completion", at.clone());
        editor.ask("textDocument/hover", at);
    }
}
