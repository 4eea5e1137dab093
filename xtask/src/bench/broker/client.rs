//! One MQTT client of the load: a socket, what was read from it and what waits to be written. Called by the generator.

use std::{
    io::{self, Write},
    net::TcpStream,
    os::fd::{AsFd, BorrowedFd},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use rustix::event::{PollFd, PollFlags};

use super::{
    packet::{self, Inbox, Login, Packet},
    server::Door,
    stream::Stream,
};

/// Nothing takes longer than this in a broker that works, on a disk that others keep busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// One connection.
pub(crate) struct Client {
    stream: Stream,
    pub(crate) inbox: Inbox,
    /// Bytes that wait for [`Self::flush`].
    pub(crate) out: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(door: &Door, id: &str, login: Option<&Login>) -> Result<Self> {
        let socket = TcpStream::connect(door.address).context("can't reach the broker")?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let mut client = Self {
            stream: Stream::new(socket, door.tls.as_ref())?,
            inbox: Inbox::new(),
            out: packet::connect(id, login),
        };
        client.flush()?;
        match client.next()? {
            Packet::ConnAck { code: 0 } => Ok(client),
            answer => bail!("{id} is not let in: {answer:?}"),
        }
    }

    /// Of a connection that somebody else has opened.
    ///
    /// # Errors
    /// The socket takes no settings.
    pub(crate) fn accepted(socket: TcpStream) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            stream: Stream::Plain(socket),
            inbox: Inbox::new(),
            out: Vec::new(),
        })
    }

    pub(crate) fn subscribe(&mut self, filter: &str, qos: u8) -> Result<()> {
        self.out.extend(packet::subscribe(filter, qos));
        self.flush()?;
        loop {
            match self.next()? {
                Packet::SubAck { code } if code == qos => return Ok(()),
                Packet::SubAck { code } => bail!("{filter} is refused: {code:#x}"),
                // Retained messages may come before the answer.
                _ => {}
            }
        }
    }

    /// Waits for a packet.
    pub(crate) fn next(&mut self) -> Result<Packet<'_>> {
        self.wait()?;
        let packet = self.inbox.take()?;
        packet.context("a packet that was there is gone")
    }

    /// Waits until a packet can be taken.
    pub(crate) fn wait(&mut self) -> Result<()> {
        while !self.inbox.holds_packet()? {
            self.read_once()?;
        }
        Ok(())
    }

    /// Reads once; waits where the socket is a blocking one.
    ///
    /// # Errors
    /// `WouldBlock` or `TimedOut` where nothing came.
    pub(crate) fn read_once(&mut self) -> io::Result<()> {
        self.inbox.fill(&mut self.stream)
    }

    /// Reads once where there is something to read.
    pub(crate) fn fill(&mut self) -> Result<()> {
        match self.read_once() {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Writes as much as the socket takes.
    pub(crate) fn flush(&mut self) -> Result<()> {
        let mut written = 0;
        while written < self.out.len() {
            match self.stream.write(&self.out[written..]) {
                // As many bytes as it seals are sealed and not sent.
                Ok(0) => break,
                Ok(bytes) => written += bytes,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        self.out.drain(..written);
        match self.stream.push() {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Whether nothing waits to be written.
    pub(crate) fn is_flushed(&self) -> bool {
        self.out.is_empty() && !self.stream.is_behind()
    }

    pub(crate) fn set_nonblocking(&self, on: bool) -> io::Result<()> {
        self.stream.socket().set_nonblocking(on)
    }

    /// How long a read of a blocking socket waits.
    pub(crate) fn set_read_timeout(&self, at_most: Duration) -> io::Result<()> {
        self.stream.socket().set_read_timeout(Some(at_most))
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.stream.socket().as_fd()
    }

    pub(crate) fn interest(&self) -> PollFd<'_> {
        let write = if self.is_flushed() {
            PollFlags::empty()
        } else {
            PollFlags::OUT
        };
        PollFd::new(self.stream.socket(), PollFlags::IN | write)
    }
}
