//! ntfy and webhooks.

use notify::{Carriers, Handed, Ntfy, Secret, Way, Webhook};
use serde_json::{Value as Json, json};

use crate::server::{PATIENCE, Server, carriers};

fn ntfy(port: u16) -> Way {
    Way::Ntfy(Ntfy {
        server: format!("http://127.0.0.1:{port}"),
        topic: "house-4711".into(),
        token: Some("tk_s3cret".into()),
        ca: None,
    })
}

fn webhook(port: u16) -> Way {
    Way::Webhook(Webhook {
        url: Secret::from(format!("http://127.0.0.1:{port}/hooks/s3cret?to=anna")),
        field: "content".into(),
        token: None,
        ca: None,
    })
}

/// Head and JSON of a request.
fn parts(request: &str) -> (String, Json) {
    let (head, body) = request.split_once("\n\n").unwrap();
    (head.to_lowercase(), serde_json::from_str(body).unwrap())
}

fn hand(carriers: &Carriers, text: &str) {
    assert_eq!(carriers.hand("phone", text), Handed::Queued);
}

#[test]
fn ntfy_gets_the_text_for_its_topic() {
    let server = Server::start(|_, talk| Some(talk.http("200 OK", "")));
    let carriers = carriers(ntfy(server.port));
    hand(&carriers, "hall went offline.");
    let (head, body) = parts(&server.heard());
    assert!(head.starts_with("post / http/1.1\n"), "{head}");
    assert!(head.contains("\nauthorization: bearer tk_s3cret"), "{head}");
    assert_eq!(
        body,
        json!({ "topic": "house-4711", "title": "iot-control", "message": "hall went offline." })
    );
    assert!(carriers.finish(PATIENCE));
    assert!(server.heard_nothing_more());
}

#[test]
fn a_webhook_gets_the_text_in_its_field_and_its_address_whole() {
    let server = Server::start(|_, talk| Some(talk.http("204 No Content", "")));
    let carriers = carriers(webhook(server.port));
    hand(&carriers, "one");
    hand(&carriers, "two");
    for text in ["one", "two"] {
        let (head, body) = parts(&server.heard());
        assert!(head.starts_with("post /hooks/s3cret?to=anna http/1.1\n"));
        assert!(!head.contains("authorization"));
        assert_eq!(body, json!({ "content": text }));
    }
    assert!(carriers.finish(PATIENCE));
}

#[test]
fn no_text_gets_out_of_its_field() {
    let hostile = [
        "x\r\nX-Evil: 1\r\n\r\nGET / HTTP/1.1",
        "\",\"topic\":\"other\",\"x\":\"",
        "\0\u{1b}[2J\u{7f}",
        "\u{202e}txet",
        "${event.device}",
    ];
    let server = Server::start(|_, talk| Some(talk.http("200 OK", "")));
    let carriers = carriers(ntfy(server.port));
    for text in hostile {
        hand(&carriers, text);
        let (head, body) = parts(&server.heard());
        assert!(!head.contains("evil"), "{head}");
        assert_eq!(body["topic"], "house-4711");
        assert_eq!(body["message"], notify::text::body(text));
        assert_eq!(body.as_object().unwrap().len(), 3);
    }
    assert!(carriers.finish(PATIENCE));
}

#[test]
fn a_server_that_is_busy_or_away_is_asked_again() {
    let server = Server::start(|number, talk| match number {
        // Hangs up, is busy, and then takes it.
        0 => None,
        1 => Some(talk.http("503 Service Unavailable", "Retry-After: 1\r\n")),
        _ => Some(talk.http("200 OK", "")),
    });
    let carriers = carriers(webhook(server.port));
    hand(&carriers, "it burns");
    for _ in 0..2 {
        assert_eq!(parts(&server.heard()).1, json!({ "content": "it burns" }));
    }
    assert!(carriers.finish(PATIENCE));
    assert!(server.heard_nothing_more());
}

#[test]
fn a_server_that_refuses_is_not_asked_again() {
    let server = Server::start(|number, talk| {
        Some(match number {
            0 => talk.http("403 Forbidden", ""),
            _ => talk.http("200 OK", ""),
        })
    });
    let carriers = carriers(webhook(server.port));
    hand(&carriers, "refused");
    hand(&carriers, "taken");
    assert_eq!(parts(&server.heard()).1, json!({ "content": "refused" }));
    assert_eq!(parts(&server.heard()).1, json!({ "content": "taken" }));
    assert!(carriers.finish(PATIENCE));
    assert!(server.heard_nothing_more());
}

#[test]
fn a_redirect_is_not_followed_and_takes_no_token_along() {
    for status in [
        "301 Moved",
        "302 Found",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        let elsewhere = Server::start(|_, talk| Some(talk.http("200 OK", "")));
        let to = format!("Location: http://127.0.0.1:{}/\r\n", elsewhere.port);
        let server = Server::start(move |_, talk| Some(talk.http(status, &to)));
        let carriers = carriers(ntfy(server.port));
        hand(&carriers, "x");
        server.heard();
        assert!(carriers.finish(PATIENCE));
        assert!(elsewhere.heard_nothing_more(), "{status}");
        assert!(server.heard_nothing_more(), "{status}");
    }
}

#[test]
fn what_is_no_http_is_survived() {
    let server = Server::start(|number, talk| match number {
        0 => {
            talk.line();
            talk.say("220 mail.example.org ESMTP\r\n");
            None
        }
        1 => {
            talk.line();
            talk.say("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n");
            None
        }
        _ => Some(talk.http("200 OK", "")),
    });
    let carriers = carriers(webhook(server.port));
    hand(&carriers, "first");
    hand(&carriers, "second");
    let mut last = String::new();
    while last != "second" {
        last = parts(&server.heard()).1["content"]
            .as_str()
            .unwrap()
            .to_owned();
    }
    assert!(carriers.finish(PATIENCE));
}
