//! A broker as a process of its own: started, waited for, measured from outside, killed. Called by both sides.

use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::{Child, Command},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use super::packet::{self, Login};
use crate::shell;

/// A start that takes longer has failed.
const START_MAX: Duration = Duration::from_secs(30);
/// How often a starting broker is asked.
const ASK_EVERY: Duration = Duration::from_micros(500);
/// Clock ticks a second in /proc/PID/stat; the same on every Linux that Rust runs on.
const TICKS_PER_S: f64 = 100.0;

/// A running broker; killed when dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// From its start to the first client that is let in.
    pub(crate) ready: Duration,
    child: Child,
}

impl Server {
    /// Starts it and waits until it lets a client in.
    ///
    /// # Errors
    /// It ends, or lets nobody in within half a minute.
    pub(crate) fn start(
        command: &mut Command,
        address: SocketAddr,
        login: Option<&Login>,
    ) -> Result<Self> {
        let line = shell::line(command);
        let start = Instant::now();
        let child = command
            .spawn()
            .with_context(|| format!("can't start `{line}`"))?;
        let mut server = Self {
            address,
            ready: Duration::ZERO,
            child,
        };
        while !lets_in(address, login) {
            if let Some(status) = server.child.try_wait()? {
                bail!("`{line}` ended: {status}");
            }
            if start.elapsed() > START_MAX {
                bail!("`{line}` lets nobody in at {address}");
            }
            thread::sleep(ASK_EVERY);
        }
        server.ready = start.elapsed();
        Ok(server)
    }

    /// Of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Memory of its own in RAM, in MiB.
    ///
    /// # Errors
    /// There is no /proc.
    pub(crate) fn rss_mib(&self) -> Result<f64> {
        let path = format!("/proc/{}/status", self.child.id());
        let text = fs::read_to_string(&path).with_context(|| format!("can't read {path}"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<f64>().ok());
        kib.map(|kib| kib / 1024.0)
            .with_context(|| format!("{path} has no VmRSS"))
    }

    /// Time it spent on processors so far, in seconds.
    ///
    /// # Errors
    /// There is no /proc.
    pub(crate) fn cpu_s(&self) -> Result<f64> {
        let path = format!("/proc/{}/stat", self.child.id());
        let text = fs::read_to_string(&path).with_context(|| format!("can't read {path}"))?;
        // Fields 14 and 15; the name, which may hold anything, ends with the last bracket (proc(5)).
        let (_, fields) = text
            .rsplit_once(')')
            .with_context(|| format!("{path} has no name"))?;
        let ticks: Vec<f64> = fields
            .split_whitespace()
            .skip(11)
            .take(2)
            .flat_map(str::parse)
            .collect();
        Ok(ticks.iter().sum::<f64>() / TICKS_PER_S)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already; nobody is left to tell.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address of this machine that nobody listens at.
///
/// # Errors
/// There is none.
pub(crate) fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
    Ok(listener.local_addr()?)
}

/// Whether a client gets in.
fn lets_in(address: SocketAddr, login: Option<&Login>) -> bool {
    let ask = || {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(START_MAX))?;
        stream.write_all(&packet::connect("first", login))?;
        let mut answer = [0; 4];
        stream.read_exact(&mut answer)?;
        Ok::<_, std::io::Error>(answer == [0x20, 2, 0, 0])
    };
    ask().unwrap_or(false)
}
