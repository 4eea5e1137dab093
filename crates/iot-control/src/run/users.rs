//! Users: rows of the database, what they may do at the broker, and the commands that change them,
//! with and without a running dispatcher.

use std::{collections::BTreeMap, fmt, path::Path, sync::Arc};

use anyhow::{anyhow, bail};
use broker::password;
use dispatcher::explain::WITHOUT_LOGIN;
use mapping::Program;
use serde_json::{Value as Json, json};
use store::db::{Credential, Database, User, UserKind};

use super::{identity, refusals, sealed::cages, uplink};
use crate::control::{NewUser, NewUserKind, Request};

/// Names that a user can't have: what this process calls itself and the clients that need no user of the database. What
/// decisions call those is not a user's name either ([`WITHOUT_LOGIN`]).
const RESERVED: [&str; 4] = [
    "dispatcher",
    identity::ANONYMOUS,
    uplink::USER,
    refusals::STRANGERS,
];

/// What checking a hash may take: its memory in KiB, rounds and lanes. Our own take 19,456, 2 and 1; 64 MiB is what a
/// small machine can spare for a moment.
const MEMORY_KIB_MAX: u32 = 64 * 1_024;
const ROUNDS_MAX: u32 = 16;
const LANES_MAX: u32 = 4;

/// Longest user name, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// All users by name, as the running dispatcher knows them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Users(BTreeMap<Arc<str>, Known>);

/// One user.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) kind: UserKind,
    /// In the broker's form: `blake2s$<hex>` or a PHC string.
    pub(crate) hash: Arc<str>,
    /// The device it speaks for.
    pub(crate) device: Option<Arc<str>>,
    /// Filters below which it carries foreign devices; empty: it is no bridge.
    pub(crate) bridge: Vec<String>,
    /// Filters it may subscribe to besides.
    pub(crate) read: Vec<String>,
}

impl Users {
    /// Takes the rows of the database.
    pub(crate) fn new(rows: &[User]) -> Self {
        Self(
            rows.iter()
                .map(|row| (row.name.as_str().into(), Known::from(row)))
                .collect(),
        )
    }

    /// The user called `name`.
    pub(crate) fn find(&self, name: &str) -> Option<&Known> {
        self.0.get(name)
    }

    /// Whether anybody could log in.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds or replaces.
    pub(crate) fn put(&mut self, row: &User) {
        self.0.insert(row.name.as_str().into(), Known::from(row));
    }

    /// Removes; false: there was none.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        self.0.remove(name).is_some()
    }

    /// Those that speak for a device which `program` does not have: it may have another name now. A login stands for a name,
    /// since whoever uses it speaks on that name's topics.
    pub(crate) fn of_no_device(&self, program: &Program) -> impl Iterator<Item = OfNobody> {
        self.0.iter().filter_map(|(name, user)| {
            let device = user.device.as_deref()?;
            program.device(device).is_none().then(|| OfNobody {
                login: name.to_string(),
                device: device.to_owned(),
            })
        })
    }

    /// All users for people and machines; never their hashes. With the mapping in force, also who speaks for nobody under it.
    pub(crate) fn list(&self, program: Option<&Program>) -> Json {
        let rows = self.0.iter().map(|(name, user)| {
            let mut row = json!({
                "name": &**name,
                "kind": if user.bridge.is_empty() { word(user.kind) } else { "bridge" },
                "device": user.device.as_deref(),
            });
            if let Some((program, device)) = program.zip(user.device.as_deref())
                && program.device(device).is_none()
            {
                row["speaks_for_nobody"] = json!(true);
            }
            for (key, filters) in [("bridge", &user.bridge), ("read", &user.read)] {
                if !filters.is_empty() {
                    row[key] = json!(filters);
                }
            }
            row
        });
        Json::Array(rows.collect())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Known)> {
        self.0.iter()
    }
}

/// A login of a device that the house does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OfNobody {
    login: String,
    device: String,
}

impl OfNobody {
    /// The command that gives it a device again.
    pub(crate) fn mend(&self) -> String {
        format!("iot-control user add {} --device DEVICE", self.login)
    }
}

impl fmt::Display for OfNobody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { login, device } = self;
        write!(
            f,
            "the login {login} speaks for the device {device}, which the house does not have, so for nobody"
        )
    }
}

/// Everybody who can log in.
#[derive(Debug, Default)]
pub(super) struct Logins {
    /// Users of the database.
    pub(super) kept: Users,
    /// The modules that run in this process.
    pub(super) simulated: Users,
}

impl Logins {
    pub(super) fn new(kept: Users) -> Self {
        Self {
            kept,
            simulated: Users::default(),
        }
    }

    /// The login called `name`.
    pub(super) fn find(&self, name: &str) -> Option<&Known> {
        self.simulated.find(name).or_else(|| self.kept.find(name))
    }

    /// The logins that speak for `device`.
    pub(super) fn of_device(&self, device: &str) -> impl Iterator<Item = (&Arc<str>, &Known)> {
        let all = self.kept.iter().chain(self.simulated.iter());
        all.filter(move |(_, known)| known.device.as_deref() == Some(device))
    }
}

impl From<&User> for Known {
    fn from(row: &User) -> Self {
        let hash = match &row.credential {
            Credential::Phc(text) => text.as_str().into(),
            Credential::Blake2s(digest) => password::generated_from_digest(digest).into(),
        };
        // One grant a line.
        let granted = |what: &'static str| {
            let lines = row.grants.lines();
            lines.filter_map(move |line| line.strip_prefix(what)?.strip_prefix(' '))
        };
        Self {
            kind: row.kind,
            hash,
            device: granted("device").next().map(Arc::from),
            bridge: granted("bridge").map(str::to_owned).collect(),
            read: granted("read").map(str::to_owned).collect(),
        }
    }
}

/// The row of a new user.
///
/// # Errors
/// A name that can't be used, a filter or a hash that is none.
pub(crate) fn row(user: &NewUser) -> anyhow::Result<User> {
    let name = user.name.as_str();
    if is_reserved(name) {
        bail!(
            "'{name}' can't be a user's name: that is what the dispatcher calls itself or a client without a login"
        );
    }
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
        bail!(
            "'{}' can't be a user's name: take 1 to {NAME_BYTES_MAX} printable characters",
            name.escape_default()
        );
    }
    let credential = match password::generated_digest(&user.hash).map_err(|why| anyhow!(why))? {
        Some(digest) => Credential::Blake2s(digest),
        None if password::is_chosen(&user.hash) && !is_affordable(&user.hash) => bail!(
            "checking this hash would cost too much: take at most m={MEMORY_KIB_MAX}, t={ROUNDS_MAX} and p={LANES_MAX}"
        ),
        None if password::is_chosen(&user.hash) => Credential::Phc(user.hash.clone()),
        None => bail!("this is no hash of a password"),
    };
    let (kind, grants) = match &user.kind {
        NewUserKind::Person => (UserKind::Person, String::new()),
        NewUserKind::Device(device) => (UserKind::Device, format!("device {device}")),
        NewUserKind::Tool { bridge, read } => (UserKind::Tool, filters(bridge, read)?.join("\n")),
    };
    Ok(User {
        name: name.to_owned(),
        kind,
        credential,
        grants,
    })
}

/// Why `known`, who is there, does not become `user` of the same name: a new password makes nobody somebody else. A login whose
/// device is gone may get another one; `is_gone` says of which that is known.
pub(crate) fn is_somebody_else(
    known: &Known,
    user: &NewUser,
    is_gone: impl Fn(&str) -> bool,
) -> Option<String> {
    let (is, name) = (known.to_string(), &user.name);
    let stays = match (&user.kind, &known.device) {
        (NewUserKind::Device(device), Some(was)) => **was == **device || is_gone(was),
        (NewUserKind::Device(_), None) => false,
        (NewUserKind::Person, _) => known.kind == UserKind::Person,
        (NewUserKind::Tool { bridge, .. }, _) => {
            known.kind == UserKind::Tool && known.bridge.is_empty() == bridge.is_empty()
        }
    };
    (!stays).then(|| {
        format!(
            "{name} is there already, as {is}, and a new password would make something else of it: take another name, or \
             first `iot-control user remove {name}`"
        )
    })
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.device, self.kind) {
            (Some(device), _) => write!(f, "the login of the device {device}"),
            (None, UserKind::Person) => f.write_str("a person"),
            (None, _) if self.bridge.is_empty() => f.write_str("a tool"),
            (None, _) => write!(f, "the bridge of {}", self.bridge.join(" and ")),
        }
    }
}

/// Whether a check of an argon2 hash that was made elsewhere takes no more memory and time than we have for it.
fn is_affordable(phc: &str) -> bool {
    let parameters = phc
        .split(['$', ','])
        .filter_map(|part| part.split_once('='));
    let mut known = parameters.filter_map(|(key, value)| {
        let max = match key {
            "m" => MEMORY_KIB_MAX,
            "t" => ROUNDS_MAX,
            "p" => LANES_MAX,
            _ => return None,
        };
        Some(value.parse::<u32>().is_ok_and(|value| value <= max))
    });
    known.all(|fits| fits)
}

/// Whether a name stands for somebody without a login, so that nobody may log in under it.
fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name) || WITHOUT_LOGIN.contains(&name) || name.starts_with(cages::PREFIX)
}

/// A user's name for a device: its own, where a user may have that.
pub(crate) fn name_for(device: &str) -> String {
    if is_reserved(device) {
        format!("module-{device}")
    } else {
        device.to_owned()
    }
}

/// The grants of a tool or bridge.
fn filters(bridge: &[String], read: &[String]) -> anyhow::Result<Vec<String>> {
    let bridge = bridge.iter().map(|filter| ("bridge", filter));
    let read = read.iter().map(|filter| ("read", filter));
    let mut grants = Vec::new();
    for (what, filter) in bridge.chain(read) {
        let shown = filter.escape_debug();
        if filter.chars().any(char::is_control) || broker::Filter::new(filter).is_err() {
            bail!("--{what} \"{shown}\": this is no topic filter");
        }
        if let Some(why) = dispatcher::access::not_for_bridges(filter) {
            bail!("--{what} \"{shown}\": {why}");
        }
        // Bridges have a topic for each of their devices, below a name that is itself none.
        if !filter.contains(['/', '+', '#']) {
            bail!(
                "--{what} \"{shown}\": this is the topic {shown} alone; write \"{shown}/#\" for all topics below it"
            );
        }
        grants.push(format!("{what} {filter}"));
    }
    Ok(grants)
}

/// Changes users in the database of a state folder while no dispatcher runs there. Makes the folder only
/// where somebody named it: a login in a place that no dispatcher looks at would help nobody.
///
/// # Errors
/// The folder is in use or can't be opened, or what the request asks for can't be done.
pub(crate) fn offline(folder: &Path, is_named: bool, request: &Request) -> anyhow::Result<Json> {
    if !is_named && !folder.join("house.db").exists() {
        bail!(
            "no house has its state there; start the dispatcher first, or name its folder with --state"
        );
    }
    let (mut store, _) = store::Store::open(folder, store::Options::default())?;
    let database = store.database();
    match request {
        Request::UserAdd { user } => {
            let is_known = may_replace(database, user)?;
            database.put_user(&row(user)?)?;
            Ok(Json::from(added(user, is_known)))
        }
        Request::UserMay { user } => {
            may_replace(database, user)?;
            Ok(Json::Null)
        }
        Request::Users => Ok(Users::new(&database.read().users()?.0).list(None)),
        Request::UserRemove { name } => remove(database, name),
        _ => Err(anyhow!("this needs a running dispatcher")),
    }
}

/// Whether there is a user of this name, who may get a new password.
fn may_replace(database: &Database, user: &NewUser) -> anyhow::Result<bool> {
    let known = database.read().user(&user.name)?;
    let known = known.as_ref().map(Known::from);
    // Nobody says here which devices the house has.
    let refused = known
        .as_ref()
        .and_then(|known| is_somebody_else(known, user, |_| false));
    match refused {
        Some(why) => Err(anyhow!(why)),
        None => Ok(known.is_some()),
    }
}

/// What is said when a user was added; `is_known`: there was one of this name.
pub(crate) fn added(user: &NewUser, is_known: bool) -> String {
    let name = &user.name;
    let may = match &user.kind {
        NewUserKind::Device(device) => format!("{name} may now speak for the device {device}"),
        NewUserKind::Tool { bridge, .. } if !bridge.is_empty() => {
            let topics = bridge.join(" and ");
            format!("{name} may now carry the foreign devices on {topics}")
        }
        NewUserKind::Tool { .. } | NewUserKind::Person => format!("{name} may now log in"),
    };
    if is_known {
        format!("{may}, with a new password; the old one no longer works")
    } else {
        may
    }
}

fn remove(database: &mut Database, name: &str) -> anyhow::Result<Json> {
    if !database.remove_user(name)? {
        bail!("there is no user {name}");
    }
    Ok(Json::from(format!("{name} is removed")))
}

fn word(kind: UserKind) -> &'static str {
    match kind {
        UserKind::Person => "person",
        UserKind::Device => "device",
        UserKind::Tool => "tool",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::login;

    fn device_login(hash: &str) -> NewUser {
        NewUser {
            name: "hall".into(),
            kind: NewUserKind::Device("hall".into()),
            hash: hash.into(),
        }
    }

    #[test]
    fn a_bridge_keeps_its_filters_and_gets_none_of_ours() {
        let bridge = |filter: &str| NewUser {
            name: "z2m".into(),
            kind: NewUserKind::Tool {
                bridge: vec![filter.into()],
                read: vec!["stat/#".into()],
            },
            hash: login::hash_generated("secret"),
        };
        let known = Known::from(&row(&bridge("zigbee2mqtt/#")).expect("it is a user"));
        assert_eq!(known.bridge, ["zigbee2mqtt/#"]);
        assert_eq!(known.read, ["stat/#"]);
        for filter in [
            "#",
            "+/x",
            "iot/#",
            "ic1/x",
            "$SYS/#",
            "",
            "a/#/b",
            "a\nread iot/#",
        ] {
            assert!(row(&bridge(filter)).is_err(), "{filter}");
        }
    }

    #[test]
    fn a_bridge_that_is_given_the_name_above_its_topics_is_told_what_to_write() {
        let tool = |bridge: &[&str], read: &[&str]| NewUser {
            name: "z2m".into(),
            kind: NewUserKind::Tool {
                bridge: bridge.iter().map(|it| (*it).to_owned()).collect(),
                read: read.iter().map(|it| (*it).to_owned()).collect(),
            },
            hash: login::hash_generated("secret"),
        };
        for (user, said) in [
            (tool(&["zigbee2mqtt"], &[]), "--bridge \"zigbee2mqtt\""),
            (tool(&[], &["stat"]), "--read \"stat\""),
        ] {
            let why = row(&user).expect_err("it is one topic").to_string();
            assert!(why.starts_with(said) && why.contains("/#\""), "{why}");
        }
        assert!(row(&tool(&["a/b", "a/+/c"], &["stat/#"])).is_ok());
    }

    #[test]
    fn a_second_password_says_that_the_first_is_gone() {
        let user = device_login("");
        assert!(!added(&user, false).contains("password"));
        assert!(added(&user, true).ends_with("the old one no longer works"));
    }

    #[test]
    fn a_name_that_is_taken_gets_a_new_password_and_becomes_nobody_else() {
        let user = |kind: NewUserKind| NewUser {
            name: "anna".into(),
            kind,
            hash: login::hash_generated("secret"),
        };
        let device = |name: &str| user(NewUserKind::Device(name.into()));
        let tool = |bridge: &[&str]| {
            user(NewUserKind::Tool {
                bridge: bridge.iter().map(|it| (*it).to_owned()).collect(),
                read: Vec::new(),
            })
        };
        let all = [
            (user(NewUserKind::Person), "a person"),
            (device("hall"), "the login of the device hall"),
            (device("floor"), "the login of the device floor"),
            (tool(&[]), "a tool"),
            (tool(&["z2m/#"]), "the bridge of z2m/#"),
        ];
        for (was, called) in &all {
            let known = Known::from(&row(was).expect("it is a user"));
            for (new, _) in &all {
                let refused = is_somebody_else(&known, new, |_| false);
                assert_eq!(refused.is_none(), was == new, "{called}: {refused:?}");
                if let Some(why) = refused {
                    let told = format!("anna is there already, as {called}");
                    assert!(why.starts_with(&told), "{why}");
                    assert!(why.contains("iot-control user remove anna"), "{why}");
                }
            }
            // What a bridge carries may change.
            let more = is_somebody_else(&known, &tool(&["z2m/#", "stat/#"]), |_| false);
            assert_eq!(more.is_none(), *called == "the bridge of z2m/#");
        }
        let known = Known::from(&row(&device("hall")).expect("it is a user"));
        let moved = is_somebody_else(&known, &device("floor"), |device| device == "hall");
        assert_eq!(moved, None, "the house has no hall any more");
    }

    #[test]
    fn a_generated_password_comes_back_as_the_hash_that_the_broker_checks() {
        let hash = login::hash_generated("secret");
        let row = row(&device_login(&hash)).expect("it is a user");
        let known = Known::from(&row);
        assert_eq!(*known.hash, *hash);
        assert_eq!(known.device.as_deref(), Some("hall"));
    }

    #[test]
    fn a_hash_that_costs_too_much_to_check_is_refused() {
        let hash = login::hash_chosen("a long enough one").expect("it is hashed");
        assert!(row(&device_login(&hash)).is_ok());
        let fields: Vec<&str> = hash.split('$').collect();
        for costs in [
            "m=4194304,t=2,p=1",
            "m=19456,t=4000000,p=1",
            "m=19456,t=2,p=255",
        ] {
            let dear = hash.replace(fields[3], costs);
            let why = row(&device_login(&dear)).expect_err("it costs too much");
            assert!(why.to_string().contains("too much"), "{why}");
        }
    }

    #[test]
    fn nobody_logs_in_under_what_stands_for_somebody_without_a_login() {
        let hash = login::hash_generated("secret");
        for name in RESERVED.into_iter().chain(WITHOUT_LOGIN) {
            let user = |name: &str| NewUser {
                name: name.into(),
                ..device_login(&hash)
            };
            let why = row(&user(name)).expect_err("it is the dispatcher's");
            assert!(why.to_string().contains("without a login"), "{why}");
            assert!(row(&user(&name_for(name))).is_ok(), "{name}");
        }
        for name in [
            "superuser",
            "external-broker",
            "external broker",
            "local",
            "strangers",
        ] {
            assert!(is_reserved(name), "{name}");
        }
        assert!(row(&device_login(&hash)).is_ok());
        assert_eq!(name_for("hall"), "hall");
    }

    #[test]
    fn a_hash_that_is_none_is_refused() {
        assert!(row(&device_login("blake2s$12")).is_err());
        assert!(row(&device_login("secret")).is_err());
        assert!(row(&device_login(&format!("blake2s${}", "ü".repeat(32)))).is_err());
    }
}
