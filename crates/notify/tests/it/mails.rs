//! Mail, against a server that speaks SMTP as a test wants it.

use notify::{Carriers, Handed, Mail, Security, Way};

use crate::server::{PATIENCE, Server, Talk, carriers};

fn mail(port: u16, security: Security) -> Way {
    Way::Mail(Mail {
        host: "127.0.0.1".into(),
        port: Some(port),
        security,
        user: Some("house".into()),
        password: Some("s3cret".into()),
        from: "iot-control <house@example.org>".into(),
        to: vec!["anna@example.org".into(), "bob@example.org".into()],
        ca: None,
    })
}

/// Speaks SMTP and gives all that it heard, commands and mails. `answer` may answer a command in its own way.
fn smtp(
    talk: &mut Talk,
    extensions: &str,
    answer: impl Fn(&str) -> Option<&'static str>,
) -> String {
    talk.say("220 test ESMTP\r\n");
    let mut heard = String::new();
    loop {
        let line = talk.line();
        heard.push_str(&line);
        heard.push('\n');
        if let Some(said) = answer(&line) {
            talk.say(said);
            continue;
        }
        match line.split(' ').next().unwrap() {
            "" => return heard,
            "EHLO" => talk.say(&format!("250-test\r\n{extensions}250 8BITMIME\r\n")),
            "AUTH" => talk.say("235 welcome\r\n"),
            "DATA" => {
                talk.say("354 go on\r\n");
                loop {
                    let line = talk.line();
                    heard.push_str(&line);
                    heard.push('\n');
                    if line == "." {
                        break;
                    }
                }
                talk.say("250 queued\r\n");
            }
            "QUIT" => {
                talk.say("221 bye\r\n");
                return heard;
            }
            _ => talk.say("250 fine\r\n"),
        }
    }
}

const LOGIN: &str = "250-AUTH PLAIN LOGIN\r\n";

fn hand(carriers: &Carriers, text: &str) {
    assert_eq!(carriers.hand("phone", text), Handed::Queued);
}

#[test]
fn a_mail_goes_to_everybody_with_the_text_in_it() {
    let server = Server::start(|_, talk| Some(smtp(talk, LOGIN, |_| None)));
    let carriers = carriers(mail(server.port, Security::None));
    hand(&carriers, "hall went offline.");
    let heard = server.heard();
    for line in [
        "AUTH PLAIN ",
        "MAIL FROM:<house@example.org>",
        "RCPT TO:<anna@example.org>",
        "RCPT TO:<bob@example.org>",
        "Subject: hall went offline.",
        "\n\nhall went offline.\n",
    ] {
        assert!(heard.contains(line), "{line:?} in {heard}");
    }
    assert!(carriers.finish(PATIENCE));
}

#[test]
fn no_text_becomes_a_command_a_header_or_the_end_of_the_mail() {
    let server = Server::start(|_, talk| Some(smtp(talk, LOGIN, |_| None)));
    let carriers = carriers(mail(server.port, Security::None));
    for hostile in [
        "x\r\n.\r\nMAIL FROM:<evil@example.org>\r\nRCPT TO:<evil@example.org>\r\nDATA\r\nspam\r\n.\r\n",
        "x\nBcc: evil@example.org",
        ".\n.\n..\n",
        "x\r.\rRSET\r",
    ] {
        hand(&carriers, hostile);
        let heard = server.heard();
        let command = |name: &str| heard.lines().filter(|line| line.starts_with(name)).count();
        assert_eq!(
            heard.lines().filter(|line| *line == ".").count(),
            1,
            "{heard}"
        );
        let (before, data) = heard.split_once("\nDATA\n").unwrap();
        assert_eq!(before.matches("MAIL FROM").count(), 1);
        assert_eq!(before.matches("RCPT TO").count(), 2);
        assert_eq!(command("QUIT"), 1);
        let (headers, _) = data.split_once("\n\n").unwrap();
        assert!(
            !headers.lines().any(|line| line.starts_with("Bcc")),
            "{headers}"
        );
        let (_, end) = data.split_once("\n.\n").unwrap();
        assert_eq!(end, "QUIT\n", "{heard}");
    }
    assert!(carriers.finish(PATIENCE));
}

#[test]
fn a_server_that_is_busy_is_asked_again_and_one_that_refuses_is_not() {
    let server = Server::start(|number, talk| {
        let answer = move |line: &str| match number {
            0 if line.starts_with("MAIL") => Some("451 later\r\n"),
            2 if line.starts_with("RCPT") => Some("550 no such user\r\n"),
            _ => None,
        };
        Some(smtp(talk, LOGIN, answer))
    });
    let carriers = carriers(mail(server.port, Security::None));
    for text in ["one", "two", "three"] {
        hand(&carriers, text);
    }
    assert!(!server.heard().contains("\none\n"), "busy");
    assert!(server.heard().contains("\none\n"), "and then not");
    assert!(!server.heard().contains("\ntwo\n"), "refused");
    assert!(server.heard().contains("\nthree\n"));
    assert!(carriers.finish(PATIENCE));
    assert!(server.heard_nothing_more());
}

#[test]
fn no_password_goes_over_a_connection_that_was_to_be_secure_and_is_not() {
    // It offers no STARTTLS, as somebody in between would have it.
    let server = Server::start(|_, talk| Some(smtp(talk, LOGIN, |_| None)));
    let carriers = carriers(mail(server.port, Security::Starttls));
    hand(&carriers, "secret matters");
    let heard = server.heard();
    assert!(heard.starts_with("EHLO"), "{heard}");
    assert!(
        !heard.contains("AUTH") && !heard.contains("MAIL"),
        "{heard}"
    );
    assert!(carriers.finish(PATIENCE));
    // A server that speaks no TLS at all learns nothing either.
    let server = Server::start(|_, talk| {
        talk.say("220 test ESMTP\r\n");
        let first = talk.bytes(1);
        Some(format!("{first:?}"))
    });
    let carriers = self::carriers(mail(server.port, Security::Tls));
    hand(&carriers, "secret matters");
    assert_eq!(server.heard(), "[22]", "the beginning of a TLS handshake");
    assert!(carriers.finish(PATIENCE));
}
