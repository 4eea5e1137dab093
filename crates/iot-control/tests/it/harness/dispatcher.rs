//! The dispatcher as a process: start, ask, kill, start again.

use std::{
    io::{BufRead, BufReader, PipeWriter, Read},
    net::SocketAddr,
    path::Path,
    process::{Child, Stdio},
    thread,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value as Json;

use super::{
    client::{Client, Connect, Will},
    command::{Output, iot_control, run},
    house::{House, Login},
    kind::Kind,
    wait::{Log, until},
};

/// A running dispatcher; killed when dropped.
pub struct Dispatcher<'h> {
    house: &'h House,
    child: Child,
    port: u16,
    stderr: Log<String>,
    stdout: Log<String>,
}

impl<'h> Dispatcher<'h> {
    /// Starts `iot-control run` on a free port, with more words, and waits until it is ready.
    ///
    /// # Panics
    /// It ends before; with what it said.
    pub fn start(house: &'h House, more: &[&str]) -> Self {
        Self::start_on(house, more, "127.0.0.1:0")
    }

    /// As [`Self::start`], on an address.
    pub fn start_on(house: &'h House, more: &[&str], address: &str) -> Self {
        Self::start_with(house, more, &[("MQTT__LISTEN", address)])
    }

    /// As [`Self::start`], with settings by variables.
    pub fn start_with(house: &'h House, more: &[&str], settings: &[(&str, &str)]) -> Self {
        Self::start_printing(house, more, settings, Stdio::piped())
    }

    /// As [`Self::start`], with a stdout that the test holds.
    pub fn start_printing_to(house: &'h House, more: &[&str], stdout: PipeWriter) -> Self {
        Self::start_printing(house, more, &[], stdout.into())
    }

    fn start_printing(
        house: &'h House,
        more: &[&str],
        settings: &[(&str, &str)],
        stdout: Stdio,
    ) -> Self {
        let settings = settings
            .iter()
            .map(|(key, value)| (format!("IOT_CONTROL__{key}"), *value));
        let mut child = iot_control()
            .arg("run")
            .arg(house.folder())
            .arg("--state")
            .arg(house.state())
            .args(more)
            .envs(house.surroundings())
            .env("IOT_CONTROL__WEB__LISTEN", "")
            .env("IOT_CONTROL__MQTT__LISTEN", "127.0.0.1:0")
            .envs(settings)
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = read(child.stderr.take().unwrap());
        let stdout = child.stdout.take().map(read).unwrap_or_default();
        let port = stderr.find(0, "the address of the broker", |line| {
            assert!(line != END, "it ended before it was ready");
            line.trim()
                .strip_prefix("MQTT ")?
                .trim()
                .strip_prefix("mqtt://127.0.0.1:")?
                .parse()
                .ok()
        });
        stderr.find(0, "`ready in`", |line| {
            line.starts_with("ready in ").then_some(())
        });
        Self {
            house,
            child,
            port,
            stderr,
            stdout,
        }
    }

    /// Port of its broker.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where devices on the sealed link find it.
    pub fn sealed(&self) -> SocketAddr {
        self.stderr
            .find(0, "the address of the sealed link", |line| {
                line.trim()
                    .strip_prefix("sealed")?
                    .trim()
                    .strip_prefix("udp://")?
                    .parse()
                    .ok()
            })
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Lines on stderr so far; a place to wait from.
    pub fn mark(&self) -> usize {
        self.stderr.len()
    }

    /// Waits for a line on stderr after `mark` that contains `text`.
    pub fn says(&self, mark: usize, text: &str) -> String {
        self.stderr
            .find(mark, &format!("{text:?} on stderr"), |line| {
                line.contains(text).then(|| line.clone())
            })
    }

    /// All lines on stderr after `mark`.
    pub fn said(&self, mark: usize) -> String {
        self.stderr.since(mark).join("\n")
    }

    /// Waits for a line on stdout that contains `text`.
    pub fn prints(&self, text: &str) -> String {
        self.stdout.find(0, &format!("{text:?} on stdout"), |line| {
            line.contains(text).then(|| line.clone())
        })
    }

    /// All lines on stdout so far.
    pub fn printed(&self) -> String {
        self.stdout.since(0).join("\n")
    }

    /// Runs a command that asks this dispatcher.
    pub fn ask(&self, words: &[&str]) -> Output {
        let state = self.house.state();
        run(
            words
                .iter()
                .copied()
                .chain(["--state", state.to_str().unwrap()]),
            "",
        )
    }

    /// `device show NAME --json`.
    pub fn device(&self, name: &str) -> Json {
        self.ask(&["device", "show", name, "--json"]).ok().json()
    }

    /// Waits until a device is as `is` says.
    pub fn device_is(&self, name: &str, what: &str, is: impl Fn(&Json) -> bool) -> Json {
        let mut last = Json::Null;
        until(&format!("{name} {what}"), || {
            last = self.device(name);
            is(&last).then(|| last.clone())
        })
    }

    /// Connects with the login of `device`.
    pub fn device_client(&self, kind: Kind, device: &str, filters: &[&str]) -> Client {
        let connect = self.connect(Some(self.house.device_login(device)), filters);
        Client::connect(kind, &connect).expect("it is let in")
    }

    /// As [`Self::device_client`], with a last will of `offline`.
    pub fn device_client_with_will(&self, kind: Kind, device: &str, filters: &[&str]) -> Client {
        let mut connect = self.connect(Some(self.house.device_login(device)), filters);
        connect.will = Some(Will {
            topic: format!("iot/{device}/availability"),
            payload: "offline".into(),
        });
        Client::connect(kind, &connect).expect("it is let in")
    }

    /// A client that sees the whole house.
    pub fn watcher(&self) -> Client {
        let connect = self.connect(Some(self.house.tool_login()), &["iot/#"]);
        let watcher = Client::connect(Kind::RumqttcV5, &connect).expect("it is let in");
        assert_eq!(watcher.grants(), [1]);
        watcher
    }

    /// How a client reaches it.
    pub fn connect(&self, login: Option<Login>, filters: &[&str]) -> Connect {
        let user = login.as_ref().map_or("nobody", |login| &login.user);
        Connect {
            port: self.port,
            scheme: "mqtt",
            ca: None,
            id: format!("{user}-{}", serial()),
            login,
            filters: filters.iter().map(|&filter| filter.to_owned()).collect(),
            will: None,
        }
    }

    /// The same through TLS, WebSocket, or both, on the port that was announced for it.
    pub fn connect_by(
        &self,
        (scheme, ca): (&'static str, &Path),
        login: Option<Login>,
        filters: &[&str],
    ) -> Connect {
        let start = format!("{scheme}://127.0.0.1:");
        let port = self.stderr.find(0, &start, |line| {
            let (_, port) = line.split_once(&start)?;
            port.trim().parse().ok()
        });
        Connect {
            port,
            scheme,
            ca: scheme
                .ends_with('s')
                .then(|| ca.to_owned())
                .filter(|_| scheme != "ws"),
            ..self.connect(login, filters)
        }
    }

    /// `kill -9`, then starts it again on the same state.
    #[must_use]
    pub fn kill_9_and_restart(self) -> Self {
        let house = self.house;
        self.kill_9();
        Self::start(house, &[])
    }

    /// `kill -9`.
    pub fn kill_9(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGINT; waits for its end and gives the exit code.
    pub fn interrupt(&mut self) -> Option<i32> {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        let child = &mut self.child;
        until("the end after SIGINT", || child.try_wait().unwrap()).code()
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Dispatcher<'_> {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
        if thread::panicking() {
            println!("--- stderr of the dispatcher\n{}", self.said(0));
            println!("--- its stdout\n{}", self.stdout.since(0).join("\n"));
        }
    }
}

/// Noted when a stream is at its end.
const END: &str = "(end)";

fn read(stream: impl Read + Send + 'static) -> Log<String> {
    let log = Log::default();
    let lines = log.clone();
    thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            lines.push(String::from_utf8_lossy(&line).into_owned());
        }
        lines.push(END.to_owned());
    });
    log
}

/// A number that no other client of this process has.
fn serial() -> u32 {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
