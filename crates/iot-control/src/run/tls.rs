//! The ways into the broker, and the certificate of those that are TLS: its files are read at a start, and again when they
//! change, so that a renewed one needs no restart.
//!
//! Called by `run`, and by `tls show`. Reads files on a thread of its own once the dispatcher runs. Must not decide
//! who is let in.

use std::{
    cell::RefCell,
    fmt, fs, io,
    net::SocketAddr,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    rc::Rc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, anyhow, bail};
use broker::tcp::{self, Certificate, Listener, Origins, Part};
use serde_json::{Value as Json, json};
use tokio::{net::TcpListener, task::spawn_blocking};
use types::UnixTime;

use crate::{
    printer,
    settings::{FILE, Mqtt, Settings},
};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How often it is told that a certificate ends soon.
const TELL_EVERY: Duration = Duration::from_secs(24 * 3_600);

/// From so many days on.
const DAYS_LEFT_WARN: i64 = 30;

/// Largest file, in bytes.
const BYTES_MAX: u64 = 256 * 1024;

/// Bits of others in a key's mode.
const OTHERS: u32 = 0o077;

/// How clients come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Plain,
    Tls,
    WebSocket,
    WebSocketTls,
}

impl Way {
    /// Its key in `[mqtt]`.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Plain => "listen",
            Self::Tls => "tls_listen",
            Self::WebSocket => "websocket_listen",
            Self::WebSocketTls => "websocket_tls_listen",
        }
    }
}

/// All addresses that are set.
pub(crate) fn ways(mqtt: &Mqtt) -> impl Iterator<Item = (Way, SocketAddr)> {
    let ways = [
        (Way::Plain, &mqtt.listen),
        (Way::Tls, &mqtt.tls_listen),
        (Way::WebSocket, &mqtt.websocket_listen),
        (Way::WebSocketTls, &mqtt.websocket_tls_listen),
    ];
    ways.into_iter()
        .flat_map(|(way, addresses)| addresses.iter().map(move |address| (way, *address)))
}

/// Where clients come in, as they write it.
pub(super) struct Address {
    pub(super) way: Way,
    pub(super) address: SocketAddr,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.way {
            Way::Plain => "mqtt",
            Way::Tls => "mqtts",
            Way::WebSocket => "ws",
            Way::WebSocketTls => "wss",
        };
        write!(f, "{scheme}://{}", self.address)
    }
}

/// In the order of the listeners.
pub(super) fn addresses(listeners: &[(Way, TcpListener)]) -> io::Result<Vec<Address>> {
    let address = |(way, listener): &(Way, TcpListener)| {
        let address = listener.local_addr()?;
        Ok(Address { way: *way, address })
    };
    listeners.iter().map(address).collect()
}

/// Listeners as the broker takes them.
pub(super) fn wrapped(
    listeners: Vec<(Way, TcpListener)>,
    origins: &Origins,
    certificate: Option<&InForce>,
) -> Vec<Listener> {
    let wrap = |(way, listener): (Way, TcpListener)| {
        let mut listener = Listener::from(listener);
        if matches!(way, Way::WebSocket | Way::WebSocketTls) {
            listener = listener.with_websocket(origins.clone());
        }
        match (way, certificate) {
            (Way::Tls | Way::WebSocketTls, Some(certificate)) => {
                listener.with_tls(certificate.shown.clone())
            }
            _ => listener,
        }
    };
    listeners.into_iter().map(wrap).collect()
}

/// The files of a certificate, and what stood in them.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    chain: PathBuf,
    key: PathBuf,
    client_ca: Option<PathBuf>,
    stamps: Vec<Stamp>,
    pub(crate) certificate: Certificate,
}

/// What changes when somebody writes a file, or puts another in its place.
type Stamp = Option<(u64, u64, i64, i64)>;

impl Files {
    /// The certificate that the settings name; `None`: no listener needs one.
    pub(super) fn of(settings: &Settings, house: &Path) -> anyhow::Result<Option<Self>> {
        if !settings.mqtt.has_tls() {
            return Ok(None);
        }
        Self::read(settings, house).map(Some)
    }

    /// The same, whether a listener needs it or not.
    pub(crate) fn read(settings: &Settings, house: &Path) -> anyhow::Result<Self> {
        let tls = &settings.tls;
        let (Some(chain), Some(key)) = (&tls.certificate, &tls.key) else {
            bail!(
                "TLS needs a certificate and its key: set tls.certificate and tls.key in {FILE}; `iot-control tls init` \
                 makes both and says what to write there"
            );
        };
        let client_ca = tls.client_ca.as_ref().map(|path| house.join(path));
        read(house.join(chain), house.join(key), client_ca)
    }

    /// Days until it ends.
    pub(crate) fn days_left(&self) -> i64 {
        self.certificate.days_left(now())
    }

    fn again(&self) -> anyhow::Result<Self> {
        read(self.chain.clone(), self.key.clone(), self.client_ca.clone())
    }

    fn paths(&self) -> impl Iterator<Item = &Path> {
        let first = [&self.chain, &self.key].into_iter();
        first.chain(&self.client_ca).map(PathBuf::as_path)
    }

    /// Reads the files where they changed since, or since `tried`.
    fn changed(&self, tried: &[Stamp]) -> Option<(Vec<Stamp>, anyhow::Result<Self>)> {
        let stamps: Vec<Stamp> = self.paths().map(stamp).collect();
        (stamps != tried).then(|| (stamps, self.again()))
    }
}

fn read(chain: PathBuf, key: PathBuf, client_ca: Option<PathBuf>) -> anyhow::Result<Files> {
    // Before they are read: what changes meanwhile is read once more.
    let paths = [Some(&chain), Some(&key), client_ca.as_ref()];
    let stamps = paths
        .into_iter()
        .flatten()
        .map(|path| stamp(path))
        .collect();
    let file = |setting: &str, path: &Path| {
        let text = mapping::disk::text(path, BYTES_MAX);
        text.map_err(|why| anyhow!("tls.{setting}: {}: {why}", path.display()))
    };
    let chain_text = file("certificate", &chain)?;
    is_private(&key)?;
    let key_text = file("key", &key)?;
    let ca_text = client_ca.as_ref().map(|path| file("client_ca", path));
    let ca_text = ca_text.transpose()?;
    let certificate = Certificate::read(
        chain_text.as_bytes(),
        key_text.as_bytes(),
        ca_text.as_deref().map(str::as_bytes),
    );
    let certificate = certificate.map_err(|wrong| {
        let (setting, path) = match wrong.part {
            Part::Chain => ("certificate", &chain),
            Part::Key => ("key", &key),
            Part::ClientCa => ("client_ca", client_ca.as_ref().unwrap_or(&chain)),
        };
        anyhow!("tls.{setting}: {}: {wrong}", path.display())
    })?;
    Ok(Files {
        chain,
        key,
        client_ca,
        stamps,
        certificate,
    })
}

/// Whoever reads the key can be taken for this broker.
fn is_private(key: &Path) -> anyhow::Result<()> {
    let known = fs::metadata(key).with_context(|| format!("tls.key: {}", key.display()))?;
    if known.mode() & OTHERS != 0 {
        bail!(
            "tls.key: {} can be read or written by others (mode {:o}): type `chmod 600 {}`",
            key.display(),
            known.mode() & 0o777,
            key.display()
        );
    }
    Ok(())
}

fn stamp(path: &Path) -> Stamp {
    let known = fs::metadata(path).ok()?;
    Some((known.ino(), known.len(), known.mtime(), known.mtime_nsec()))
}

fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let micros = since.map_or(0, |since| since.as_micros());
    UnixTime(i64::try_from(micros).unwrap_or(i64::MAX))
}

/// The certificate that clients are shown.
pub(super) struct InForce {
    shown: tcp::Tls,
    files: RefCell<Files>,
    /// Why the files as they are now are not in force.
    trouble: RefCell<Option<String>>,
}

impl InForce {
    pub(super) fn new(files: Files) -> Self {
        Self {
            shown: tcp::Tls::new(&files.certificate),
            files: RefCell::new(files),
            trouble: RefCell::default(),
        }
    }

    /// Warns where it is over, or will be soon.
    pub(super) fn tell(&self) {
        let files = self.files.borrow();
        let (days, file) = (files.days_left(), files.chain.display());
        let renew = "renew it (one of `iot-control tls init`: with --renew); it is taken up without a restart";
        match days {
            ..0 => printer::tell(format_args!(
                "warning: the certificate {file} is over: {renew}"
            )),
            0..=DAYS_LEFT_WARN => printer::tell(format_args!(
                "warning: the certificate {file} ends in {days} days: {renew}"
            )),
            _ => {}
        }
    }

    /// For `status`.
    pub(super) fn status(&self) -> Json {
        let files = self.files.borrow();
        json!({
            "file": files.chain.display().to_string(),
            "ends_s": files.certificate.valid_s.1,
            "days_left": files.days_left(),
            "names": files.certificate.names,
            "trouble": *self.trouble.borrow(),
        })
    }

    /// Takes up what changes in the files.
    pub(super) async fn watch(self: Rc<Self>) {
        let mut tried = self.files.borrow().stamps.clone();
        let mut untold = Duration::ZERO;
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            untold += LOOK_EVERY;
            if untold >= TELL_EVERY {
                untold = Duration::ZERO;
                self.tell();
            }
            let (files, before) = (self.files.borrow().clone(), tried.clone());
            let looked = spawn_blocking(move || files.changed(&before)).await;
            let Ok(Some((stamps, read))) = looked else {
                continue;
            };
            tried = stamps;
            self.take(read);
        }
    }

    fn take(&self, read: anyhow::Result<Files>) {
        let trouble = match read {
            Ok(files) => {
                self.shown.replace(&files.certificate);
                let days = files.days_left();
                let file = files.chain.display().to_string();
                printer::tell(format_args!(
                    "the certificate {file} changed and is in force; it holds for {days} days"
                ));
                *self.files.borrow_mut() = files;
                None
            }
            Err(why) => {
                printer::tell(format_args!(
                    "warning: the changed certificate is not in force, the one before stays: {why:#}"
                ));
                Some(format!("{why:#}"))
            }
        };
        *self.trouble.borrow_mut() = trouble;
    }
}
