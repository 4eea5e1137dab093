//! From a request to its answer; who is asked stands in [`crate::server`].

use std::borrow::Cow;

use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode, Version,
    body::Bytes,
    header::{self, HeaderValue},
};
use serde_json::json;

use crate::{Names, Report, metrics};

/// Content type of the exposition format.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Metrics,
    Live,
    Ready,
}

/// Why a request gets no report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It has no `Host`, or more than one.
    NoHost,
    /// Its `Host` is a name that is not ours.
    ForeignHost,
    /// It brings a body of no stated length. Of a `Content-Length` beside it hyper says nothing, and two lengths are how one
    /// request is hidden in another (RFC 9112, 6.3).
    Chunked,
    Method,
    Path,
}

/// What a request asks for.
pub(crate) fn asked<B>(
    request: &Request<B>,
    names: &Names,
    is_loopback: bool,
) -> Result<Asked, Refused> {
    let host = host(request)?;
    if !names.fit(host, is_loopback) {
        return Err(Refused::ForeignHost);
    }
    if request.headers().contains_key(header::TRANSFER_ENCODING) {
        return Err(Refused::Chunked);
    }
    let asked = match request.uri().path() {
        "/metrics" => Asked::Metrics,
        "/health/live" => Asked::Live,
        "/health/ready" => Asked::Ready,
        _ => return Err(Refused::Path),
    };
    match *request.method() {
        Method::GET | Method::HEAD => Ok(asked),
        _ => Err(Refused::Method),
    }
}

/// RFC 9112, 3.2: an absolute target stands above the header; HTTP/1.0 may have neither.
fn host<B>(request: &Request<B>) -> Result<&str, Refused> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let header = hosts.next();
    if hosts.next().is_some() {
        return Err(Refused::NoHost);
    }
    if let Some(authority) = request.uri().authority() {
        return Ok(authority.as_str());
    }
    match header {
        Some(host) => host.to_str().map_err(|_| Refused::ForeignHost),
        // No browser speaks it, and an old probe has no name to give.
        None if request.version() == Version::HTTP_10 => Ok("localhost"),
        None => Err(Refused::NoHost),
    }
}

/// The answer to what was asked; `None`: nobody reported in time.
pub(crate) fn answer(asked: Asked, report: Option<&Report>) -> Response<Full<Bytes>> {
    let Some(report) = report else {
        let why = vec!["the house did not answer in time".to_owned()];
        return match asked {
            Asked::Metrics => response(StatusCode::SERVICE_UNAVAILABLE, TEXT, why.concat() + "\n"),
            Asked::Live | Asked::Ready => health(&why),
        };
    };
    match asked {
        Asked::Metrics => response(StatusCode::OK, METRICS, metrics::text(&report.families)),
        Asked::Live => health(&[]),
        Asked::Ready => health(&report.unready),
    }
}

/// `{"ok":true}`, or 503 and why not.
fn health(why: &[String]) -> Response<Full<Bytes>> {
    let (code, said) = match why.is_empty() {
        true => (StatusCode::OK, json!({ "ok": true })),
        false => (
            StatusCode::SERVICE_UNAVAILABLE,
            json!({ "ok": false, "why": why }),
        ),
    };
    response(code, JSON, format!("{said}\n"))
}

pub(crate) fn refusal(refused: Refused) -> Response<Full<Bytes>> {
    let (code, text) = match refused {
        Refused::NoHost => (StatusCode::BAD_REQUEST, "one Host header is needed\n"),
        Refused::ForeignHost => (
            StatusCode::MISDIRECTED_REQUEST,
            "this is not the server of that name: ask for it as localhost or by its address\n",
        ),
        Refused::Chunked => (
            StatusCode::BAD_REQUEST,
            "nothing is asked for with a body: no Transfer-Encoding\n",
        ),
        Refused::Method => (
            StatusCode::METHOD_NOT_ALLOWED,
            "nothing can be changed here: GET only\n",
        ),
        Refused::Path => (
            StatusCode::NOT_FOUND,
            "there are /metrics, /health/live and /health/ready\n",
        ),
    };
    let mut response = response(code, TEXT, text);
    if refused == Refused::Method {
        let allowed = HeaderValue::from_static("GET, HEAD");
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}

fn response(
    code: StatusCode,
    kind: &'static str,
    text: impl Into<Cow<'static, str>>,
) -> Response<Full<Bytes>> {
    let bytes = match text.into() {
        Cow::Borrowed(text) => Bytes::from_static(text.as_bytes()),
        Cow::Owned(text) => Bytes::from(text),
    };
    let mut response = Response::new(Full::new(bytes));
    *response.status_mut() = code;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
