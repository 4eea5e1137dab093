//! One producer reports as much as it can: others wait for their targets hardly longer, and lose nothing; where the settings
//! bound what one client may send, it is cut off.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use super::{
    Way,
    findings::{Findings, percentile},
    rig::{House, Module},
};
use crate::bench::broker::packet::{self, Login};

/// Reports a second of the flood.
const FLOOD_PER_S: u64 = 20_000;

/// Of the others' 99th percentile under the flood to that without.
const RATIO_MAX: f64 = 2.0;

/// Turns of quiet and flood, so that a machine which gets slower meanwhile slows both.
const TURNS: usize = 10;

const TURN: Duration = Duration::from_secs(3);

/// What one client may send where it is bounded.
const BOUND_PER_S: u64 = 200;

const PATIENCE: Duration = Duration::from_secs(10);

/// A button that sets a lamp, and a keyboard that floods.
const MAPPING: &str = r#"
format = 1

[var]
floods = { kind = "number", start = 0, keep = true }

[device.knob]
id = 1
io.dial = { kind = "midi" }

[device.lamp]
id = 2
io.servo = { kind = "servo", min = 0, max = 16383 }

[device.flooder]
id = 3
io.keys = { kind = "midi" }

[rule.turn]
when = "knob.dial.control"
do = { set = "lamp.servo", angle = "${event.number * 128 + event.value}" }

[rule.flood]
when = "flooder.keys.control"
do = { var = "floods", to = "${var.floods + 1}" }
"#;

/// See the module.
///
/// # Errors
/// The dispatcher can't be started or asked, or does not answer.
pub(crate) fn run(way: &Way) -> Result<Findings> {
    let house = House::new(way, "flood", MAPPING)?;
    let knob = house.device_login("knob")?;
    let lamp = house.device_login("lamp")?;
    let flooder = house.device_login("flooder")?;
    let mut findings = Findings::default();

    // As the bench does: else one device would be read slower once it filled a quarter of the journal.
    let room = ("IOT_CONTROL__JOURNAL__SIZE_MIB_MAX", "32768");
    let server = house.start_with(&knob, &[room])?;
    let mut probe = Probe::join(server.door.address, &knob, &lamp)?;
    let (mut quiet_us, mut flooded_us) = (Vec::new(), Vec::new());
    let (turns, turn) = if way.quick {
        (1, Duration::from_secs(1))
    } else {
        (TURNS, TURN)
    };
    let (mut sent, mut elapsed) = (0, 0.0);
    for _ in 0..turns {
        quiet_us.extend(probe.measure(turn)?);
        let flood = Flood::begin(server.door.address, &flooder, FLOOD_PER_S)?;
        let start = Instant::now();
        flooded_us.extend(probe.measure(turn)?);
        elapsed += start.elapsed().as_secs_f64();
        sent += flood.end();
    }
    let state = house.ask_json(&["state", "--json"])?;
    let counted = house.number(&state, "floods")?;
    let (quiet, flooded) = (
        percentile(&mut quiet_us, 99.0),
        percentile(&mut flooded_us, 99.0),
    );
    findings.note(format!(
        "{:.0} reports a second beside {} events without and {} with it; their p50 {:.0} and {:.0} us, p99 {quiet:.0} and {flooded:.0} us",
        sent as f64 / elapsed,
        quiet_us.len(),
        flooded_us.len(),
        percentile(&mut quiet_us, 50.0),
        percentile(&mut flooded_us, 50.0),
    ));
    findings.none("events of others without their target", probe.missed);
    findings.none(
        "reports counted that nobody made",
        counted.saturating_sub(sent),
    );
    findings.timed(
        way,
        "p99 of others under the flood, to that without",
        flooded / quiet,
        RATIO_MAX,
        "times",
    );
    drop(server);
    bounded(&house, &flooder, &mut findings)?;
    findings.none("panics", house.panics());
    Ok(findings)
}

/// A client that is bounded is cut off where it goes beyond.
fn bounded(house: &House, flooder: &Login, findings: &mut Findings) -> Result<()> {
    let bound = BOUND_PER_S.to_string();
    let setting = (
        "IOT_CONTROL__MQTT__CLIENT_MESSAGES_PER_S_MAX",
        bound.as_str(),
    );
    let server = house.start_with(flooder, &[setting])?;
    let counted = || house.number(&house.ask_json(&["state", "--json"])?, "floods");
    let (before, start) = (counted()?, Instant::now());
    let mut flood = Flood::begin(server.door.address, flooder, FLOOD_PER_S)?;
    while !flood.has_ended() && start.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(10));
    }
    let is_cut_off = flood.has_ended();
    flood.stop();
    let through = counted()? - before;
    findings.holds(
        &format!("a client that may send {BOUND_PER_S} a second and floods is cut off, {through} reports came through"),
        is_cut_off && through <= BOUND_PER_S * (start.elapsed().as_secs() + 2),
    );
    Ok(())
}

/// One event after the other, each until its target has come.
struct Probe {
    knob: Module,
    lamp: Module,
    number: u64,
    missed: u64,
}

impl Probe {
    fn join(address: SocketAddr, knob: &Login, lamp: &Login) -> Result<Self> {
        Ok(Self {
            knob: Module::join(address, knob, &[])?,
            lamp: Module::join(address, lamp, &["iot/lamp/servo/target"])?,
            number: 0,
            missed: 0,
        })
    }

    /// For so long; gives the times from event to target in microseconds.
    fn measure(&mut self, span: Duration) -> Result<Vec<f64>> {
        let mut latencies_us = Vec::new();
        let end = Instant::now() + span;
        while Instant::now() < end {
            self.number = self.number % 16_383 + 1;
            let (number, value) = (self.number / 128, self.number % 128);
            let payload =
                format!("{{\"event\":\"control\",\"number\":{number},\"value\":{value}}}");
            let angle = self.number as f64;
            let start = Instant::now();
            self.knob.report("iot/knob/dial/event", &payload)?;
            let came = self.lamp.await_told("a target", PATIENCE, |told| {
                (told.payload["angle"].as_f64() == Some(angle)).then_some(())
            });
            match came {
                Ok(()) => latencies_us.push(start.elapsed().as_secs_f64() * 1e6),
                Err(_) => self.missed += 1,
            }
            self.knob.take()?;
            thread::sleep(Duration::from_millis(2));
        }
        Ok(latencies_us)
    }
}

/// A connection that sends without end, on a thread.
struct Flood {
    is_over: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Flood {
    fn begin(address: SocketAddr, login: &Login, per_s: u64) -> Result<Self> {
        let mut stream = TcpStream::connect(address).context("can't reach the broker")?;
        stream.set_write_timeout(Some(Duration::from_millis(100)))?;
        stream.write_all(&packet::connect(&login.user, Some(login)))?;
        let mut answer = [0; packet::CONNACK.len()];
        stream.read_exact(&mut answer)?;
        ensure!(answer == packet::CONNACK, "it is not let in: {answer:?}");
        let mut flood = Self {
            is_over: Arc::default(),
            sent: Arc::default(),
            thread: None,
        };
        let (is_over, sent) = (Arc::clone(&flood.is_over), Arc::clone(&flood.sent));
        let mut report = Vec::new();
        let payload: [&[u8]; 1] = [br#"{"event":"control","number":1,"value":2}"#];
        packet::publish(&mut report, b"iot/flooder/keys/event", &payload, 0, 0);
        flood.thread = Some(thread::spawn(move || {
            let start = Instant::now();
            while !is_over.load(Ordering::Relaxed) {
                let due = (start.elapsed().as_secs_f64() * per_s as f64) as u64;
                let behind = due.saturating_sub(sent.load(Ordering::Relaxed)).min(100);
                for _ in 0..behind {
                    if !write_whole(&mut stream, &report, &is_over) {
                        return;
                    }
                    sent.fetch_add(1, Ordering::Relaxed);
                }
                thread::sleep(Duration::from_millis(1));
            }
        }));
        Ok(flood)
    }

    /// Ends it; gives how many reports were sent.
    fn end(mut self) -> u64 {
        self.stop();
        self.sent.load(Ordering::Relaxed)
    }

    /// Whether the dispatcher closed its connection.
    fn has_ended(&self) -> bool {
        let thread = self.thread.as_ref();
        thread.is_none_or(thread::JoinHandle::is_finished)
    }

    fn stop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A flood that failed has ended.
            let _ = thread.join();
        }
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Writes a whole report, however long the other side takes; false where it is over.
fn write_whole(stream: &mut TcpStream, report: &[u8], is_over: &AtomicBool) -> bool {
    let mut written = 0;
    while written < report.len() {
        match stream.write(&report[written..]) {
            Ok(bytes) => written += bytes,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                if is_over.load(Ordering::Relaxed) {
                    return false;
                }
            }
            Err(_) => return false,
        }
    }
    true
}
