//! The sealed link over UDP: datagrams come here and go straight to the house; answers leave from the same sockets.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    time::Duration,
};

use anyhow::{Context, anyhow};
use broker::{Outbox, tcp::Server};
use link::Address;

use crate::{run::app::App, settings::Settings};

/// Datagrams that are taken in one turn, so that no flood keeps others waiting.
const TURN: usize = 64;

/// Pause after a receive that failed; most often that passes.
const PAUSE: Duration = Duration::from_millis(100);

/// Opens the sockets.
pub(in crate::run) fn listen(settings: &Settings) -> anyhow::Result<Vec<UdpSocket>> {
    let addresses = settings.udp.listen.iter();
    addresses.map(|address| bind(*address)).collect()
}

fn bind(address: SocketAddr) -> anyhow::Result<UdpSocket> {
    let socket = UdpSocket::bind(address).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => anyhow!(
            "UDP {address} is taken: does another dispatcher run here? Stop it, or set another address: udp.listen in \
             settings.toml or IOT_CONTROL__UDP__LISTEN"
        ),
        _ => anyhow!(error).context(format!("listening on UDP {address}")),
    })?;
    socket
        .set_nonblocking(true)
        .with_context(|| format!("listening on UDP {address}"))?;
    Ok(socket)
}

/// Takes what comes, until it is dropped.
pub(in crate::run) async fn serve(server: Server<App>, socket: tokio::net::UdpSocket) {
    // One byte more than the longest frame: what is longer is none.
    let mut room = [0; wire::FRAME_LEN_MAX + 1];
    loop {
        if let Err(error) = socket.readable().await {
            tracing::warn!(%error, "can't receive datagrams; trying again");
            tokio::time::sleep(PAUSE).await;
            continue;
        }
        server.enter(|core, app, now| {
            let mut out = Outbox::default();
            for _ in 0..TURN {
                match socket.try_recv_from(&mut room) {
                    Ok((len, from)) => {
                        app.take_frame(now, Address::Udp(from), &room[..len], &mut out);
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    // An answer that nobody took comes back as an error here.
                    Err(error) => tracing::debug!(%error, "a datagram is lost"),
                }
            }
            core.send(now, out, app);
        });
        // A socket that is readable at once never lets others come in between by itself.
        tokio::task::yield_now().await;
    }
}
