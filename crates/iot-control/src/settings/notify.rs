//! `[notify.NAME]`: who carries texts to people. Keys are taken one by one as they come; what they make
//! together is looked at when all are there.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use notify::{Carrier, Mail, Ntfy, Secret, Security, Way, Webhook};

/// The server of an ntfy carrier that names none.
const NTFY_SERVER: &str = "https://ntfy.sh";

/// Largest file of certificates, in bytes.
const CA_BYTES_MAX: u64 = 1 << 20;

/// `[notify]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Notify {
    tables: BTreeMap<Arc<str>, Table>,
    /// Those who carry texts away from here.
    pub(crate) carriers: Vec<Carrier>,
    /// Those who publish them on the broker.
    pub(crate) mqtt: BTreeSet<Arc<str>>,
}

/// What a table of this name has so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Table {
    pub(super) kind: Option<Kind>,
    pub(super) url: Option<Secret>,
    pub(super) topic: Option<Secret>,
    pub(super) token: Option<Secret>,
    pub(super) field: Option<String>,
    pub(super) host: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) security: Option<Security>,
    pub(super) user: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) from: Option<String>,
    pub(super) to: Option<Vec<String>>,
    pub(super) ca: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Ntfy,
    Webhook,
    Smtp,
    Mqtt,
}

pub(super) const KINDS: [(&str, Kind); 4] = [
    ("ntfy", Kind::Ntfy),
    ("webhook", Kind::Webhook),
    ("smtp", Kind::Smtp),
    ("mqtt", Kind::Mqtt),
];

pub(super) const SECURITIES: [(&str, Security); 3] = [
    ("tls", Security::Tls),
    ("starttls", Security::Starttls),
    ("none", Security::None),
];

/// What is wrong with a table: its name, the key it is about where there is one, and words.
pub(super) struct Flaw {
    pub(super) name: Arc<str>,
    pub(super) key: Option<&'static str>,
    pub(super) message: String,
}

/// Words for a table, where they are about one key.
type Wrong = (Option<&'static str>, String);

impl Notify {
    /// The table called `name`, made where there is none.
    pub(super) fn table(&mut self, name: &str) -> &mut Table {
        self.tables.entry(name.into()).or_default()
    }

    /// Makes carriers of the tables. Paths in them begin at `folder`.
    pub(super) fn finish(&mut self, folder: &Path) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        for (name, table) in std::mem::take(&mut self.tables) {
            match table.carrier(&name, folder) {
                Ok(Some(way)) => self.carriers.push(Carrier { name, way }),
                Ok(None) => drop(self.mqtt.insert(name)),
                Err((key, message)) => flaws.push(Flaw { name, key, message }),
            }
        }
        flaws
    }
}

impl Kind {
    fn word(self) -> &'static str {
        KINDS[self as usize].0
    }

    /// Its keys besides `kind`.
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Ntfy => &["url", "topic", "token", "ca"],
            Self::Webhook => &["url", "field", "token", "ca"],
            Self::Smtp => &[
                "host", "port", "security", "user", "password", "from", "to", "ca",
            ],
            Self::Mqtt => &[],
        }
    }
}

impl Table {
    /// The keys that were given.
    fn given(&self) -> impl Iterator<Item = &'static str> {
        [
            ("url", self.url.is_some()),
            ("topic", self.topic.is_some()),
            ("token", self.token.is_some()),
            ("field", self.field.is_some()),
            ("host", self.host.is_some()),
            ("port", self.port.is_some()),
            ("security", self.security.is_some()),
            ("user", self.user.is_some()),
            ("password", self.password.is_some()),
            ("from", self.from.is_some()),
            ("to", self.to.is_some()),
            ("ca", self.ca.is_some()),
        ]
        .into_iter()
        .filter_map(|(key, is_given)| is_given.then_some(key))
    }

    /// The carrier; `None`: the broker.
    fn carrier(self, name: &str, folder: &Path) -> Result<Option<Way>, Wrong> {
        if name == dispatcher::ALL {
            let why = "`all` stands for every carrier: choose another name";
            return Err((None, why.to_owned()));
        }
        let Some(kind) = self.kind else {
            let kinds = KINDS.map(|(word, _)| format!("'{word}'")).join(", ");
            return Err((None, format!("`kind` is missing: one of {kinds}")));
        };
        if let Some(key) = self.given().find(|key| !kind.keys().contains(key)) {
            let word = kind.word();
            let takes = match kind.keys() {
                [] => "no other key".to_owned(),
                keys => keys.join(", "),
            };
            return Err((
                Some(key),
                format!("{word} has no `{key}`; it takes {takes}"),
            ));
        }
        let ca = match &self.ca {
            Some(path) => Some(certificates(&folder.join(path)).map_err(|why| (Some("ca"), why))?),
            None => None,
        };
        let way = match kind {
            Kind::Mqtt => return Ok(None),
            Kind::Ntfy => Way::Ntfy(self.ntfy(ca)?),
            Kind::Webhook => Way::Webhook(Webhook {
                url: self.url.ok_or_else(|| missing("url"))?,
                field: self.field.unwrap_or_else(|| "text".to_owned()),
                token: self.token,
                ca,
            }),
            Kind::Smtp => Way::Mail(self.mail(ca)?),
        };
        way.check().map_err(|why| (None, why))?;
        Ok(Some(way))
    }

    fn ntfy(self, ca: Option<Vec<u8>>) -> Result<Ntfy, Wrong> {
        let topic = self.topic.ok_or_else(|| missing("topic"))?;
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let text = topic.reveal();
        if text.is_empty() || text.len() > 64 || !text.chars().all(fits) {
            let why = "a topic of ntfy has 1 to 64 letters, digits, '-' or '_'";
            return Err((Some("topic"), why.to_owned()));
        }
        let server = self.url.unwrap_or_else(|| NTFY_SERVER.into());
        Ok(Ntfy {
            server: server.reveal().to_owned(),
            topic,
            token: self.token,
            ca,
        })
    }

    fn mail(self, ca: Option<Vec<u8>>) -> Result<Mail, Wrong> {
        let host = self.host.ok_or_else(|| missing("host"))?;
        let security = self.security.unwrap_or(Security::Tls);
        match (&self.user, &self.password) {
            (Some(_), None) => return Err(missing("password")),
            (None, Some(_)) => return Err(missing("user")),
            (Some(_), Some(_)) if security == Security::None && !is_here(&host) => {
                let why = "a password would go through the network for everybody to read: set it to 'tls' or 'starttls'";
                return Err((Some("security"), why.to_owned()));
            }
            _ => {}
        }
        Ok(Mail {
            host,
            port: self.port,
            security,
            user: self.user,
            password: self.password,
            from: self.from.ok_or_else(|| missing("from"))?,
            to: self.to.ok_or_else(|| missing("to"))?,
            ca,
        })
    }
}

fn missing(key: &str) -> Wrong {
    (None, format!("`{key}` is missing"))
}

/// Whether a server is on this machine.
fn is_here(host: &str) -> bool {
    let address: Result<std::net::IpAddr, _> = host.parse();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn certificates(path: &Path) -> Result<Vec<u8>, String> {
    let at = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    let size = std::fs::metadata(path).map_err(|error| at(&error))?.len();
    if size > CA_BYTES_MAX {
        return Err(at(&format_args!(
            "more than {CA_BYTES_MAX} bytes are no file of certificates"
        )));
    }
    std::fs::read(path).map_err(|error| at(&error))
}
