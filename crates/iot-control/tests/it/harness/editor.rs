//! An editor: talks with a language server over its standard input and output.

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde_json::{Value as Json, json};

/// An editor that talks with the server.
pub struct Editor {
    server: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    next: u32,
}

impl Editor {
    /// Starts a server and says hello; out comes what it can do, too.
    pub fn start(server: &mut Command, hello: &Json) -> (Self, Json) {
        let mut server = server
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it is installed");
        let mut editor = Self {
            input: server.stdin.take(),
            output: BufReader::new(server.stdout.take().expect("it is piped")),
            server,
            next: 0,
        };
        let mut can = editor.ask("initialize", hello);
        editor.tell("initialized", &json!({}));
        (editor, can["capabilities"].take())
    }

    fn send(&mut self, message: &Json) {
        let body = message.to_string();
        let input = self.input.as_mut().expect("it is open");
        write!(input, "Content-Length: {}\r\n\r\n{body}", body.len()).expect("it reads");
    }

    /// The next message that is no question.
    fn read(&mut self) -> Json {
        loop {
            let message = self.read_any();
            let Some(method) = message["method"]
                .as_str()
                .filter(|_| message.get("id").is_some())
            else {
                return message;
            };
            // Schemas on, and no catalogue from the net.
            let settings = json!({ "schema": { "enabled": true, "catalogs": [] } });
            let result = match (method, message["params"]["items"].as_array()) {
                ("workspace/configuration", Some(items)) => vec![settings; items.len()].into(),
                _ => Json::Null,
            };
            self.send(&json!({ "jsonrpc": "2.0", "id": message["id"], "result": result }));
        }
    }

    fn read_any(&mut self) -> Json {
        let mut length = 0;
        loop {
            let mut line = String::new();
            self.output.read_line(&mut line).expect("it writes");
            match line.trim_end().split_once(": ") {
                Some(("Content-Length", value)) => length = value.parse().expect("a number"),
                _ => break,
            }
        }
        let mut body = vec![0; length];
        self.output.read_exact(&mut body).expect("it writes");
        serde_json::from_slice(&body).expect("it is JSON")
    }

    /// Tells.
    pub fn tell(&mut self, method: &str, params: &Json) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    /// Asks, and leaves aside what comes before the answer.
    pub fn ask(&mut self, method: &str, params: &Json) -> Json {
        self.next += 1;
        let id = self.next;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        loop {
            let message = self.read();
            if message["id"] == id {
                assert!(message.get("error").is_none(), "{message}");
                return message["result"].clone();
            }
        }
    }

    /// Opens a file.
    pub fn open(&mut self, uri: &str, text: &str) {
        let document = json!({ "uri": uri, "languageId": "toml", "version": 1, "text": text });
        self.tell("textDocument/didOpen", &json!({ "textDocument": document }));
    }

    /// Hangs up; out comes the exit code.
    pub fn hang_up(mut self) -> Option<i32> {
        drop(self.input.take());
        self.server.wait().expect("it ends").code()
    }

    /// The diagnostics that come next for a file.
    pub fn diagnostics(&mut self, uri: &str) -> Vec<Json> {
        loop {
            let message = self.read();
            if message["params"]["uri"] == uri {
                return message["params"]["diagnostics"]
                    .as_array()
                    .expect("a list")
                    .clone();
            }
        }
    }

    /// Says goodbye; out comes the exit code.
    pub fn end(mut self) -> Option<i32> {
        assert_eq!(self.ask("shutdown", &Json::Null), Json::Null);
        self.tell("exit", &Json::Null);
        self.server.wait().expect("it ends").code()
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        // It has ended already where the test went well.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// A place behind a word of a text, as the protocol has it.
pub fn place(uri: &str, text: &str, word: &str) -> Json {
    let offset = text.find(word).expect("it is there") + word.len();
    let line = text[..offset].matches('\n').count();
    let start = text[..offset].rfind('\n').map_or(0, |newline| newline + 1);
    let character = text[start..offset].encode_utf16().count();
    json!({ "textDocument": { "uri": uri }, "position": { "line": line, "character": character } })
}
