//! The settings of a start: as the house's folder, the environment and the command line say. Those of the last start are kept
//! beside its state: where the folder is gone, a house must not open doors that its owner had closed.
//!
//! Called by a start.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use store::contents::LAST_SETTINGS;

use super::last_in_force;
use crate::{
    cli, command, printer,
    settings::{self, Anonymous, BYTES_MAX, Mqtt, Settings},
    simulate::Transport,
    whole,
};

/// The settings, where there is a house to run: in its folder, or, where that lost its files, in the state that is kept of it.
pub(super) fn settings(options: &cli::Run) -> anyhow::Result<Settings> {
    let is_there = command::house::is_there(&options.house, "iot-control run HOUSE");
    match (read(options), is_there) {
        (found, Ok(())) => found,
        (Ok(read), Err(why)) => match last_in_force(options, &read) {
            Ok(Some(_)) if !options.replace_house => settings_that_are_gone(options, read),
            _ => Err(why),
        },
        (Err(_), Err(why)) => Err(why),
    }
}

/// The settings of a house whose mapping is gone: where settings.toml is gone too, those of the last start, for without them
/// the house would listen where its owner does not want it.
fn settings_that_are_gone(options: &cli::Run, read: Settings) -> anyhow::Result<Settings> {
    let path = options.house.join(settings::FILE);
    if path.symlink_metadata().is_ok() {
        return Ok(read);
    }
    let path = path.display();
    match kept(&state_folder(options, &read)) {
        Some(text) if text.is_empty() => Ok(read),
        Some(text) => {
            printer::tell(format_args!(
                "{path} is gone; the settings of the last start go on"
            ));
            Ok(as_options_say(
                Settings::of_text(settings::FILE, &text)?,
                options,
            ))
        }
        None => {
            printer::tell(format_args!(
                "{path} may be gone: no settings are kept of the last start, and those go on that a house has without any"
            ));
            Ok(read)
        }
    }
}

/// The state folder of this start.
pub(super) fn state_folder(options: &cli::Run, settings: &Settings) -> PathBuf {
    settings.state_folder(options.simulate.then_some(options.house.as_path()))
}

fn read(options: &cli::Run) -> anyhow::Result<Settings> {
    Ok(as_options_say(Settings::read(&options.house)?, options))
}

/// The settings as the options change them: simulation stays on this machine.
fn as_options_say(mut settings: Settings, options: &cli::Run) -> Settings {
    if let Some(folder) = &options.state.folder {
        settings.state = Some(folder.clone());
    }
    if options.simulate {
        settings.mqtt.anonymous = Anonymous::Loopback;
        if settings.broker.take().is_some() && settings.mqtt.listen.is_empty() {
            settings.mqtt.listen = Mqtt::default().listen;
        }
        let mqtt = &mut settings.mqtt;
        let others = [
            &mut mqtt.tls_listen,
            &mut mqtt.websocket_listen,
            &mut mqtt.websocket_tls_listen,
        ];
        for address in mqtt.listen.iter_mut().chain(others.into_iter().flatten()) {
            stay_here(address);
        }
        let is_over_udp = options.sealed && options.transport == Transport::Udp;
        if is_over_udp && settings.udp.listen.is_empty() {
            settings.udp.listen = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
        }
        settings.udp.listen.iter_mut().for_each(stay_here);
    }
    settings
}

fn stay_here(address: &mut SocketAddr) {
    address.set_ip(match address {
        SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
        SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
    });
}

/// Keeps what stands in the settings of `house` now; nothing, where it has none.
///
/// # Errors
/// They can't be read, or the copy can't be written.
pub(super) fn keep(state: &Path, house: &Path) -> io::Result<()> {
    let text = mapping::disk::text_or_empty(&house.join(settings::FILE), BYTES_MAX)
        .map_err(|why| io::Error::other(why.to_string()))?;
    whole::write(&state.join(LAST_SETTINGS), &text)
}

/// What was kept. `None`: nothing was, or it can't be read.
fn kept(state: &Path) -> Option<String> {
    mapping::disk::text(&state.join(LAST_SETTINGS), BYTES_MAX).ok()
}
