//! The way to the dispatcher: datagrams to where its name leads.

use embassy_net::{
    IpAddress, IpEndpoint, Stack,
    dns::DnsQueryType,
    udp::{PacketMetadata, UdpSocket},
};
use embassy_time::{Duration, Timer};
use log::warn;

/// Datagrams that wait, each way.
const WAITING: usize = 8;
const WAITING_BYTES: usize = 4 * wire::FRAME_LEN_MAX;

/// A name that leads nowhere is asked for again after so long, longer each time.
const AGAIN_S: [u64; 5] = [1, 2, 5, 10, 30];

/// Room for a way.
pub(crate) struct Sockets {
    rx_meta: [PacketMetadata; WAITING],
    tx_meta: [PacketMetadata; WAITING],
    rx: [u8; WAITING_BYTES],
    tx: [u8; WAITING_BYTES],
}

impl Sockets {
    pub(crate) fn new() -> Self {
        Self {
            rx_meta: [PacketMetadata::EMPTY; WAITING],
            tx_meta: [PacketMetadata::EMPTY; WAITING],
            rx: [0; WAITING_BYTES],
            tx: [0; WAITING_BYTES],
        }
    }
}

pub(crate) struct Way<'s> {
    socket: UdpSocket<'s>,
    to: IpEndpoint,
}

impl<'s> Way<'s> {
    /// Waits for an address of its own, and for that of `host`.
    pub(crate) async fn open(
        stack: Stack<'s>,
        sockets: &'s mut Sockets,
        host: &str,
        port: u16,
    ) -> Self {
        stack.wait_config_up().await;
        let to = IpEndpoint::new(find(stack, host).await, port);
        let mut socket = UdpSocket::new(
            stack,
            &mut sockets.rx_meta,
            &mut sockets.rx,
            &mut sockets.tx_meta,
            &mut sockets.tx,
        );
        if let Err(why) = socket.bind(0) {
            // Any port will do: nothing else runs here.
            warn!("no port: {why:?}");
        }
        Self { socket, to }
    }

    /// The next datagram, at the start of `room`: its length. Whoever it is from: what is not genuine does nothing.
    pub(crate) async fn receive(&self, room: &mut [u8]) -> usize {
        loop {
            // One that is too long is none of ours.
            if let Ok((len, _)) = self.socket.recv_from(room).await {
                return len;
            }
        }
    }

    /// Sends a datagram; one that finds no way is said again by the link.
    pub(crate) async fn send(&self, datagram: &[u8]) {
        let _ = self.socket.send_to(datagram, self.to).await;
    }
}

async fn find(stack: Stack<'_>, host: &str) -> IpAddress {
    let mut pauses = AGAIN_S.into_iter();
    loop {
        match stack.dns_query(host, DnsQueryType::A).await {
            Ok(found) => {
                if let Some(address) = found.first() {
                    return *address;
                }
                warn!("{host} has no address");
            }
            Err(why) => warn!("nobody knows where {host} is: {why:?}"),
        }
        let pause = pauses.next().unwrap_or(AGAIN_S[AGAIN_S.len() - 1]);
        Timer::after(Duration::from_secs(pause)).await;
    }
}
