//! `iot-control device import`: what announces itself at a broker, as devices of a house.

use std::{collections::BTreeSet, path::Path, process::ExitCode, time::Duration};

use anyhow::{Context, anyhow, bail};
use edit::{Edit, House, NewDevice};
use mapping::blocklist;
use rumqttc_v5::{
    AsyncClient, ConnectionError, Event, MqttOptions, Transport,
    mqttbytes::{
        QoS,
        v5::{ConnectReturnCode, Packet},
    },
};
use serde_json::Value as Json;
use tokio::time::{Instant, timeout_at};

use super::{edit::finish, user::read_password};
use crate::{
    cli::{Discover, How},
    control::{Request, client},
    discover::{Announcement, Discovered, Source, discover},
    printer,
    settings::External,
};

/// After so long without a word, nothing more is awaited: what is retained comes at once.
const QUIET: Duration = Duration::from_secs(1);

/// The largest message that is taken, in bytes; a broker leaves larger ones out.
const PACKET_BYTES_MAX: u32 = 64 * 1024 * 1024;

/// More than this of announcements together is not kept, in bytes.
const ALL_BYTES_MAX: usize = 128 * 1024 * 1024;

/// Messages between the socket and us.
const REQUESTS_MAX: usize = 16;

/// Looks for devices, and shows or appends their tables.
pub(crate) fn import(options: &Discover) -> anyhow::Result<ExitCode> {
    let house = House::open(&options.house);
    let is_house = !house.analysis().mapping.is_empty();
    if options.write && !is_house {
        bail!(
            "{}: no house is here: a house is a folder with a mapping.toml",
            options.house.display()
        );
    }
    let sources = match &*options.from {
        [] => Source::ALL.to_vec(),
        from => from.to_vec(),
    };
    let messages = messages(options, &sources)?;
    let program = &house.analysis().draft;
    let found = discover(program, &blocked(&options.house), &sources, &messages);
    for note in &found.notes {
        printer::tell(format_args!("note: {note}"));
    }
    if !found.known.is_empty() {
        let known: Vec<&str> = found.known.iter().map(String::as_str).collect();
        printer::tell(format_args!("the house has already: {}", known.join(", ")));
    }
    if found.devices.is_empty() {
        tell_of_nothing(options, &sources, &messages, &found);
        return Ok(ExitCode::SUCCESS);
    }
    let change = house.edit(&Edit::AddDevices(found.devices.clone()))?;
    if options.write {
        return finish(&options.house, &house, &change, How { dry_run: false });
    }
    let tables = found.devices.iter().map(NewDevice::text);
    printer::results(tables.collect::<Vec<_>>().join("\n"));
    let count = found.devices.len();
    printer::tell(format_args!("--write appends these {count} to the house"));
    Ok(ExitCode::SUCCESS)
}

fn tell_of_nothing(
    options: &Discover,
    sources: &[Source],
    messages: &[Announcement],
    found: &Discovered,
) {
    if !found.known.is_empty() || !found.notes.is_empty() {
        printer::tell("nothing new");
        return;
    }
    let filters: Vec<&str> = sources
        .iter()
        .flat_map(|source| source.filters())
        .copied()
        .collect();
    printer::tell(format_args!(
        "nothing announces itself on {}",
        filters.join(", ")
    ));
    if options.broker.is_none() && messages.is_empty() {
        printer::tell(
            "a bridge's login lets it announce: iot-control user add z2m --bridge 'zigbee2mqtt/#'; another broker is asked with --broker mqtt://user@host",
        );
    }
}

/// Numbers that stand in the blocklist: a new device must not be blocked by what was blocked before.
fn blocked(folder: &Path) -> BTreeSet<u16> {
    let blocks = blocklist::load(folder).blocks.unwrap_or_default();
    let numbers = blocks.iter().filter_map(|block| match block.subject {
        blocklist::Subject::Id(id) => Some(id),
        blocklist::Subject::Name(_) => block.id,
    });
    numbers.map(|id| id.0).collect()
}

fn messages(options: &Discover, sources: &[Source]) -> anyhow::Result<Vec<Announcement>> {
    let filters: Vec<&str> = sources
        .iter()
        .flat_map(|source| source.filters())
        .copied()
        .collect();
    let Some(broker) = &options.broker else {
        return retained(options, &filters);
    };
    let external = External::parse(broker).map_err(|why| anyhow!("--broker {why}"))?;
    let external =
        external.ok_or_else(|| anyhow!("without --broker the running dispatcher is asked"))?;
    let password = match &external.user {
        Some(user) => Some(read_password(user, options.password_stdin)?),
        None => None,
    };
    let patience = Duration::from_secs(u64::from(options.seconds));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let heard = runtime.block_on(listen(&external, password, &filters, patience));
    heard.with_context(|| format!("the broker {external}"))
}

/// What lies retained at the running dispatcher.
fn retained(options: &Discover, filters: &[&str]) -> anyhow::Result<Vec<Announcement>> {
    let mut connection = client::connect(options.state.folder.as_deref())?;
    let filters = filters.iter().map(|&filter| filter.to_owned()).collect();
    let answer = connection.ask(&Request::Retained { filters })?;
    let rows = answer.as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |row: &Json, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let messages = rows.iter().map(|row| Announcement {
        topic: text(row, "topic"),
        payload: text(row, "payload").into_bytes(),
    });
    Ok(messages.collect())
}

/// What comes from an external broker until it is quiet, or patience ends.
async fn listen(
    external: &External,
    password: Option<String>,
    filters: &[&str],
    patience: Duration,
) -> anyhow::Result<Vec<Announcement>> {
    let id = format!("iot-control-import-{:08x}", getrandom::u32()?);
    let mut options = MqttOptions::new(id, (external.host.clone(), external.port));
    options
        .set_max_packet_size(Some(PACKET_BYTES_MAX))
        .set_clean_start(true);
    if let Some(user) = &external.user {
        options.set_credentials(user.clone(), password.unwrap_or_default());
    }
    if external.tls {
        options.set_transport(
            Transport::try_tls_with_default_config().context("this machine's certificates")?,
        );
    }
    let (client, mut events) = AsyncClient::builder(options).capacity(REQUESTS_MAX).build();
    let end = Instant::now() + patience;
    let mut quiet = end;
    let mut waiting = filters.len();
    let (mut messages, mut bytes) = (Vec::new(), 0);
    while let Ok(event) = timeout_at(quiet.min(end), events.poll()).await {
        match event.map_err(|error| reason(&error))? {
            Event::Incoming(Packet::ConnAck(_)) => {
                for filter in filters {
                    client.try_subscribe(*filter, QoS::AtLeastOnce)?;
                }
            }
            Event::Incoming(Packet::SubAck(_)) => {
                waiting = waiting.saturating_sub(1);
                if waiting == 0 {
                    quiet = Instant::now() + QUIET;
                }
            }
            Event::Incoming(Packet::Publish(message)) => {
                bytes += message.payload.len();
                if bytes > ALL_BYTES_MAX {
                    bail!(
                        "more than {} MB of announcements; --from asks for some of them",
                        ALL_BYTES_MAX >> 20
                    );
                }
                messages.push(Announcement {
                    topic: String::from_utf8_lossy(&message.topic).into_owned(),
                    payload: message.payload.to_vec(),
                });
                if waiting == 0 {
                    quiet = Instant::now() + QUIET;
                }
            }
            _ => {}
        }
    }
    if waiting > 0 {
        bail!("it did not answer within {} s", patience.as_secs());
    }
    Ok(newest(messages))
}

/// Of each topic the newest message.
fn newest(messages: Vec<Announcement>) -> Vec<Announcement> {
    let mut newest: Vec<Announcement> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for message in messages {
        match places.get(&message.topic) {
            Some(place) => {
                let place: usize = *place;
                newest[place] = message;
            }
            None => {
                places.insert(message.topic.clone(), newest.len());
                newest.push(message);
            }
        }
    }
    newest
}

fn reason(error: &ConnectionError) -> anyhow::Error {
    match error {
        ConnectionError::ConnectionRefused(
            ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized,
        ) => anyhow!("it refuses this login"),
        error => anyhow!("{error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_that_is_told_twice_counts_once_and_newest() {
        let message = |topic: &str, payload: &str| Announcement {
            topic: topic.to_owned(),
            payload: payload.into(),
        };
        let heard = vec![message("a", "1"), message("b", "2"), message("a", "3")];
        assert_eq!(newest(heard), [message("a", "3"), message("b", "2")]);
    }
}
