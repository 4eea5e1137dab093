//! A module of the house as its connection: what it reported, what was acknowledged, what it was told.

use std::{
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::Value as Json;

use crate::bench::broker::{
    client::Client,
    packet::{self, Answer, Login, Packet},
    server::Door,
};

/// A message that came.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) topic: String,
    pub(crate) payload: Json,
}

/// A connection at QoS 1 that never waits unless it is asked to.
pub(crate) struct Module {
    client: Client,
    /// Reports so far, and how many of them were acknowledged; in the same order (MQTT 3.1.1, 4.6).
    pub(crate) sent: u64,
    pub(crate) acked: u64,
    /// What [`Self::await_told`] passed over is gone; what it did not look at yet is here.
    early: Vec<Told>,
}

impl Module {
    /// Connects and subscribes.
    ///
    /// # Errors
    /// It is not let in.
    pub(crate) fn join(address: SocketAddr, login: &Login, filters: &[&str]) -> Result<Self> {
        Self::join_as(address, &login.user, login, filters)
    }

    /// As [`Self::join`], under a client id of its own.
    ///
    /// # Errors
    /// It is not let in.
    pub(crate) fn join_as(
        address: SocketAddr,
        id: &str,
        login: &Login,
        filters: &[&str],
    ) -> Result<Self> {
        let door = Door { address, tls: None };
        let mut client = Client::connect(&door, id, Some(login))?;
        client.set_nonblocking(true)?;
        for filter in filters {
            client.out.extend(packet::subscribe(filter, 1));
        }
        client.flush()?;
        Ok(Self {
            client,
            sent: 0,
            acked: 0,
            early: Vec::new(),
        })
    }

    /// Publishes at QoS 1.
    ///
    /// # Errors
    /// The connection is over.
    pub(crate) fn report(&mut self, topic: &str, payload: &str) -> Result<()> {
        self.sent += 1;
        let id = (self.sent % 0xffff + 1) as u16;
        let payload = [payload.as_bytes()];
        packet::publish(&mut self.client.out, topic.as_bytes(), &payload, 1, id);
        self.client.flush()
    }

    /// Reports that wait for their acknowledgement.
    pub(crate) fn unacked(&self) -> u64 {
        self.sent - self.acked
    }

    /// Takes what came, without waiting, and acknowledges it.
    ///
    /// # Errors
    /// The connection is over, or a subscription was refused.
    pub(crate) fn take(&mut self) -> Result<Vec<Told>> {
        let read = self.client.fill();
        let mut told = std::mem::take(&mut self.early);
        while let Some(packet) = self.client.inbox.take()? {
            match packet {
                Packet::PubAck => self.acked += 1,
                Packet::SubAck { code } if code > 2 => bail!("a subscription is refused"),
                Packet::Publish {
                    packet_id,
                    topic,
                    payload,
                    ..
                } => {
                    told.push(Told {
                        topic: String::from_utf8_lossy(topic).into_owned(),
                        payload: serde_json::from_slice(payload).unwrap_or_default(),
                    });
                    if packet_id > 0 {
                        packet::answer(&mut self.client.out, Answer::Acknowledged, packet_id);
                    }
                }
                _ => {}
            }
        }
        if let Err(error) = read {
            // What came before the end counts; the next call says it again.
            if told.is_empty() {
                return Err(error);
            }
            return Ok(told);
        }
        self.client.flush()?;
        Ok(told)
    }

    /// Waits until there may be something to take, or `at_most` is over.
    ///
    /// # Errors
    /// The operating system refuses.
    pub(crate) fn wait(&self, at_most: Duration) -> Result<()> {
        let mut ready = [PollFd::from_borrowed_fd(self.client.fd(), PollFlags::IN)];
        let at_most = Timespec {
            tv_sec: at_most.as_secs().try_into()?,
            tv_nsec: at_most.subsec_nanos().into(),
        };
        poll(&mut ready, Some(&at_most))?;
        Ok(())
    }

    /// Waits for the first message that `found` makes something of.
    ///
    /// # Errors
    /// None came in time, or the connection is over.
    pub(crate) fn await_told<T>(
        &mut self,
        what: &str,
        patience: Duration,
        found: impl Fn(&Told) -> Option<T>,
    ) -> Result<T> {
        let start = Instant::now();
        loop {
            let told = self.take()?;
            if let Some(at) = told.iter().position(|told| found(told).is_some()) {
                self.early = told[at + 1..].to_vec();
                return found(&told[at]).context("it was found");
            }
            let left = patience.saturating_sub(start.elapsed());
            if left.is_zero() {
                bail!("waited in vain for {what}");
            }
            self.wait(left)?;
        }
    }

    /// Waits until all that was reported is acknowledged.
    ///
    /// # Errors
    /// It is not in time, or the connection is over.
    pub(crate) fn await_acks(&mut self, patience: Duration) -> Result<()> {
        let start = Instant::now();
        while self.unacked() > 0 {
            let mut told = self.take()?;
            self.early.append(&mut told);
            if start.elapsed() > patience {
                bail!("{} reports are not acknowledged", self.unacked());
            }
            self.wait(Duration::from_millis(20))?;
        }
        Ok(())
    }

    /// After the dispatcher's end: takes what it still said, and gives how many reports were acknowledged in all.
    pub(crate) fn last_words(mut self) -> u64 {
        let start = Instant::now();
        while self.take().is_ok() && start.elapsed() < Duration::from_secs(3) {
            thread::sleep(Duration::from_micros(100));
        }
        self.acked
    }
}
