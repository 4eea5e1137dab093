//! A house in a folder, and an editor with its files open.

use std::{fs, path::Path};

use lsp::{Server, Values};
use lsp_server::{Message, Notification, Request};
use mapping::index::Symbol;
use serde_json::{Value as Json, json};
use tempfile::TempDir;

/// A small house with one of everything.
pub(crate) const DEVICES: &str = r#"[home]
timezone = "Europe/Berlin"
latitude = 52.5
longitude = 13.4

[device.hall]
id = 21
board = "esp32-c3"
io.lamp = { kind = "dimmer", pin = 4 }
io.motion = { kind = "motion", pin = 5 }
io.lux = { kind = "lux", one_wire = 6 }

[device.desk]
id = 22
io.lamp = { kind = "switch" }
io.button = { kind = "button" }
io.keys = { kind = "keyboard" }

[group]
lights = ["hall.lamp", "desk.lamp"]

[var]
night = { kind = "bool", keep = true }
mood = { kind = "text", values = ["calm", "loud"] }

[scene.movie]
hall.lamp = { brightness = 10 }
desk.lamp = { on = false }
"#;

pub(crate) const RULES: &str = r#"[rule.hall-motion]
when = "hall.motion.start"
if = "state.hall.lux < 50 && !var.night"
do = ["hall.lamp.on", { start = "hall-off", for = "5m" }]

[rule.hall-off]
when = { timer = "hall-off" }
do = "hall.lamp.off"

[rule.key]
when = "desk.keys.press"
if = "event.key == 60"
do = { scene = "movie" }
"#;

pub(crate) const TESTS: &str = r#"[test.motion]
given = { state = { hall.lux = 12 } }
steps = [{ event = "hall.motion.start", expect = ["hall.lamp.on"] }]
"#;

/// An editor.
pub(crate) struct Editor {
    house: TempDir,
    server: Server,
    next: i32,
}

impl Editor {
    /// An editor that has said hello, beside the house.
    pub(crate) fn new() -> Self {
        Self::with_values(Box::new(()))
    }

    pub(crate) fn with_values(values: Box<dyn Values>) -> Self {
        let house = tempfile::tempdir().expect("a folder");
        let mut editor = Self {
            house,
            server: Server::new(values),
            next: 0,
        };
        let include = "format = 1\ninclude = [\"devices.toml\", \"rules.toml\"]\n";
        editor.write("mapping.toml", include);
        editor.write("devices.toml", DEVICES);
        editor.write("rules.toml", RULES);
        editor.write("tests/house.test.toml", TESTS);
        editor.ask("initialize", json!({ "capabilities": {} }));
        editor.tell("initialized", json!({}));
        editor
    }

    pub(crate) fn folder(&self) -> &Path {
        self.house.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.folder().join(name);
        fs::create_dir_all(path.parent().expect("it has one")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    pub(crate) fn uri(&self, name: &str) -> String {
        format!("file://{}", self.folder().join(name).display())
    }

    /// Asks; out comes the whole answer.
    pub(crate) fn raw(&mut self, method: &str, params: Json) -> Json {
        self.next += 1;
        let method = method.to_owned();
        let request = Request {
            id: self.next.into(),
            method,
            params,
        };
        let mut answers = self.server.handle(Message::Request(request));
        assert_eq!(answers.len(), 1);
        let answer = answers.remove(0);
        assert_eq!(answer["id"], self.next);
        answer
    }

    /// Asks; out comes the result.
    pub(crate) fn ask(&mut self, method: &str, params: Json) -> Json {
        let mut answer = self.raw(method, params);
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].take()
    }

    pub(crate) fn tell(&mut self, method: &str, params: Json) {
        let method = method.to_owned();
        let notification = Notification { method, params };
        let answers = self.server.handle(Message::Notification(notification));
        assert_eq!(answers, [Json::Null; 0]);
    }

    pub(crate) fn open(&mut self, name: &str, text: &str) {
        let document =
            json!({ "uri": self.uri(name), "languageId": "toml", "version": 1, "text": text });
        self.tell("textDocument/didOpen", json!({ "textDocument": document }));
    }

    pub(crate) fn change(&mut self, name: &str, text: &str) {
        let document = json!({ "uri": self.uri(name), "version": 2 });
        let changes = json!([{ "text": text }]);
        self.tell(
            "textDocument/didChange",
            json!({ "textDocument": document, "contentChanges": changes }),
        );
    }

    /// Diagnostics that came: file and what is wrong, as `line:column code`.
    pub(crate) fn published(&mut self) -> Vec<(String, Vec<String>)> {
        let folder = format!("file://{}/", self.folder().display());
        let messages = self.server.idle();
        let one = |message: Json| {
            assert_eq!(message["method"], "textDocument/publishDiagnostics");
            let params = &message["params"];
            let name = params["uri"]
                .as_str()
                .expect("a uri")
                .trim_start_matches(&folder)
                .to_owned();
            let found = params["diagnostics"].as_array().expect("a list").iter();
            let show = |found: &Json| {
                let start = &found["range"]["start"];
                let code = found["code"].as_str().expect("a code");
                format!("{}:{} {code}", start["line"], start["character"])
            };
            (name, found.map(show).collect())
        };
        messages.into_iter().map(one).collect()
    }

    pub(crate) fn idle(&mut self) -> Vec<Json> {
        self.server.idle()
    }

    /// Opens a file with the text and asks at its `|`.
    pub(crate) fn ask_at(&mut self, method: &str, name: &str, marked: &str, more: &Json) -> Json {
        let answer = self.raw_at(method, name, marked, more);
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    pub(crate) fn raw_at(&mut self, method: &str, name: &str, marked: &str, more: &Json) -> Json {
        let (before, after) = marked.split_once('|').expect("a mark");
        self.open(name, &format!("{before}{after}"));
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.matches('\n').count();
        let character = before[line_start..].encode_utf16().count();
        let mut params = json!({
            "textDocument": { "uri": self.uri(name) },
            "position": { "line": line, "character": character },
        });
        if let (Json::Object(params), Json::Object(more)) = (&mut params, more) {
            params.extend(more.clone());
        }
        self.raw(method, params)
    }
}

/// Answers with what it was asked.
pub(crate) struct Echo;

impl Values for Echo {
    fn value(&mut self, folder: &Path, symbol: &Symbol) -> Option<String> {
        assert!(folder.is_absolute());
        matches!(symbol, Symbol::Channel(..) | Symbol::Var(_)).then(|| format!("value of {symbol}"))
    }
}
