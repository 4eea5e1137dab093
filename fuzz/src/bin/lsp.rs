//! Messages of editors: a session of any messages, one a line; each request gets one answer.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lsp::Server;
use lsp_server::Message;
use serde_json::json;

fuzz_target!(|text: &str| {
    let mut server = Server::new(Box::new(()));
    let mut say = |message: Message| {
        let id = match &message {
            Message::Request(request) => Some(json!(request.id)),
            _ => None,
        };
        let answers = server.handle(message);
        let own = answers
            .iter()
            .filter(|answer| answer.get("method").is_none());
        assert_eq!(own.count(), usize::from(id.is_some()));
        let _later = server.idle();
    };
    let opened = json!({ "textDocument": { "uri": "file:///nowhere/mapping.toml", "languageId": "toml", "version": 1, "text": fuzz::HOUSE } });
    let hello = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": { "capabilities": {} } });
    let open = json!({ "jsonrpc": "2.0", "method": "textDocument/didOpen", "params": opened });
    for first in [hello, open] {
        say(serde_json::from_value(first).expect("a message"));
    }
    for line in text.lines().take(20) {
        if let Ok(message) = serde_json::from_str::<Message>(line) {
            say(message);
        }
    }
});
