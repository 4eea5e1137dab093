//! Mail through an SMTP server: one message for each text, in a connection of its own. The library builds
//! headers and body; nothing of a text gets into a header unless it is one clean line.

use std::time::Duration;

use lettre::{
    Message, SmtpTransport, Transport,
    message::{Mailbox, header::ContentType},
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, CertificateStore, Tls, TlsParameters},
    },
};

use crate::{Deliver, Failure, Secret, http, text};

/// How long the server may take for each of its answers.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// A server that takes mail, and from whom to whom.
#[derive(Clone, Debug, PartialEq)]
pub struct Mail {
    /// Name or address of the server.
    pub host: String,
    /// Its port; `None`: the usual one for how it is secured.
    pub port: Option<u16>,
    /// How the connection is secured.
    pub security: Security,
    /// Name it knows us by; goes with the password.
    pub user: Option<String>,
    /// Password.
    pub password: Option<Secret>,
    /// `iot-control <house@example.org>`.
    pub from: String,
    /// Likewise; at least one.
    pub to: Vec<String>,
    /// Certificates (PEM) that are trusted instead of the public ones.
    pub ca: Option<Vec<u8>>,
}

/// How a connection to a mail server is secured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte; usually port 465.
    Tls,
    /// TLS after a greeting, or nothing at all; usually port 587.
    Starttls,
    /// None: for a server on this machine; usually port 25.
    None,
}

pub(crate) fn open(mail: &Mail) -> Result<Deliver, String> {
    let from = mailbox(&mail.from)?;
    let to: Vec<Mailbox> = mail
        .to
        .iter()
        .map(|to| mailbox(to))
        .collect::<Result<_, _>>()?;
    if to.is_empty() {
        return Err("mail needs somebody to go to".to_owned());
    }
    let transport = transport(mail)?;
    let host = mail.host.clone();
    Ok(Box::new(move |text| {
        let message = compose(&from, &to, text)
            .map_err(|error| Failure::Lasting(format!("the mail can't be written: {error}")))?;
        transport
            .send(&message)
            .map(drop)
            .map_err(|error| failure(&host, &error))
    }))
}

fn mailbox(address: &str) -> Result<Mailbox, String> {
    let wrong = || format!("'{}' is no mail address", address.escape_debug());
    if address.chars().any(char::is_control) {
        return Err(wrong());
    }
    address.parse().map_err(|_| wrong())
}

fn transport(mail: &Mail) -> Result<SmtpTransport, String> {
    let host = mail.host.as_str();
    let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':');
    if host.is_empty() || !host.chars().all(is_host) {
        return Err("the host is no name or address of a server".to_owned());
    }
    let tls = || -> Result<TlsParameters, String> {
        let mut tls = TlsParameters::builder(host.to_owned());
        if let Some(pem) = &mail.ca {
            tls = tls.certificate_store(CertificateStore::None);
            for certificate in http::certificates(pem)? {
                let certificate = Certificate::from_der(certificate.der().to_vec())
                    .map_err(|_| "the certificates (ca) can't be read".to_owned())?;
                tls = tls.add_root_certificate(certificate);
            }
        }
        tls.build()
            .map_err(|_| format!("no secure connection to a server called {host} can be made"))
    };
    let (tls, port) = match mail.security {
        Security::Tls => (Tls::Wrapper(tls()?), 465),
        Security::Starttls => (Tls::Required(tls()?), 587),
        Security::None => (Tls::None, 25),
    };
    let mut builder = SmtpTransport::builder_dangerous(host)
        .port(mail.port.unwrap_or(port))
        .tls(tls)
        .timeout(Some(ANSWER_MAX));
    if let (Some(user), Some(password)) = (&mail.user, &mail.password) {
        let credentials = Credentials::new(user.clone(), password.reveal().to_owned());
        builder = builder.credentials(credentials);
    }
    Ok(builder.build())
}

fn compose(from: &Mailbox, to: &[Mailbox], text: &str) -> Result<Message, lettre::error::Error> {
    let subject = match text::line(text) {
        line if line.is_empty() => "iot-control".to_owned(),
        line => line,
    };
    let builder = Message::builder()
        .from(from.clone())
        .subject(subject)
        .message_id(None)
        .header(AutoSubmitted)
        .header(ContentType::TEXT_PLAIN);
    let builder = to.iter().fold(builder, |mail, to| mail.to(to.clone()));
    builder.body(text::body(text))
}

/// Tells other programs not to answer (RFC 3834).
#[derive(Clone)]
struct AutoSubmitted;

impl lettre::message::header::Header for AutoSubmitted {
    fn name() -> lettre::message::header::HeaderName {
        lettre::message::header::HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> lettre::message::header::HeaderValue {
        lettre::message::header::HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

fn failure(host: &str, error: &lettre::transport::smtp::Error) -> Failure {
    // Its own words, without what we sent.
    let said = match error.status() {
        Some(code) => format!("{host} answers {code}: {}", text::quoted(&words(error))),
        None => format!("{host}: {}", text::quoted(&words(error))),
    };
    if error.is_permanent() {
        Failure::Lasting(said)
    } else {
        Failure::Passing(said)
    }
}

/// The innermost cause, which says what happened.
fn words(error: &lettre::transport::smtp::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        let from = mailbox("iot-control <house@example.org>").unwrap();
        let to = [
            mailbox("anna@example.org").unwrap(),
            mailbox("bob@example.org").unwrap(),
        ];
        let mail = compose(&from, &to, text).unwrap();
        String::from_utf8(mail.formatted()).unwrap()
    }

    #[test]
    fn a_mail_has_the_text_as_its_subject_and_body() {
        let mail = written("hall went offline.");
        for line in [
            "Subject: hall went offline.\r\n",
            "From: iot-control <house@example.org>\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "\r\n\r\nhall went offline.",
        ] {
            assert!(mail.contains(line), "{line:?} in {mail}");
        }
        assert!(mail.contains("anna@example.org") && mail.contains("bob@example.org"));
    }

    #[test]
    fn no_text_becomes_a_header_or_ends_the_mail() {
        for hostile in [
            "x\r\nBcc: everybody@example.org",
            "x\nBcc: everybody@example.org\n\n<html>",
            "x\r\n.\r\nMAIL FROM:<evil@example.org>",
            "\u{2028}Bcc: everybody@example.org",
            "=?utf-8?q?x=0D=0ABcc:_everybody=40example.org?=",
            &"Bcc: a ".repeat(500),
        ] {
            let mail = written(hostile);
            let (headers, _) = mail.split_once("\r\n\r\n").unwrap();
            let names = headers
                .lines()
                .filter(|line| !line.starts_with([' ', '\t']))
                .map(|line| line.split(':').next().unwrap().to_lowercase());
            for name in names {
                assert!(
                    [
                        "from",
                        "to",
                        "subject",
                        "message-id",
                        "auto-submitted",
                        "content-type",
                        "date",
                        "content-transfer-encoding",
                        "mime-version"
                    ]
                    .contains(&name.as_str()),
                    "{name} in {headers}"
                );
            }
            assert!(
                mail.lines().all(|line| line.len() <= 998),
                "RFC 5322 section 2.1.1"
            );
        }
    }

    #[test]
    fn addresses_and_hosts_are_checked() {
        for address in ["", "anna", "anna@", "a@b.c\r\nBcc: d@e.f", "@b.c"] {
            assert!(mailbox(address).is_err(), "{address:?}");
        }
        let mail = |host: &str| Mail {
            host: host.to_owned(),
            port: None,
            security: Security::Tls,
            user: None,
            password: None,
            from: "a@b.c".into(),
            to: vec!["d@e.f".into()],
            ca: None,
        };
        for host in ["", "mail example.org", "mail.example.org/x", "a\r\nb"] {
            assert!(open(&mail(host)).is_err(), "{host:?}");
        }
        assert!(open(&mail("mail.example.org")).is_ok());
        assert!(open(&mail("10.0.0.4")).is_ok());
    }
}
