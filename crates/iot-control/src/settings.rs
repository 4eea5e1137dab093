//! How this dispatcher runs on this machine: `settings.toml` in the house folder, each key
//! overridable by `IOT_CONTROL__SECTION__KEY`. The only place that reads the environment.

use std::{
    collections::BTreeMap,
    fmt,
    net::SocketAddr,
    num::NonZeroU32,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;

/// Prefix of environment variables that override a key.
const PREFIX: &str = "IOT_CONTROL__";

/// Largest settings file in bytes: a hundred times what all keys take.
const BYTES_MAX: u64 = 200_000;

/// All settings; a restart applies them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// State folder; default `/var/lib/iot-control` for root, else below the user's state folder.
    pub(crate) state: Option<PathBuf>,
    /// Whether the live stream is printed: default where stdout is a terminal.
    pub(crate) stream: Option<Switch>,
    pub(crate) mqtt: Mqtt,
    pub(crate) engine: Engine,
    pub(crate) journal: Journal,
    pub(crate) reload: Reload,
}

/// `[mqtt]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Mqtt {
    /// Addresses of the embedded broker.
    pub(crate) listen: Vec<SocketAddr>,
    /// Who may come in without a user.
    pub(crate) anonymous: Anonymous,
    /// How many connections at most.
    pub(crate) connections_max: usize,
    /// Largest MQTT packet taken, in bytes.
    pub(crate) packet_bytes_max: u32,
    /// How many messages a second one client may publish.
    pub(crate) client_messages_per_s_max: u32,
}

/// Who may connect without a user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Anonymous {
    /// Nobody.
    #[default]
    Never,
    /// Clients on this machine, with every right. For simulation and benches.
    Loopback,
}

/// `on` or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

/// `[engine]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Engine {
    /// Firings a second after which a rule is cut off.
    pub(crate) fuse: NonZeroU32,
}

/// `[journal]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Journal {
    /// Seconds between two syncs to the card: at most so much telemetry-made state is lost in a power cut.
    pub(crate) sync_s: u64,
    /// Days that inputs are kept.
    pub(crate) keep_days: NonZeroU32,
    /// MiB that the journal takes at most.
    pub(crate) size_mib_max: u64,
}

/// `[reload]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Reload {
    /// Whether edited files take effect by themselves.
    pub(crate) watch: bool,
}

impl Default for Mqtt {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from(([0, 0, 0, 0], 1883))],
            anonymous: Anonymous::Never,
            connections_max: 4_096,
            packet_bytes_max: 256 * 1024,
            client_messages_per_s_max: 0,
        }
    }
}

impl Default for Engine {
    fn default() -> Self {
        Self {
            fuse: NonZeroU32::MIN.saturating_add(99),
        }
    }
}

impl Default for Journal {
    fn default() -> Self {
        Self {
            sync_s: 30,
            keep_days: NonZeroU32::MIN.saturating_add(13),
            size_mib_max: 512,
        }
    }
}

impl Default for Reload {
    fn default() -> Self {
        Self { watch: true }
    }
}

impl Journal {
    pub(crate) fn sync_every(&self) -> Duration {
        Duration::from_secs(self.sync_s)
    }
}

/// Why the settings can't be used: which file or variable, and what is wrong with it.
#[derive(Debug)]
pub(crate) struct Wrong(String);

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Wrong {}

impl Settings {
    /// Reads `settings.toml` of `house`, then the environment.
    ///
    /// # Errors
    /// An unreadable file, an unknown key or a value of the wrong form, with its place.
    pub(crate) fn read(house: &Path) -> Result<Self, Wrong> {
        let path = house.join("settings.toml");
        let text = mapping::disk::text_or_empty(&path, BYTES_MAX)
            .map_err(|why| Wrong(format!("{} {why}", path.display())))?;
        let variables = std::env::vars_os();
        let environment = variables
            .filter_map(|(key, value)| {
                let key = key.into_string().ok()?;
                // What is no text is no value of any key, and is said to be none.
                let value = value.to_string_lossy().into_owned();
                key.starts_with(PREFIX).then_some((key, value))
            })
            .collect();
        Self::parse(&path.display().to_string(), &text, &environment)
    }

    fn parse(
        name: &str,
        text: &str,
        environment: &BTreeMap<String, String>,
    ) -> Result<Self, Wrong> {
        let mut settings: Self =
            toml::from_str(text).map_err(|error| Wrong(format!("{name}: {error}")))?;
        for (key, value) in environment {
            settings
                .set(&key[PREFIX.len()..], value)
                .map_err(|why| Wrong(format!("environment variable {key}={value}: {why}")))?;
        }
        Ok(settings)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "STATE" => self.state = Some(PathBuf::from(value)),
            "STREAM" => self.stream = Some(word(value)?),
            "MQTT__LISTEN" => {
                self.mqtt.listen = value
                    .split(',')
                    .map(|part| number(part.trim()))
                    .collect::<Result<_, _>>()?;
            }
            "MQTT__ANONYMOUS" => self.mqtt.anonymous = word(value)?,
            "MQTT__CONNECTIONS_MAX" => self.mqtt.connections_max = number(value)?,
            "MQTT__PACKET_BYTES_MAX" => self.mqtt.packet_bytes_max = number(value)?,
            "MQTT__CLIENT_MESSAGES_PER_S_MAX" => {
                self.mqtt.client_messages_per_s_max = number(value)?;
            }
            "ENGINE__FUSE" => self.engine.fuse = number(value)?,
            "JOURNAL__SYNC_S" => self.journal.sync_s = number(value)?,
            "JOURNAL__KEEP_DAYS" => self.journal.keep_days = number(value)?,
            "JOURNAL__SIZE_MIB_MAX" => self.journal.size_mib_max = number(value)?,
            "RELOAD__WATCH" => self.reload.watch = number(value)?,
            _ => return Err("there is no such setting".to_owned()),
        }
        Ok(())
    }

    /// The state folder: as set, else where this user keeps state.
    pub(crate) fn state_folder(&self, simulate: bool) -> PathBuf {
        match &self.state {
            Some(folder) => folder.clone(),
            None if simulate => default_state_folder().join("simulate"),
            None => default_state_folder(),
        }
    }
}

/// Where a user keeps state: `/var/lib/iot-control` for root and the service, else `~/.local/state/iot-control`.
pub(crate) fn default_state_folder() -> PathBuf {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the environment"
    )]
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    if let Some(folder) = variable("STATE_DIRECTORY") {
        return PathBuf::from(folder);
    }
    if rustix::process::geteuid().is_root() {
        return PathBuf::from("/var/lib/iot-control");
    }
    let base = variable("XDG_STATE_HOME")
        .map(PathBuf::from)
        .or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".local/state")));
    base.unwrap_or_else(std::env::temp_dir).join("iot-control")
}

fn word<T: for<'de> Deserialize<'de>>(value: &str) -> Result<T, String> {
    use serde::de::{IntoDeserializer, value::Error};
    T::deserialize(IntoDeserializer::<Error>::into_deserializer(value))
        .map_err(|error| error.to_string())
}

fn number<T: std::str::FromStr>(value: &str) -> Result<T, String>
where
    T::Err: fmt::Display,
{
    value.parse().map_err(|error: T::Err| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(key, value)| (format!("{PREFIX}{key}"), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let text = "[mqtt]\nlisten = [\"127.0.0.1:1999\"]\n";
        let over = environment(&[("MQTT__LISTEN", "127.0.0.1:0, [::1]:0")]);
        let settings = Settings::parse("settings.toml", text, &over).expect("both are right");
        assert_eq!(settings.mqtt.listen.len(), 2);
        assert_eq!(settings.mqtt.listen[0].port(), 0);
        assert_eq!(settings.journal.keep_days.get(), 14);
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_place() {
        let wrong = Settings::parse("settings.toml", "[mqtt]\nlistn = []\n", &BTreeMap::new());
        let text = wrong.unwrap_err().to_string();
        assert!(text.contains("listn") && text.contains("line 2"), "{text}");
        let wrong = Settings::parse("", "", &environment(&[("MQTT__ANONYMOUS", "everybody")]));
        let text = wrong.unwrap_err().to_string();
        assert!(
            text.contains("MQTT__ANONYMOUS") && text.contains("loopback"),
            "{text}"
        );
    }
}
