//! Certificates: who is trusted, and who is not. Python serves HTTPS with what openssl makes.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use notify::{Carriers, Handed, Secret, Way, Webhook};

use crate::server::PATIENCE;

const SERVE: &str = r#"
import http.server, ssl, sys
class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        print(body.decode(), flush=True)
    def log_message(self, *args):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Hook)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print(server.server_port, flush=True)
server.serve_forever()
"#;

/// Runs openssl in a folder; false where there is none.
fn openssl(folder: &Path, args: &str) -> bool {
    let output = Command::new("openssl")
        .args(args.split(' '))
        .current_dir(folder)
        .output();
    output.is_ok_and(|output| {
        assert!(output.status.success(), "{output:?}");
        true
    })
}

/// An authority and a server's certificate of it.
fn certificates(folder: &Path) -> bool {
    std::fs::write(
        folder.join("server.ext"),
        "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n",
    )
    .unwrap();
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(
        folder,
        &format!("req -x509 {key} -days 2 -subj /CN=home -keyout ca.key -out ca.pem"),
    ) && openssl(
        folder,
        &format!("req {key} -subj /CN=server -keyout server.key -out server.csr"),
    ) && openssl(
        folder,
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile server.ext -out server.pem",
    )
}

fn skipped(what: &str) {
    let required = std::env::var_os("IOT_CONTROL_REQUIRE_PEERS").is_some_and(|value| value == "1");
    assert!(!required, "{what} is required: install it");
    println!("skipped: not installed");
}

struct Python {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Drop for Python {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn serve(folder: &Path) -> Option<Python> {
    let mut child = Command::new("python3")
        .args(["-c", SERVE, "server.pem", "server.key"])
        .current_dir(folder)
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    Some(Python { child, lines })
}

fn start(port: &str, ca: Option<Vec<u8>>) -> Carriers {
    crate::server::carriers(Way::Webhook(Webhook {
        url: Secret::from(format!("https://127.0.0.1:{port}/hook")),
        field: "text".into(),
        token: None,
        ca,
    }))
}

#[test]
fn only_who_is_trusted_hears_anything() {
    let folder = tempfile::tempdir().unwrap();
    if !certificates(folder.path()) {
        return skipped("openssl");
    }
    let Some(mut python) = serve(folder.path()) else {
        return skipped("python3");
    };
    let port = python.lines.next().unwrap().unwrap();
    let ca = std::fs::read(folder.path().join("ca.pem")).unwrap();

    let stranger = start(&port, None);
    assert_eq!(stranger.hand("phone", "for friends only"), Handed::Queued);
    assert!(stranger.finish(PATIENCE));

    let friend = start(&port, Some(ca));
    assert_eq!(friend.hand("phone", "hello"), Handed::Queued);
    let heard = python.lines.next().unwrap().unwrap();
    assert_eq!(heard, r#"{"text":"hello"}"#, "and nothing before it");
    assert!(friend.finish(PATIENCE));
}

#[test]
fn a_file_without_certificates_is_said_at_the_start() {
    for ca in [&b""[..], b"not pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n"] {
        let way = Way::Webhook(Webhook {
            url: "https://127.0.0.1/hook".into(),
            field: "text".into(),
            token: None,
            ca: Some(ca.to_vec()),
        });
        let why = way.check().unwrap_err();
        assert!(why.contains("ca"), "{why}");
    }
}
