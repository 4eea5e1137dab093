//! Everything that can be set: its key, and how its value gets into [`Settings`]. One table serves the file,
//! the environment and the messages about keys that are none; a test holds docs/settings.md against it.

use std::{path::PathBuf, time::Duration};

use broker::tcp::NoOrigin;

use super::{
    Anonymous, External, Settings, Switch,
    given::Given,
    notify::{KINDS, SECURITIES},
};

/// A key.
pub(super) struct Key {
    /// Sections and name, parted by dots. `*` is a name that somebody chose.
    pub(super) path: &'static str,
    /// Takes the value; else says what the key takes. The text is the name in place of the `*`.
    pub(super) set: fn(&mut Settings, &str, &Given<'_>) -> Result<(), String>,
}

impl Key {
    /// Whether this key is meant by `path`, and with which name.
    pub(super) fn matches<'p>(&self, path: &'p str) -> Option<&'p str> {
        let Some((before, after)) = self.path.split_once('*') else {
            return (self.path == path).then_some("");
        };
        let name = path.strip_prefix(before)?.strip_suffix(after)?;
        (!name.is_empty() && !name.contains('.')).then_some(name)
    }

    /// Whether keys like this stand somewhere below the section `path`.
    pub(super) fn is_below(&self, path: &str) -> bool {
        let mut ours = self.path.split('.');
        path.split('.')
            .all(|name| ours.next().is_some_and(|our| our == "*" || our == name))
            && ours.next().is_some()
    }
}

/// Names of devices and of what settings name themselves.
pub(super) fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(fits) && name.len() <= 32
}

/// All of them, in the order of the documentation.
pub(super) const KEYS: &[Key] = &[
    Key {
        path: "state",
        set: |settings, _, given| {
            let folder = given.text()?;
            if folder.is_empty() {
                return Err("takes a folder, not an empty text".to_owned());
            }
            if folder == "~" || folder.starts_with("~/") {
                return Err(format!(
                    "`~` is a shell's word and means no folder here: write the path whole, such as \"/home/NAME{}\"",
                    folder[1..].escape_debug()
                ));
            }
            settings.state = Some(PathBuf::from(folder));
            Ok(())
        },
    },
    Key {
        path: "stream",
        set: |settings, _, given| {
            settings.stream = Some(given.word(&[("on", Switch::On), ("off", Switch::Off)])?);
            Ok(())
        },
    },
    Key {
        path: "broker",
        set: |settings, _, given| {
            settings.broker = External::parse(&given.text()?)?;
            Ok(())
        },
    },
    Key {
        path: "broker_password",
        set: |settings, _, given| {
            settings.broker_password = Some(given.secret()?);
            Ok(())
        },
    },
    Key {
        path: "broker_ca",
        set: |settings, _, given| {
            settings.broker_ca = Some(PathBuf::from(given.filled()?));
            Ok(())
        },
    },
    Key {
        path: "mqtt.listen",
        set: |settings, _, given| {
            settings.mqtt.listen = given.addresses()?;
            Ok(())
        },
    },
    Key {
        path: "mqtt.tls_listen",
        set: |settings, _, given| {
            settings.mqtt.tls_listen = given.addresses()?;
            Ok(())
        },
    },
    Key {
        path: "mqtt.websocket_listen",
        set: |settings, _, given| {
            settings.mqtt.websocket_listen = given.addresses()?;
            Ok(())
        },
    },
    Key {
        path: "mqtt.websocket_tls_listen",
        set: |settings, _, given| {
            settings.mqtt.websocket_tls_listen = given.addresses()?;
            Ok(())
        },
    },
    Key {
        path: "mqtt.websocket_origins",
        set: |settings, _, given| {
            let origins = given.texts()?.into_iter();
            let origins = origins.map(|text| {
                let text = text.trim();
                text.parse()
                    .map_err(|why: NoOrigin| format!("{text:?}: {why}"))
            });
            settings.mqtt.websocket_origins = origins.collect::<Result<_, _>>()?;
            Ok(())
        },
    },
    Key {
        path: "mqtt.anonymous",
        set: |settings, _, given| {
            let words = [
                ("never", Anonymous::Never),
                ("loopback", Anonymous::Loopback),
            ];
            settings.mqtt.anonymous = given.word(&words)?;
            Ok(())
        },
    },
    Key {
        path: "mqtt.connections_max",
        set: |settings, _, given| {
            settings.mqtt.connections_max = given.number(1..=1_000_000)?;
            Ok(())
        },
    },
    Key {
        path: "mqtt.address_connections_per_s_max",
        set: |settings, _, given| {
            settings.mqtt.address_connections_per_s_max = given.number(1..=1_000_000)?;
            Ok(())
        },
    },
    Key {
        path: "mqtt.packet_bytes_max",
        set: |settings, _, given| {
            // Below, targets and roles would not fit; above, MQTT itself ends.
            settings.mqtt.packet_bytes_max = given.number(1_024..=268_435_455)?;
            Ok(())
        },
    },
    Key {
        path: "mqtt.client_messages_per_s_max",
        set: |settings, _, given| {
            settings.mqtt.client_messages_per_s_max = given.number(0..=10_000_000)?;
            Ok(())
        },
    },
    Key {
        path: "mqtt.burst_pause_us_max",
        set: |settings, _, given| {
            settings.mqtt.burst_pause_us_max = given.number(0..=10_000)?;
            Ok(())
        },
    },
    Key {
        path: "mqtt.sys_interval_s",
        set: |settings, _, given| {
            settings.mqtt.sys_interval_s = given.number(0..=86_400)?;
            Ok(())
        },
    },
    Key {
        path: "tls.certificate",
        set: |settings, _, given| {
            settings.tls.certificate = Some(PathBuf::from(given.filled()?));
            Ok(())
        },
    },
    Key {
        path: "tls.key",
        set: |settings, _, given| {
            settings.tls.key = Some(PathBuf::from(given.filled()?));
            Ok(())
        },
    },
    Key {
        path: "tls.client_ca",
        set: |settings, _, given| {
            settings.tls.client_ca = Some(PathBuf::from(given.filled()?));
            Ok(())
        },
    },
    Key {
        path: "udp.listen",
        set: |settings, _, given| {
            settings.udp.listen = given.addresses_or_none()?;
            Ok(())
        },
    },
    Key {
        path: "web.listen",
        set: |settings, _, given| {
            settings.web.listen = given.addresses_or_none()?;
            Ok(())
        },
    },
    Key {
        path: "mdns.announce",
        set: |settings, _, given| {
            let words = [("on", Switch::On), ("off", Switch::Off)];
            settings.mdns.announce = given.word(&words)?;
            Ok(())
        },
    },
    Key {
        path: "mdns.interfaces",
        set: |settings, _, given| {
            settings.mdns.interfaces = given.texts()?;
            Ok(())
        },
    },
    Key {
        path: "engine.fuse",
        set: |settings, _, given| {
            settings.engine.fuse = given.count(1..=1_000_000)?;
            Ok(())
        },
    },
    Key {
        path: "journal.sync_s",
        set: |settings, _, given| {
            settings.journal.sync_s = given.number(0..=86_400)?;
            Ok(())
        },
    },
    Key {
        path: "journal.keep_days",
        set: |settings, _, given| {
            settings.journal.keep_days = given.count(1..=36_500)?;
            Ok(())
        },
    },
    Key {
        path: "journal.size_mib_max",
        set: |settings, _, given| {
            settings.journal.size_mib_max = given.number(1..=1_048_576)?;
            Ok(())
        },
    },
    Key {
        path: "history.keep_days",
        set: |settings, _, given| {
            settings.history.keep_days = given.count(1..=36_500)?;
            Ok(())
        },
    },
    Key {
        path: "home_assistant.discovery",
        set: |settings, _, given| {
            let words = [("on", Switch::On), ("off", Switch::Off)];
            settings.home_assistant.discovery = given.word(&words)?;
            Ok(())
        },
    },
    Key {
        path: "home_assistant.prefix",
        set: |settings, _, given| {
            let prefix = given.filled()?;
            if let Some(why) = dispatcher::home_assistant::not_a_prefix(&prefix) {
                return Err(why.to_owned());
            }
            settings.home_assistant.prefix = prefix.into();
            Ok(())
        },
    },
    Key {
        path: "notify.*.kind",
        set: |settings, name, given| {
            settings.notify.table(name).kind = Some(given.word(&KINDS)?);
            Ok(())
        },
    },
    Key {
        path: "notify.*.url",
        set: |settings, name, given| {
            settings.notify.table(name).url = Some(given.secret()?);
            Ok(())
        },
    },
    Key {
        path: "notify.*.topic",
        set: |settings, name, given| {
            settings.notify.table(name).topic = Some(given.secret()?);
            Ok(())
        },
    },
    Key {
        path: "notify.*.token",
        set: |settings, name, given| {
            settings.notify.table(name).token = Some(given.secret()?);
            Ok(())
        },
    },
    Key {
        path: "notify.*.field",
        set: |settings, name, given| {
            settings.notify.table(name).field = Some(given.filled()?);
            Ok(())
        },
    },
    Key {
        path: "notify.*.host",
        set: |settings, name, given| {
            settings.notify.table(name).host = Some(given.filled()?);
            Ok(())
        },
    },
    Key {
        path: "notify.*.port",
        set: |settings, name, given| {
            settings.notify.table(name).port = Some(given.number(1..=65_535)?);
            Ok(())
        },
    },
    Key {
        path: "notify.*.security",
        set: |settings, name, given| {
            settings.notify.table(name).security = Some(given.word(&SECURITIES)?);
            Ok(())
        },
    },
    Key {
        path: "notify.*.user",
        set: |settings, name, given| {
            settings.notify.table(name).user = Some(given.filled()?);
            Ok(())
        },
    },
    Key {
        path: "notify.*.password",
        set: |settings, name, given| {
            settings.notify.table(name).password = Some(given.secret()?);
            Ok(())
        },
    },
    Key {
        path: "notify.*.from",
        set: |settings, name, given| {
            settings.notify.table(name).from = Some(given.filled()?);
            Ok(())
        },
    },
    Key {
        path: "notify.*.to",
        set: |settings, name, given| {
            settings.notify.table(name).to = Some(given.texts()?);
            Ok(())
        },
    },
    Key {
        path: "notify.*.ca",
        set: |settings, name, given| {
            settings.notify.table(name).ca = Some(PathBuf::from(given.filled()?));
            Ok(())
        },
    },
    Key {
        path: "presence.reports_missed_max",
        set: |settings, _, given| {
            settings.presence.reports_missed_max = given.number(0..=1_000)?;
            Ok(())
        },
    },
    Key {
        path: "presence.silence_max.*",
        set: |settings, device, given| {
            let year = Duration::from_secs(365 * 24 * 3_600);
            let silence = given.span(Duration::from_secs(1)..=year)?;
            settings.presence.silence_max.insert(device.into(), silence);
            Ok(())
        },
    },
    Key {
        path: "reload.watch",
        set: |settings, _, given| {
            settings.reload.watch = given.yes_or_no()?;
            Ok(())
        },
    },
];
