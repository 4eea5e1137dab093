//! A broker as a process of its own: started, waited for, measured from outside, killed. Called by the bench, by faults and by
//! the conformance suite.

use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustls::ClientConfig;

use super::{
    packet::{self, Login},
    stream,
};
use crate::shell;

/// A start that takes longer has failed.
const START_MAX: Duration = Duration::from_secs(30);
/// How often a starting broker is asked.
const ASK_EVERY: Duration = Duration::from_micros(500);
/// Clock ticks a second in /proc/PID/stat; the same on every Linux that Rust runs on.
const TICKS_PER_S: f64 = 100.0;

/// Where clients come in.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    /// Through TLS, with these settings.
    pub(crate) tls: Option<Arc<ClientConfig>>,
}

/// A running broker, and what belongs to it; killed when dropped.
pub(crate) struct Server {
    pub(crate) door: Door,
    /// From its start to the first client that is let in, or to the first command where a helper makes them.
    pub(crate) ready: Duration,
    start: Instant,
    /// The broker, then its helpers.
    children: Vec<Child>,
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
        let mut server = Self {
            door: Door { address, tls: None },
            ready: Duration::ZERO,
            start: Instant::now(),
            children: Vec::new(),
        };
        server.join(command)?;
        while !lets_in(address, login) {
            server.expect_alive()?;
            if server.start.elapsed() > START_MAX {
                bail!("`{line}` lets nobody in at {address}");
            }
            thread::sleep(ASK_EVERY);
        }
        server.is_ready();
        Ok(server)
    }

    /// Clients come in through TLS from now on.
    ///
    /// # Errors
    /// The CA's file holds no certificate.
    pub(crate) fn move_to(&mut self, address: SocketAddr, ca: &Path) -> Result<()> {
        let tls = Some(stream::trust(ca)?);
        self.door = Door { address, tls };
        Ok(())
    }

    /// Only now it is.
    pub(crate) fn is_ready(&mut self) {
        self.ready = self.start.elapsed();
    }

    /// Starts a helper beside the broker: what it takes of memory and processors counts too.
    ///
    /// # Errors
    /// It can't be started.
    pub(crate) fn join(&mut self, command: &mut Command) -> Result<()> {
        let child = command
            .spawn()
            .with_context(|| format!("can't start `{}`", shell::line(command)))?;
        self.children.push(child);
        Ok(())
    }

    /// # Errors
    /// The broker or a helper has ended.
    pub(crate) fn expect_alive(&mut self) -> Result<()> {
        for child in &mut self.children {
            if let Some(status) = child.try_wait()? {
                bail!("process {} ended: {status}", child.id());
            }
        }
        Ok(())
    }

    /// Of its processes.
    pub(crate) fn ids(&self) -> Vec<u32> {
        self.children.iter().map(Child::id).collect()
    }

    /// Of its first process.
    pub(crate) fn id(&self) -> u32 {
        self.children.first().map_or(0, Child::id)
    }

    /// Ends it as a crash does.
    ///
    /// # Errors
    /// It had ended before.
    pub(crate) fn kill_9(mut self) -> Result<()> {
        self.expect_alive()?;
        for child in &mut self.children {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Files that it has open, sockets too.
    ///
    /// # Errors
    /// There is no /proc.
    pub(crate) fn open_files(&self) -> Result<usize> {
        let path = format!("/proc/{}/fd", self.id());
        let files = fs::read_dir(&path).with_context(|| format!("can't list {path}"))?;
        Ok(files.count())
    }

    /// Bytes that it made the kernel write to disks so far, in whole pages.
    ///
    /// # Errors
    /// There is no /proc.
    pub(crate) fn written_bytes(&self) -> Result<u64> {
        let path = format!("/proc/{}/io", self.id());
        let text = fs::read_to_string(&path).with_context(|| format!("can't read {path}"))?;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("write_bytes:"));
        line.and_then(|line| line.trim().parse().ok())
            .with_context(|| format!("{path} has no write_bytes"))
    }

    /// Memory of its own in RAM, in MiB.
    ///
    /// # Errors
    /// There is no /proc.
    pub(crate) fn rss_mib(&self) -> Result<f64> {
        self.ids().into_iter().map(rss_mib).sum()
    }

    /// Time it spent on processors so far, in seconds.
    ///
    /// # Errors
    /// There is no /proc.
    pub(crate) fn cpu_s(&self) -> Result<f64> {
        self.ids().into_iter().map(cpu_s).sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // They may have ended already; nobody is left to tell.
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn rss_mib(process: u32) -> Result<f64> {
    let path = format!("/proc/{process}/status");
    let text = fs::read_to_string(&path).with_context(|| format!("can't read {path}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    kib.map(|kib| kib / 1024.0)
        .with_context(|| format!("{path} has no VmRSS"))
}

fn cpu_s(process: u32) -> Result<f64> {
    let path = format!("/proc/{process}/stat");
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
        Ok::<_, std::io::Error>(answer == packet::CONNACK)
    };
    ask().unwrap_or(false)
}
