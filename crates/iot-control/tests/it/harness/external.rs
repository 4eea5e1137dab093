//! A mosquitto, or a NATS, of a test's own: with a port, a folder and a store that outlives its restarts.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use rustix::process::{Pid, Signal, kill_process};

use super::{
    client::{Client, Connect, Will},
    house::Login,
    kind::{Kind, say_if_missing},
    wait::until,
};

/// Each of these as a test of its own at each broker.
macro_rules! at_each_broker {
    ($($name:ident,)*) => {
        mod mosquitto {
            $(#[test]
            fn $name() {
                if let Some(mut external) = crate::harness::External::start() {
                    super::$name(&mut external);
                }
            })*
        }

        mod nats {
            $(#[test]
            fn $name() {
                if let Some(mut external) = crate::harness::External::nats() {
                    super::$name(&mut external);
                }
            })*
        }
    };
}

pub(crate) use at_each_broker;

/// A running broker; killed when dropped.
pub struct External {
    make: Make,
    folder: tempfile::TempDir,
    port: u16,
    child: Option<Child>,
}

/// Whose broker it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Make {
    Mosquitto,
    /// Its MQTT is 3.1.1 and nothing else.
    Nats,
}

impl External {
    /// Starts one that lets everybody in; `None`: it is not installed, and need not be.
    pub fn start() -> Option<Self> {
        Self::start_with("allow_anonymous true\n")
    }

    /// Starts one with these lines of its configuration.
    pub fn start_with(lines: &str) -> Option<Self> {
        Self::start_after(lines, || {})
    }

    /// As [`Self::start_with`], after its own tools have made what the lines name.
    pub fn start_after(lines: &str, make: impl FnOnce()) -> Option<Self> {
        let version = Command::new("mosquitto")
            .arg("-h")
            .stdout(Stdio::null())
            .status();
        if !say_if_missing("mosquitto", version.is_ok()) {
            return None;
        }
        let mut external = Self::of(Make::Mosquitto);
        let folder = external.folder.path().display().to_string();
        make();
        let config = format!(
            "user root\nlistener {} 127.0.0.1\npersistence true\npersistence_location {folder}/\nautosave_interval 1\n{lines}",
            external.port
        );
        fs::write(external.file("mosquitto.conf"), config).unwrap();
        external.begin();
        Some(external)
    }

    /// Starts a NATS that lets everybody in; `None`: it is not installed, and need not be.
    pub fn nats() -> Option<Self> {
        let version = Command::new("nats-server")
            .arg("--version")
            .stdout(Stdio::null())
            .status();
        if !say_if_missing("nats-server", version.is_ok()) {
            return None;
        }
        let mut external = Self::of(Make::Nats);
        let folder = external.folder.path().display().to_string();
        let config = format!(
            "server_name: test\nhost: 127.0.0.1\nport: -1\njetstream {{ store_dir: \"{folder}\" }}\n\
             mqtt {{ host: 127.0.0.1, port: {} }}\n",
            external.port
        );
        fs::write(external.file("nats.conf"), config).unwrap();
        external.begin();
        Some(external)
    }

    fn of(make: Make) -> Self {
        Self {
            make,
            folder: tempfile::tempdir().unwrap(),
            port: free_port(),
            child: None,
        }
    }

    /// Makes of clients that it can have, the newest version last.
    pub fn kinds(&self) -> &'static [Kind] {
        match self.make {
            Make::Mosquitto => &[Kind::RumqttcV4, Kind::RumqttcV5],
            Make::Nats => &[Kind::RumqttcV4],
        }
    }

    /// A make of client that speaks the newest version that it knows.
    pub fn kind(&self) -> Kind {
        *self.kinds().last().unwrap()
    }

    /// Whether it speaks MQTT 5.
    pub fn is_v5(&self) -> bool {
        self.make == Make::Mosquitto
    }

    /// Where it listens on this machine.
    pub fn port(&self) -> u16 {
        self.port
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Has it read its lists again, as its service does.
    pub fn reload(&self) {
        let child = self.child.as_ref().unwrap();
        kill_process(Pid::from_child(child), Signal::HUP).unwrap();
    }

    /// `mqtt://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }

    /// Starts it again, and waits until it listens.
    pub fn begin(&mut self) {
        let (program, config) = match self.make {
            Make::Mosquitto => ("mosquitto", "mosquitto.conf"),
            Make::Nats => ("nats-server", "nats.conf"),
        };
        let mut child = Command::new(program)
            .arg("-c")
            .arg(self.file(config))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = child.stderr.take().unwrap();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                println!("{program}: {line}");
            }
        });
        until(program, || {
            let ended = child.try_wait().expect("it is our child");
            assert_eq!(ended, None, "{program} ended; what it said stands above");
            TcpStream::connect(("127.0.0.1", self.port)).ok()
        });
        self.child = Some(child);
    }

    /// Ends it as its service does: what it holds is on the disk.
    pub fn end(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        child.wait().unwrap();
    }

    /// Connects a client to it.
    pub fn client(&self, kind: Kind, id: &str, filters: &[&str]) -> Client {
        Client::connect(kind, &self.connect(id, None, filters)).expect("it is let in")
    }

    /// As [`Self::client`], with a last will of `offline`.
    pub fn device_client(&self, kind: Kind, device: &str, filters: &[&str]) -> Client {
        let mut connect = self.connect(device, None, filters);
        connect.will = Some(Will {
            topic: format!("iot/{device}/availability"),
            payload: "offline".into(),
        });
        Client::connect(kind, &connect).expect("it is let in")
    }

    /// How a client reaches it.
    pub fn connect(&self, id: &str, login: Option<Login>, filters: &[&str]) -> Connect {
        Connect {
            port: self.port,
            scheme: "mqtt",
            ca: None,
            id: id.to_owned(),
            login,
            filters: filters.iter().map(|&filter| filter.to_owned()).collect(),
            will: None,
        }
    }
}

impl Drop for External {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended already.
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// A port that nobody has, of those that no system gives to whoever connects: while a broker is down nobody gets its port by
/// chance, and a client that knocks there does not reach itself. Tests in one process each get another one.
fn free_port() -> u16 {
    const FIRST: u32 = 10_000;
    const PORTS: u32 = 20_000;
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    let own = std::process::id().wrapping_mul(61);
    loop {
        let nth = TAKEN.fetch_add(1, Ordering::Relaxed);
        assert!(nth < PORTS, "no port is free");
        let port = FIRST + own.wrapping_add(nth) % PORTS;
        let port = u16::try_from(port).expect("it is below 30,000");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Writes a file of logins as mosquitto reads it.
pub fn write_passwords(path: &Path, logins: &[Login]) {
    fs::write(path, "").unwrap();
    for login in logins {
        let made = Command::new("mosquitto_passwd")
            .arg("-b")
            .arg(path)
            .args([&login.user, &login.password])
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
    }
}
