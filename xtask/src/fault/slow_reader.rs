//! Who listens and doesn't read, and who connects and doesn't speak: others have all of theirs, memory is bounded, what is
//! dropped is counted, and such connections end.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use rustix::net::sockopt;

use super::{
    Way,
    findings::Findings,
    rig::{House, Steady, Tally, mapping},
};
use crate::bench::broker::{
    packet::{self, Login},
    server::Server,
};

const PER_S: u32 = 400;

/// All of them have ended by then.
const ENDS_S_MAX: f64 = 90.0;

/// Queues and ready bytes of all clients may take 64 MiB each; more goes for what they are kept in.
const GROWTH_MIB_MAX: f64 = 192.0;

const PATIENCE: Duration = Duration::from_secs(30);

/// Two of them that move by themselves: SQLite's, and a segment that begins.
const OPEN_FILES_SLACK: usize = 2;

/// See the module.
///
/// # Errors
/// The dispatcher can't be started or asked, or does not let somebody in.
pub(crate) fn run(way: &Way) -> Result<Findings> {
    let crowd = if way.quick { 20 } else { 500 };
    let house = House::new(way, "slow-reader", &mapping(""))?;
    let logins = Steady::logins(&house)?;
    let watcher = house.tool_login("watcher")?;
    let server = house.start(&logins[0])?;
    let mut steady = Steady::join(server.door.address, &logins, &Tally::default(), PER_S)?;
    steady.run(Duration::from_secs(1))?;
    let (files, rss_mib) = (server.open_files()?, server.rss_mib()?);

    let mut readers = Vec::new();
    let mut silent = Vec::new();
    for ix in 0..crowd {
        readers.push(reader(server.door.address, ix, &watcher)?);
        silent.push(TcpStream::connect(server.door.address).context("no silent connection")?);
        // As many at once as the dispatcher takes from one address.
        thread::sleep(Duration::from_millis(if way.quick { 1 } else { 25 }));
        steady.beat()?;
    }
    let mut findings = Findings::default();
    let span = if way.quick {
        Duration::from_secs(2)
    } else {
        Duration::from_secs_f64(ENDS_S_MAX)
    };
    let start = Instant::now();
    let (mut most_mib, mut ended): (f64, Option<f64>) = (rss_mib, None);
    while start.elapsed() < span && ended.is_none() {
        steady.run(Duration::from_millis(500))?;
        most_mib = most_mib.max(server.rss_mib()?);
        if server.open_files()? <= files + OPEN_FILES_SLACK {
            ended = Some(start.elapsed().as_secs_f64());
        }
    }
    steady.settle(PATIENCE)?;
    let tally = steady.tally.clone();
    findings.note(format!(
        "{crowd} that don't read and {crowd} that don't speak; others: {} reported, {} acknowledged, {} targets",
        tally.all_sent(),
        tally.all_acked(),
        tally.targets
    ));
    findings.none(
        "reports of others that are not acknowledged",
        tally.all_sent() - tally.all_acked(),
    );
    findings.none("stale targets told to others", tally.stale);
    findings.at_most(
        "memory: growth at the most",
        most_mib - rss_mib,
        GROWTH_MIB_MAX,
        "MiB",
    );
    findings.none("panics", house.panics());
    if !way.quick {
        findings.at_most(
            "until none of them is connected",
            ended.unwrap_or(f64::INFINITY),
            ENDS_S_MAX,
            "s",
        );
        counted(&house, crowd, &mut findings)?;
    }
    drop((readers, silent));
    goes_on(&server, &logins, &tally, &mut findings)?;
    Ok(findings)
}

/// A program that subscribes to everything and never reads; its own end holds next to nothing.
fn reader(address: SocketAddr, ix: usize, login: &Login) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address).context("can't reach the broker")?;
    sockopt::set_socket_recv_buffer_size(&stream, 4096)?;
    stream.write_all(&packet::connect(&format!("reader{ix}"), Some(login)))?;
    let mut answer = [0; packet::CONNACK.len()];
    stream.read_exact(&mut answer)?;
    ensure!(answer == packet::CONNACK, "it is not let in: {answer:?}");
    stream.write_all(&packet::subscribe("iot/#", 0))?;
    Ok(stream)
}

/// What became of them can be read.
fn counted(house: &House, crowd: usize, findings: &mut Findings) -> Result<()> {
    let status = house.ask_json(&["status", "--json"])?;
    let broker = &status["broker"];
    let count = |name: &str| broker[name].as_u64().unwrap_or_default();
    let slow = count("slow_readers");
    findings.holds(
        &format!("{slow} slow readers are counted"),
        slow == crowd as u64,
    );
    Ok(())
}

/// Afterwards all is as ever.
fn goes_on(
    server: &Server,
    logins: &[Login],
    tally: &Tally,
    findings: &mut Findings,
) -> Result<()> {
    let mut steady = Steady::join(server.door.address, logins, tally, PER_S)?;
    steady.run(Duration::from_millis(500))?;
    steady.settle(PATIENCE)?;
    findings.none("stale targets told afterwards", steady.tally.stale);
    Ok(())
}
