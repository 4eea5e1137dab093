//! Who is measured, and how each is started. Called by the bench.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use super::{
    client::Client,
    mosquitto, ours,
    packet::{self, Packet},
    route::{EVENT_END, Route, place},
    server::{self, Server},
};
use crate::{peers, shell};

/// A system that gives no command for an event by then has failed to start.
const READY_MAX: Duration = Duration::from_secs(60);

/// How often one that starts is asked for a command.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// Who is measured, in the order of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum System {
    /// mosquitto as a bare relay: the measure that we are held against.
    Relay,
    /// mosquitto, and a Python program with a dict of rules.
    Dict,
    /// mosquitto, and Node-RED with a Map of rules.
    NodeRed,
    /// aedes and a Map of rules in one process of Node.js.
    Aedes,
    Ours,
    /// The bare relay again, its clients through TLS.
    RelayTls,
    OursTls,
    /// Relays without a broker: what the load itself can do.
    Null,
}

impl System {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Relay => "mosquitto, bare relay",
            Self::Dict => "mosquitto + Python dict",
            Self::NodeRed => "mosquitto + Node-RED",
            Self::Aedes => "aedes + Map",
            Self::Ours => "iot-control",
            Self::RelayTls => "mosquitto, bare relay, TLS",
            Self::OursTls => "iot-control, TLS",
            Self::Null => "null peer",
        }
    }

    /// In the order of the tables.
    pub(crate) const ALL: [Self; 8] = [
        Self::Relay,
        Self::Dict,
        Self::NodeRed,
        Self::Aedes,
        Self::Ours,
        Self::RelayTls,
        Self::OursTls,
        Self::Null,
    ];

    /// Whether all it needs is installed.
    pub(crate) fn is_installed(self) -> bool {
        let needs = match self {
            Self::Ours | Self::OursTls | Self::Null => return true,
            Self::Relay | Self::RelayTls => &["mosquitto"][..],
            Self::Dict => &["mosquitto", "paho"],
            Self::NodeRed => &["mosquitto", "node-red"],
            Self::Aedes => &["aedes"],
        };
        let all = peers::all().into_iter().chain(peers::of_benches());
        let found: Vec<&str> = all
            .filter(|peer| peer.found)
            .map(|peer| peer.name)
            .collect();
        needs.iter().all(|need| found.contains(need))
    }

    /// What of it is which version; nothing for ours.
    pub(crate) fn version(self) -> Option<String> {
        let text = match self {
            Self::Ours | Self::OursTls | Self::RelayTls | Self::Null => return None,
            Self::Relay => mosquitto::version(),
            Self::Dict => {
                let mut python = Command::new("python3");
                let print = "import platform, importlib.metadata as m; \
                             print('paho-mqtt', m.version('paho-mqtt'), 'on Python', platform.python_version())";
                shell::output(peers::with_python(python.args(["-c", print]))).ok()?
            }
            Self::NodeRed => format!("Node-RED {}", peers::node_version("node-red")?),
            Self::Aedes => {
                let node = shell::output(Command::new("node").arg("--version")).ok()?;
                let aedes = peers::node_version("aedes")?;
                format!("aedes {aedes} on Node.js {}", node.trim_start_matches('v'))
            }
        };
        Some(text.trim().to_owned())
    }

    /// Starts it in an empty folder, ready for events.
    ///
    /// # Errors
    /// It doesn't start, or the disk.
    pub(crate) fn start(
        self,
        rules: usize,
        binary: &Path,
        folder: &Path,
    ) -> Result<(Server, Route)> {
        let agents = shell::root().join("xtask/agents");
        let helper = |program: &str, script: &str, address: SocketAddr, route: &Route| {
            let mut command = Command::new(program);
            command
                .arg(agents.join(script))
                .args([address.ip().to_string(), address.port().to_string()])
                .arg(write_rules(folder, route)?)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(fs::File::create(folder.join("log"))?);
            Ok::<_, anyhow::Error>(command)
        };
        Ok(match self {
            Self::Relay => (mosquitto::start(folder, None)?, Route::relay(rules)),
            Self::Null => {
                let address = server::free_address()?;
                let mut command = Command::new(std::env::current_exe()?);
                command.args(["bench", "null-peer", &address.to_string()]);
                (
                    Server::start(&mut command, address, None)?,
                    Route::relay(rules),
                )
            }
            Self::Ours => {
                let mut route = Route::rules(rules);
                ours::prepare(binary, folder, &mut route)?;
                (ours::start(binary, folder, &route, None)?, route)
            }
            Self::RelayTls => {
                let certificate = ours::certify(binary, folder)?;
                let server = mosquitto::start(folder, Some(&certificate))?;
                (server, Route::relay(rules))
            }
            Self::OursTls => {
                let mut route = Route::rules(rules);
                ours::prepare(binary, folder, &mut route)?;
                let certificate = ours::certify(binary, folder)?;
                let server = ours::start(binary, folder, &route, Some(&certificate))?;
                (server, route)
            }
            Self::Dict => {
                let (mut server, route) = (mosquitto::start(folder, None)?, Route::rules(rules));
                let mut command = helper("python3", "dict.py", server.door.address, &route)?;
                server.join(peers::with_python(&mut command))?;
                await_rules(server, route)?
            }
            Self::NodeRed => {
                let (mut server, route) = (mosquitto::start(folder, None)?, Route::rules(rules));
                let mut command = helper("node", "node-red.cjs", server.door.address, &route)?;
                server.join(command.arg(peers::folder()).arg(folder))?;
                await_rules(server, route)?
            }
            Self::Aedes => {
                let (address, route) = (server::free_address()?, Route::rules(rules));
                let mut command = helper("node", "aedes.mjs", address, &route)?;
                let server = Server::start(command.arg(peers::folder()), address, None)?;
                await_rules(server, route)?
            }
        })
    }
}

/// The rules as the helpers read them: "TOPIC#NUMBER" of an event -> topic of the target, what is added to its value.
fn write_rules(folder: &Path, route: &Route) -> Result<PathBuf> {
    let rules = route.rules.iter().enumerate().map(|(ix, rule)| {
        let event = String::from_utf8_lossy(&rule.event_topic);
        let target = String::from_utf8_lossy(&rule.command_topic);
        let key = format!("{event}#{}", place(ix).1);
        (key, serde_json::json!([target, route.base(ix)]))
    });
    let rules: serde_json::Map<_, _> = rules.collect();
    let path = folder.join("rules.json");
    fs::write(&path, serde_json::Value::from(rules).to_string())
        .with_context(|| format!("can't write {}", path.display()))?;
    Ok(path)
}

/// Waits until an event becomes a command: a helper subscribes some time after the broker lets clients in.
fn await_rules(mut server: Server, route: Route) -> Result<(Server, Route)> {
    let rule = &route.rules[0];
    let mut consumer = Client::connect(&server.door, "first-consumer", None)?;
    for filter in route.filters(rule.consumer) {
        consumer.subscribe(&filter, 0)?;
    }
    let mut producer = Client::connect(&server.door, "first-producer", None)?;
    let start = Instant::now();
    consumer.set_read_timeout(ASK_EVERY)?;
    loop {
        let event = [&rule.event_start, &b"0"[..], EVENT_END];
        packet::publish(&mut producer.out, &rule.event_topic, &event, 0, 0);
        producer.flush()?;
        if let Ok(Packet::Publish { .. }) = consumer.next() {
            server.is_ready();
            break;
        }
        server.expect_alive()?;
        if start.elapsed() > READY_MAX {
            bail!("no event becomes a command");
        }
    }
    // All that was asked too often is answered before the first event that counts.
    while consumer.next().is_ok() {}
    Ok((server, route))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::broker::{generator::Load, ledger::Ledger, route::PRODUCERS};

    #[test]
    fn helpers_find_topic_and_offset_of_each_rule() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let route = Route::rules(10);
        let path = write_rules(folder.path(), &route).expect("there is room");
        let text = fs::read_to_string(path).expect("it was written");
        let rules: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
        assert_eq!(
            rules["iot/player1/keys0/event#1"],
            serde_json::json!(["iot/stage1/servo2/target", 1152])
        );
        assert_eq!(rules.as_object().map(serde_json::Map::len), Some(10));
    }

    #[test]
    fn a_dict_beside_mosquitto_makes_a_command_of_every_event() {
        if !System::Dict.is_installed() {
            println!("skipped: not installed (mosquitto and paho)");
            return;
        }
        let folder = tempfile::tempdir().expect("a folder for the test");
        let binary = Path::new("not asked for");
        let (server, route) = System::Dict
            .start(PRODUCERS, binary, folder.path())
            .expect("both start");
        let mut ledger = Ledger::new(&route);
        for qos in [0, 1, 2] {
            let mut load = Load::connect(&server.door, &mut ledger, qos).expect("it lets us in");
            let (latencies_us, faults) = load.closed_loop(30, Duration::ZERO).expect("it works");
            assert_eq!(latencies_us.len(), 30);
            assert!(faults.none(), "{faults:?}");
        }
    }
}
