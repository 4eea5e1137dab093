//! ntfy and webhooks: a POST of JSON. Texts stand in the body alone, so that nothing in them can become a
//! header. Redirects are not followed: a token is for who it was given for.

use std::time::Duration;

use serde_json::json;
use ureq::{
    Agent,
    http::Uri,
    tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem},
};

use crate::{Deliver, Failure, Secret};

/// How long one try may take in all.
const TRY_MAX: Duration = Duration::from_secs(30);

/// How long it may take to reach the other side.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// An ntfy server and a topic on it.
#[derive(Clone, Debug, PartialEq)]
pub struct Ntfy {
    /// Address of the server, `https://ntfy.sh`.
    pub server: String,
    /// On a public server, whoever knows the topic reads along.
    pub topic: Secret,
    /// Access token.
    pub token: Option<Secret>,
    /// Certificates (PEM) that are trusted instead of the public ones.
    pub ca: Option<Vec<u8>>,
}

/// Somebody who listens for JSON.
#[derive(Clone, Debug, PartialEq)]
pub struct Webhook {
    /// Whole address; often as good as a password.
    pub url: Secret,
    /// Name of the field that holds the text: `text`, or `content` for Discord.
    pub field: String,
    /// Sent as `Authorization: Bearer ..`.
    pub token: Option<Secret>,
    /// Certificates (PEM) that are trusted instead of the public ones.
    pub ca: Option<Vec<u8>>,
}

pub(crate) fn ntfy(ntfy: &Ntfy) -> Result<Deliver, String> {
    // Its JSON goes to the root of the server.
    let endpoint = Endpoint::new(&ntfy.server, ntfy.token.as_ref(), ntfy.ca.as_deref())?;
    let topic = ntfy.topic.clone();
    Ok(Box::new(move |text| {
        endpoint.post(&json!({
            "topic": topic.reveal(),
            "title": "iot-control",
            "message": text,
        }))
    }))
}

pub(crate) fn webhook(webhook: &Webhook) -> Result<Deliver, String> {
    let token = webhook.token.as_ref();
    let endpoint = Endpoint::new(webhook.url.reveal(), token, webhook.ca.as_deref())?;
    let field = webhook.field.clone();
    Ok(Box::new(move |text| {
        endpoint.post(&json!({ field.as_str(): text }))
    }))
}

struct Endpoint {
    agent: Agent,
    uri: Uri,
    authorization: Option<Secret>,
}

impl Endpoint {
    fn new(url: &str, token: Option<&Secret>, ca: Option<&[u8]>) -> Result<Self, String> {
        let uri = check_url(url)?;
        if token.is_some_and(|token| !is_token(token.reveal())) {
            return Err("the token holds a character that no token has".to_owned());
        }
        let mut tls = TlsConfig::builder();
        if let Some(pem) = ca {
            tls = tls.root_certs(RootCerts::new_with_certs(&certificates(pem)?));
        }
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .timeout_global(Some(TRY_MAX))
            .timeout_connect(Some(CONNECT_MAX))
            .user_agent(concat!("iot-control/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls.build());
        Ok(Self {
            agent: config.build().new_agent(),
            uri,
            authorization: token.map(|token| Secret::from(format!("Bearer {}", token.reveal()))),
        })
    }

    fn post(&self, body: &serde_json::Value) -> Result<(), Failure> {
        let mut request = self
            .agent
            .post(self.uri.clone())
            .header("Content-Type", "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization.reveal());
        }
        let host = self.uri.host().unwrap_or_default();
        let answer = match request.send(body.to_string()) {
            Ok(answer) => answer,
            Err(error) => return Err(failure(host, &error)),
        };
        let status = answer.status();
        let said = format!("{host} answers {status}");
        match status.as_u16() {
            200..=299 => Ok(()),
            // Too early, too many, or its own trouble.
            408 | 425 | 429 | 500..=599 => Err(Failure::Passing(said)),
            300..=399 => Err(Failure::Lasting(format!(
                "{said}: a redirect is not followed, set the address it leads to"
            ))),
            _ => Err(Failure::Lasting(said)),
        }
    }
}

/// An address that can be used, without what it says where it can't: it may be a secret.
fn check_url(url: &str) -> Result<Uri, String> {
    const TAKES: &str = "the address is none: it begins with http:// or https://, names a host, and holds no spaces";
    let uri: Uri = url.parse().map_err(|_| TAKES.to_owned())?;
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    let has_host = uri.host().is_some_and(|host| !host.is_empty());
    if !is_http || !has_host {
        return Err(TAKES.to_owned());
    }
    if uri
        .authority()
        .is_some_and(|authority| authority.as_str().contains('@'))
    {
        return Err("a user or password in the address is not used: set a token".to_owned());
    }
    Ok(uri)
}

fn is_token(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The certificates of a PEM file.
pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<Certificate<'static>>, String> {
    let items: Result<Vec<PemItem<'static>>, _> = parse_pem(pem).collect();
    let items = items.map_err(|_| "the certificates (ca) are no PEM file".to_owned())?;
    let found = items.into_iter().filter_map(|item| match item {
        PemItem::Certificate(certificate) => Some(certificate),
        _ => None,
    });
    let found: Vec<_> = found.collect();
    if found.is_empty() {
        return Err("the file of certificates (ca) holds none".to_owned());
    }
    Ok(found)
}

/// Words for what went wrong on the way, without the address: only its host.
fn failure(host: &str, error: &ureq::Error) -> Failure {
    use ureq::Error;
    match error {
        Error::HostNotFound => Failure::Passing(format!("{host} is not found")),
        Error::Timeout(_) => Failure::Passing(format!("{host} does not answer in time")),
        Error::ConnectionFailed => Failure::Passing(format!("{host} can't be reached")),
        Error::Io(error) => Failure::Passing(format!("{host}: {error}")),
        Error::Rustls(error) => Failure::Passing(format!("{host} is not trusted: {error}")),
        Error::Tls(what) => Failure::Passing(format!("{host} is not trusted: {what}")),
        Error::Protocol(_) => Failure::Passing(format!("{host} does not speak HTTP")),
        Error::TooManyRedirects | Error::RedirectFailed => Failure::Lasting(format!(
            "{host} answers with a redirect, which is not followed: set the address it leads to"
        )),
        // Whatever else there is may hold the address.
        _ => Failure::Lasting(format!("{host}: the request can't be made")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_checked_and_never_repeated() {
        for url in ["https://ntfy.sh", "http://10.0.0.4:8080/hook/s3cret?x=1"] {
            assert!(check_url(url).is_ok(), "{url}");
        }
        for url in [
            "",
            "s3cret",
            "ftp://host/s3cret",
            "https://",
            "http://u:s3cret@host/",
            "http://a b/s3cret",
        ] {
            let why = check_url(url).unwrap_err();
            assert!(!why.contains("s3cret"), "{why}");
        }
    }

    #[test]
    fn what_could_become_a_header_is_no_token() {
        for token in ["", "a b", "a\r\nHost: evil", "tökn"] {
            assert!(!is_token(token));
        }
        assert!(is_token("tk_AgQdq7mVBoFD37zQVN29RhuMzNIz2"));
    }
}
