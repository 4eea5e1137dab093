//! Greetings, farewells, and messages out of turn.

use std::io::Cursor;

use lsp::{Server, serve};
use lsp_server::{Message, Notification, Request};
use serde_json::{Value as Json, json};

fn request(id: i32, method: &str, params: Json) -> Message {
    let method = method.to_owned();
    Message::Request(Request {
        id: id.into(),
        method,
        params,
    })
}

fn notification(method: &str) -> Message {
    let method = method.to_owned();
    Message::Notification(Notification {
        method,
        params: json!({}),
    })
}

fn code(server: &mut Server, message: Message) -> i64 {
    let answers = server.handle(message);
    answers[0]["error"]["code"].as_i64().unwrap_or(0)
}

#[test]
fn messages_out_of_turn_are_refused() {
    let mut server = Server::new(Box::new(()));
    assert_eq!(
        code(&mut server, request(1, "textDocument/hover", json!({}))),
        -32002
    );
    assert_eq!(code(&mut server, request(2, "initialize", json!({}))), 0);
    assert_eq!(
        code(&mut server, request(3, "initialize", json!({}))),
        -32600
    );
    assert_eq!(
        code(
            &mut server,
            request(4, "textDocument/foldingRange", json!({}))
        ),
        -32601
    );
    assert_eq!(
        code(
            &mut server,
            request(5, "textDocument/hover", json!({ "position": 3 }))
        ),
        -32602
    );
    assert_eq!(code(&mut server, request(6, "shutdown", Json::Null)), 0);
    assert_eq!(
        code(&mut server, request(7, "textDocument/hover", json!({}))),
        -32600
    );
    assert!(!server.is_over());
    assert!(server.handle(notification("exit")).is_empty());
    assert!(server.is_over() && server.is_shut_down());
}

#[test]
fn an_editor_that_can_is_asked_to_watch_files() {
    let watch =
        json!({ "workspace": { "didChangeWatchedFiles": { "dynamicRegistration": true } } });
    for (capabilities, asked) in [(watch, 1), (json!({}), 0), (json!({ "workspace": 3 }), 0)] {
        let mut server = Server::new(Box::new(()));
        let hello = json!({ "capabilities": capabilities });
        drop(server.handle(request(1, "initialize", hello)));
        let messages = server.handle(notification("initialized"));
        assert_eq!(messages.len(), asked, "{capabilities}");
        for message in messages {
            assert_eq!(message["method"], "client/registerCapability");
        }
        assert!(server.handle(notification("initialized")).is_empty());
    }
}

#[test]
fn files_of_no_house_have_no_answers() {
    let mut server = Server::new(Box::new(()));
    drop(server.handle(request(1, "initialize", json!({}))));
    for uri in [
        "file:///nowhere/x.toml",
        "untitled:1",
        "http://x",
        "file:///",
    ] {
        let document = json!({ "uri": uri, "languageId": "toml", "version": 1, "text": "x = 1" });
        let method = "textDocument/didOpen".to_owned();
        let params = json!({ "textDocument": document });
        drop(server.handle(Message::Notification(Notification { method, params })));
        let at =
            json!({ "textDocument": { "uri": uri }, "position": { "line": 0, "character": 0 } });
        for method in ["completion", "hover", "definition", "prepareRename"] {
            let answers = server.handle(request(2, &format!("textDocument/{method}"), at.clone()));
            assert_eq!(answers[0]["result"], Json::Null, "{uri}");
        }
    }
    assert_eq!(server.idle(), [Json::Null; 0]);
}

fn framed(bodies: &[Json]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for body in bodies {
        let body = body.to_string();
        bytes.extend(format!("Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes());
    }
    bytes
}

/// What comes out, and whether it ended in good order.
fn talk(bytes: Vec<u8>) -> (std::io::Result<bool>, String) {
    let mut out = Vec::new();
    let done = serve(Cursor::new(bytes), &mut out, Box::new(()));
    (done, String::from_utf8(out).expect("it is JSON"))
}

#[test]
fn a_conversation_ends_with_exit_or_with_its_input() {
    let hello = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {} });
    let shutdown = json!({ "jsonrpc": "2.0", "id": 2, "method": "shutdown" });
    let exit = json!({ "jsonrpc": "2.0", "method": "exit" });
    let (done, out) = talk(framed(&[hello.clone(), shutdown, exit.clone()]));
    assert!(matches!(done, Ok(true)));
    assert_eq!(out.matches("Content-Length").count(), 2);
    assert!(out.contains("\"positionEncoding\":\"utf-16\""));
    assert!(matches!(talk(framed(&[hello.clone(), exit])).0, Ok(false)));
    assert!(matches!(
        talk(framed(std::slice::from_ref(&hello))).0,
        Ok(false)
    ));
    let mut strange = b"Content-Length: 1\r\n\r\n{".to_vec();
    strange.extend(framed(&[hello]));
    let (done, out) = talk(strange);
    assert!(matches!(done, Ok(false)));
    assert!(
        out.contains("-32700") && out.contains("capabilities"),
        "{out}"
    );
    assert!(talk(b"hello\n\n".to_vec()).0.is_err());
}
