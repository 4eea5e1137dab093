//! The server from outside, as machines ask it: a house that hangs, and clients that dawdle.

#![allow(
    clippy::unwrap_used,
    reason = "a test that can't go on has failed, in its helpers too"
)]

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
};

use tokio::sync::mpsc;
use web::{Names, Question, Report, Web};

/// More than one listener takes at a time.
const CROWD: usize = 40;

const LIVE: &str = "GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A server, and the end at which a house takes its questions.
fn serve() -> (Web, SocketAddr, mpsc::Receiver<Question>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (questions, asked) = mpsc::channel(1);
    let web = web::start(vec![listener], Names::default(), questions).unwrap();
    (web, address, asked)
}

/// A house that answers until the server ends.
fn answer(mut asked: mpsc::Receiver<Question>) {
    thread::spawn(move || {
        while let Some(question) = asked.blocking_recv() {
            // Whoever asked may be gone.
            let _ = question.send(Report::default());
        }
    });
}

fn send(address: SocketAddr, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

/// What it answers until it closes.
fn ask(address: SocketAddr, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut text = String::new();
    send(address, &request).read_to_string(&mut text).unwrap();
    text
}

fn is_open(stream: &mut TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    matches!(stream.read(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock)
}

#[test]
fn a_house_that_hangs_is_not_live_and_is_live_again_when_it_goes_on() {
    let (_web, address, asked) = serve();
    // The first question is taken by nobody; those behind it are not asked at all.
    for path in ["/health/live", "/health/live", "/health/ready", "/metrics"] {
        let text = ask(address, path);
        assert!(text.starts_with("HTTP/1.1 503 "), "{path}: {text}");
        assert!(text.contains("did not answer in time"), "{path}: {text}");
    }
    answer(asked);
    // The old question is answered first, to nobody: until then there is no room for another one.
    while ask(address, "/health/live").starts_with("HTTP/1.1 503 ") {
        thread::yield_now();
    }
    assert!(ask(address, "/health/live").ends_with("{\"ok\":true}\n"));
}

#[test]
fn whoever_dawdles_makes_room_for_whoever_asks() {
    let body = format!("{}Content-Length: 1000000\r\n\r\n", &LIVE[..LIVE.len() - 2]);
    for dawdling in [
        "",
        "GET /health/li",
        "GET / HTTP/1.1\r\nHost: localhost\r\n",
        &body,
    ] {
        let (_web, address, asked) = serve();
        answer(asked);
        let mut crowd: Vec<_> = (0..CROWD).map(|_| send(address, dawdling)).collect();
        let text = ask(address, "/health/live");
        assert!(text.starts_with("HTTP/1.1 200 "), "{dawdling:?}: {text}");
        if !dawdling.ends_with("\r\n\r\n") {
            assert!(!is_open(&mut crowd[0]), "{dawdling:?}: the oldest went");
            let last = crowd.last_mut().unwrap();
            assert!(
                is_open(last),
                "{dawdling:?}: nobody waited for its deadline"
            );
        }
    }
}

#[test]
fn a_head_that_never_ends_is_cut_off_in_time_though_bytes_come() {
    let (_web, address, asked) = serve();
    answer(asked);
    let mut stream = send(address, "GET /health/live HTTP/1.1\r\n");
    // Until it is closed: a byte now and then is no reason to wait.
    stream
        .set_read_timeout(Some(std::time::Duration::from_millis(100)))
        .unwrap();
    loop {
        match stream.read(&mut [0; 512]) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                // It may be closed by now, which the next read shows.
                let _ = stream.write_all(b"x");
            }
            Err(_) => break,
        }
    }
}

#[test]
fn a_request_with_two_lengths_is_refused() {
    let (_web, address, asked) = serve();
    answer(asked);
    let (length, chunked) = ("Content-Length: 4\r\n", "Transfer-Encoding: chunked\r\n");
    for headers in [
        format!("{length}{chunked}"),
        format!("{chunked}{length}"),
        chunked.to_owned(),
    ] {
        let request =
            format!("GET /health/live HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n0\r\n\r\n");
        let mut text = String::new();
        send(address, &request).read_to_string(&mut text).unwrap();
        assert!(text.starts_with("HTTP/1.1 400 "), "{text}");
    }
}
