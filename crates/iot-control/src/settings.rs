//! How this dispatcher runs on this machine: `settings.toml` in the house folder, each key overridable by
//! `IOT_CONTROL__SECTION__KEY`. The only place that reads the environment.
//!
//! Read once at a start, by `run` and `check`. What can be set stands in [`keys`], with how it is read; wrong
//! settings are all told at once, each with its place, and never with what a secret holds.

mod external;
mod given;
mod keys;
mod notify;
mod read;

use std::{
    collections::BTreeMap,
    fmt,
    net::SocketAddr,
    num::{NonZeroU32, NonZeroUsize},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use broker::tcp::Origin;

pub(crate) use self::{external::External, notify::Notify};

/// Prefix of environment variables that override a key.
const PREFIX: &str = "IOT_CONTROL__";

/// The file in the house folder.
pub(crate) const FILE: &str = "settings.toml";

/// Largest settings file in bytes: a hundred times what all keys take.
pub(crate) const BYTES_MAX: u64 = 200_000;

/// All settings; a restart applies them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Settings {
    /// State folder; the file's begins at the house folder. Default `/var/lib/iot-control` for root, else below the user's state folder.
    pub(crate) state: Option<PathBuf>,
    /// Whether the live stream is printed: default where stdout is a terminal.
    pub(crate) stream: Option<Switch>,
    /// The broker that carries the house's messages; `None`: our own.
    pub(crate) broker: Option<External>,
    /// Goes with the user in `broker`.
    pub(crate) broker_password: Option<::notify::Secret>,
    /// A file of PEM with the CA of that broker, beside the settings where it is no whole path; `None`: those that this
    /// machine trusts.
    pub(crate) broker_ca: Option<PathBuf>,
    pub(crate) mqtt: Mqtt,
    pub(crate) tls: Tls,
    pub(crate) udp: Udp,
    pub(crate) web: Web,
    pub(crate) mdns: Mdns,
    pub(crate) engine: Engine,
    pub(crate) journal: Journal,
    pub(crate) history: History,
    pub(crate) home_assistant: HomeAssistant,
    pub(crate) notify: Notify,
    pub(crate) presence: Presence,
    pub(crate) reload: Reload,
}

/// `[mqtt]`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mqtt {
    /// Addresses of the embedded broker.
    pub(crate) listen: Vec<SocketAddr>,
    /// The same through TLS.
    pub(crate) tls_listen: Vec<SocketAddr>,
    /// The same through WebSocket.
    pub(crate) websocket_listen: Vec<SocketAddr>,
    /// The same through WebSocket and TLS.
    pub(crate) websocket_tls_listen: Vec<SocketAddr>,
    /// Pages of other hosts that may come in from a browser.
    pub(crate) websocket_origins: Vec<Origin>,
    /// Who may come in without a user.
    pub(crate) anonymous: Anonymous,
    /// How many connections at most.
    pub(crate) connections_max: usize,
    /// How many connections a second from one address.
    pub(crate) address_connections_per_s_max: u32,
    /// Largest MQTT packet taken, in bytes.
    pub(crate) packet_bytes_max: u32,
    /// How many messages a second one client may publish; 0: no limit.
    pub(crate) client_messages_per_s_max: u32,
    /// Messages no further apart than so many microseconds find the dispatcher awake; 0: it always sleeps.
    pub(crate) burst_pause_us_max: u32,
    /// Seconds between two reports of the broker below `$SYS`; 0: none.
    pub(crate) sys_interval_s: u32,
}

/// `[tls]`: files of PEM; their paths begin at the house folder.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tls {
    /// The broker's certificate, and those between it and its CA.
    pub(crate) certificate: Option<PathBuf>,
    /// Its key.
    pub(crate) key: Option<PathBuf>,
    /// Who signs the certificates that clients have to show; `None`: they show none.
    pub(crate) client_ca: Option<PathBuf>,
}

/// `[udp]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Udp {
    /// Addresses for devices on the sealed link; empty: none.
    pub(crate) listen: Vec<SocketAddr>,
}

/// `[web]`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Web {
    /// Addresses for metrics and health; empty: none.
    pub(crate) listen: Vec<SocketAddr>,
}

/// `[mdns]`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mdns {
    /// Whether the local network is told where the house is.
    pub(crate) announce: Switch,
    /// Network interfaces on which it is told; empty: all but loopback.
    pub(crate) interfaces: Vec<String>,
}

/// Who may connect without a user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Anonymous {
    /// Nobody.
    #[default]
    Never,
    /// Clients on this machine, with every right. For simulation and benches.
    Loopback,
}

/// `on` or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

/// `[engine]`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Engine {
    /// Firings a second after which a rule is cut off.
    pub(crate) fuse: NonZeroU32,
}

/// `[journal]`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Journal {
    /// Seconds between two syncs to the card: at most so much telemetry-made state is lost in a power cut.
    pub(crate) sync_s: u64,
    /// Days that inputs are kept.
    pub(crate) keep_days: NonZeroU32,
    /// MiB that the journal takes at most.
    pub(crate) size_mib_max: u64,
}

/// `[history]`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct History {
    /// Days that changes of fields are kept for charts.
    pub(crate) keep_days: NonZeroU32,
}

/// `[home_assistant]`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HomeAssistant {
    /// Whether it is told of the house. Off: most houses have none, and who reads these topics sees all names of the house.
    pub(crate) discovery: Switch,
    /// Where it looks.
    pub(crate) prefix: Arc<str>,
}

/// `[presence]`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Presence {
    /// Reports that a channel with `report_every` may leave out before its device counts as gone; 0: any.
    pub(crate) reports_missed_max: u32,
    /// Devices that count as gone when they say nothing for so long, by name.
    pub(crate) silence_max: BTreeMap<Arc<str>, Duration>,
}

/// `[reload]`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reload {
    /// Whether edited files take effect by themselves.
    pub(crate) watch: bool,
}

impl Default for Mqtt {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from(([0, 0, 0, 0], 1883))],
            tls_listen: Vec::new(),
            websocket_listen: Vec::new(),
            websocket_tls_listen: Vec::new(),
            websocket_origins: Vec::new(),
            anonymous: Anonymous::Never,
            connections_max: 4_096,
            address_connections_per_s_max: 100,
            packet_bytes_max: 256 * 1024,
            client_messages_per_s_max: 0,
            burst_pause_us_max: 300,
            sys_interval_s: 10,
        }
    }
}

impl Default for Web {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 8484))],
        }
    }
}

impl Default for Mdns {
    fn default() -> Self {
        Self {
            announce: Switch::On,
            interfaces: Vec::new(),
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

impl Default for History {
    fn default() -> Self {
        Self {
            keep_days: NonZeroU32::MIN.saturating_add(364),
        }
    }
}

impl Default for HomeAssistant {
    fn default() -> Self {
        Self {
            discovery: Switch::Off,
            prefix: dispatcher::home_assistant::PREFIX.into(),
        }
    }
}

impl Default for Presence {
    fn default() -> Self {
        Self {
            reports_missed_max: 3,
            silence_max: BTreeMap::new(),
        }
    }
}

impl Default for Reload {
    fn default() -> Self {
        Self { watch: true }
    }
}

impl Mqtt {
    /// Whether anybody is to come in through TLS.
    pub(crate) fn has_tls(&self) -> bool {
        !self.tls_listen.is_empty() || !self.websocket_tls_listen.is_empty()
    }

    /// Zero also where others need the only processor.
    pub(crate) fn burst_pause_max(&self) -> Duration {
        let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        match processors {
            1 => Duration::ZERO,
            _ => Duration::from_micros(self.burst_pause_us_max.into()),
        }
    }
}

impl Journal {
    pub(crate) fn sync_every(&self) -> Duration {
        Duration::from_secs(self.sync_s)
    }
}

impl History {
    pub(crate) fn keep(&self) -> Duration {
        Duration::from_secs(u64::from(self.keep_days.get()) * 24 * 3_600)
    }
}

/// What is wrong with the settings: everything, in the order in which it stands there.
#[derive(Debug)]
pub(crate) struct Wrong(pub(crate) Vec<Complaint>);

/// One thing that is wrong.
#[derive(Debug)]
pub(crate) struct Complaint {
    pub(crate) at: At,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

/// Where it is wrong. Places count from 1.
#[derive(Clone, Debug)]
pub(crate) enum At {
    File {
        name: Arc<str>,
        place: Option<(usize, usize)>,
    },
    Variable(String),
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { name, place: None } => f.write_str(name),
            Self::File {
                name,
                place: Some((line, column)),
            } => write!(f, "{name}:{line}:{column}"),
            Self::Variable(name) => write!(f, "environment variable {}", name.escape_debug()),
        }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.message)?;
        match &self.help {
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, complaint) in self.0.iter().enumerate() {
            let line_end = if number > 0 { "\n" } else { "" };
            write!(f, "{line_end}{complaint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Wrong {}

impl Settings {
    /// Reads `settings.toml` of `house`, then the environment.
    ///
    /// # Errors
    /// All that is wrong: an unreadable file, unknown keys, values that don't fit.
    pub(crate) fn read(house: &Path) -> Result<Self, Wrong> {
        let name = house.join(FILE).display().to_string();
        Self::of_text(&name, &text_of(&name, house)?)
    }

    /// The same where the file `name` holds `text`.
    ///
    /// # Errors
    /// All that is wrong: unknown keys, values that don't fit.
    pub(crate) fn of_text(name: &str, text: &str) -> Result<Self, Wrong> {
        Self::parse(name, text, &environment())
    }

    /// Where a dispatcher of `house` that is not simulated keeps its state, where that is set. No other file is looked at: what
    /// the settings name may be on another machine. People know the settings by `name`; `house` may be elsewhere than `at`, where
    /// it is meant to be.
    ///
    /// # Errors
    /// All that is wrong with the settings themselves.
    pub(crate) fn state_of(name: &str, house: &Path, at: &Path) -> Result<Option<PathBuf>, Wrong> {
        let text = text_of(name, house)?;
        let (settings, _, complaints) = Self::parse_alone((name, at), &text, &environment());
        if complaints.is_empty() {
            Ok(settings.state)
        } else {
            Err(Wrong(complaints))
        }
    }

    /// Where a dispatcher of `house` may keep its state: as its settings have it, and where it is simulated; nowhere where those can't
    /// be read.
    pub(crate) fn states_of(house: &Path) -> Vec<PathBuf> {
        let Ok(text) = text_of(FILE, house) else {
            return Vec::new();
        };
        let (settings, _, complaints) = Self::parse_alone((FILE, house), &text, &environment());
        match complaints.is_empty() {
            true => [None, Some(house)]
                .map(|simulated| settings.state_folder(simulated))
                .into(),
            false => Vec::new(),
        }
    }

    /// Where a dispatcher keeps the state of a house of which no settings say where: as the environment has it, else where this user
    /// keeps state.
    pub(crate) fn state_of_machine() -> PathBuf {
        Self::parse_alone((FILE, Path::new("")), "", &environment())
            .0
            .state_folder(None)
    }

    fn parse(
        name: &str,
        text: &str,
        environment: &BTreeMap<String, String>,
    ) -> Result<Self, Wrong> {
        let house = Path::new(name).parent().unwrap_or(Path::new(""));
        let (mut settings, places, mut complaints) =
            Self::parse_alone((name, house), text, environment);
        complaints.extend(read::whole(&mut settings, name, &places));
        if complaints.is_empty() {
            Ok(settings)
        } else {
            Err(Wrong(complaints))
        }
    }

    /// What the keys say, each by itself; `house` is where the file `name` is, or will be.
    fn parse_alone(
        (name, house): (&str, &Path),
        text: &str,
        environment: &BTreeMap<String, String>,
    ) -> (Self, read::Places, Vec<Complaint>) {
        let mut settings = Self::default();
        let mut places = read::Places::default();
        let mut complaints = read::file(&mut settings, name, text, &mut places);
        // What the environment names begins where the command was given, as its `--state` does.
        settings.state = settings.state.map(|state| house.join(state));
        complaints.extend(read::environment(&mut settings, environment, &mut places));
        (settings, places, complaints)
    }

    /// The state folder: as set, else where this user keeps state, with a folder for each house that is `simulated`.
    pub(crate) fn state_folder(&self, simulated: Option<&Path>) -> PathBuf {
        match (&self.state, simulated) {
            (Some(folder), _) => folder.clone(),
            (None, Some(house)) => simulations_folder().join(simulation_name(house)),
            (None, None) => default_state_folder(),
        }
    }
}

/// What stands in the settings of `house`, which people know by `name`.
fn text_of(name: &str, house: &Path) -> Result<String, Wrong> {
    mapping::disk::text_or_empty(&house.join(FILE), BYTES_MAX).map_err(|why| {
        let at = At::File {
            name: name.into(),
            place: None,
        };
        Wrong(vec![Complaint {
            at,
            message: why.to_string(),
            help: None,
        }])
    })
}

/// The variables that override a key.
fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .map(|(key, value)| (lossy(&key), lossy(&value)))
        .filter(|(key, _)| key.starts_with(PREFIX))
        .collect()
}

/// Below it lies the state of simulated houses.
pub(crate) fn simulations_folder() -> PathBuf {
    default_state_folder().join("simulate")
}

/// Letters of a house's own name in the name of its simulation: its socket must have a path of at most 107 bytes.
const SIMULATION_LETTERS_MAX: usize = 24;

/// `piano-house-1f0c5a2e`: the house's folder for people, and a number of its real path, since two may bear one name.
fn simulation_name(house: &Path) -> String {
    let real = house.canonicalize().unwrap_or_else(|_| house.to_owned());
    let name = real.file_name().unwrap_or_default().to_string_lossy();
    let letters = name.chars().map(|letter| match letter {
        letter if letter.is_ascii_alphanumeric() => letter,
        _ => '-',
    });
    let name: String = letters.take(SIMULATION_LETTERS_MAX).collect();
    // FNV-1a: the same number in every version, which std's hashes don't promise.
    let number = real
        .as_os_str()
        .as_encoded_bytes()
        .iter()
        .fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
        });
    format!("{name}-{number:08x}")
}

/// A variable that is not Unicode fits nothing that can be set, and is refused as such.
fn lossy(text: &std::ffi::OsStr) -> String {
    text.to_string_lossy().into_owned()
}

/// Where a user keeps state: `/var/lib/iot-control` for root and the service, else `~/.local/state/iot-control`.
pub(crate) fn default_state_folder() -> PathBuf {
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

/// The folder in memory that systemd gives a service, and that outlives its process: what the journal has not synced yet
/// stays there. Elsewhere nobody promises that a folder in memory is still there after kill -9.
pub(crate) fn memory_folder() -> Option<PathBuf> {
    let folders = variable("RUNTIME_DIRECTORY")?;
    folders.split(':').next().map(PathBuf::from)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests;
