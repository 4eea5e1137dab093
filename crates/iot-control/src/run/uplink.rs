//! The way to an external broker. Our own broker stays inside, without listeners, and keeps what waits, in which order, and
//! when something is acknowledged; this is one client of it and one of the other broker, and passes messages between them.
//!
//! Called by `run`. Spoken is MQTT 5, or 3.1.1 with a broker that does not know 5. A message is acknowledged at one end when
//! the other end has acknowledged it: what the external broker forgot is in the journal, and what the house forgot is at the
//! external broker. Must not decide what a message means.

pub(crate) mod canary;
mod claim;
mod client;
mod echoes;
mod lost;
mod pass;
mod rival;
mod session;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    fs, io,
    path::Path,
    rc::Rc,
    time::Duration,
};

use anyhow::{Context, anyhow};
use broker::{Access, Admission, tcp};
use store::contents::EXTERNAL_BROKER_ID;
use tokio::{
    sync::Notify,
    task::{JoinHandle, spawn_local},
    time::{Instant, sleep, timeout},
};

use self::{
    claim::Claim,
    client::Version,
    echoes::Echoes,
    lost::Choice,
    pass::Ended,
    rival::Rival,
    session::{End, Fate, Said},
};
use super::app::App;
use crate::{
    acl, printer,
    settings::{External, Settings},
};

/// The name of the uplink as a client of our own broker. With a blank in it, it is no user's.
pub(super) const USER: &str = "external broker";

/// Where the external broker says whether the dispatcher is there.
const AVAILABILITY: &str = "iot/dispatcher/availability";

/// Longest pause before the external broker is tried again, and the first one.
const PAUSE_MAX: Duration = Duration::from_secs(30);
const PAUSE_FIRST: Duration = Duration::from_millis(500);

/// How long the end waits for the goodbye to be taken.
const GOODBYE_MAX: Duration = Duration::from_secs(2);

/// A connection that held for so long was a good one: after it the first pause is short again.
const HELD_MIN: Duration = Duration::from_secs(5);

/// Reasons for which it is not reached, of which each is told once.
const TOLD_MAX: usize = 16;

/// Of a connection that ended, and nobody said why.
const CLOSED: &str = "the connection ended";

/// What the rest of the dispatcher knows of the uplink, and tells it.
pub(super) struct Uplink {
    /// Of this start; nobody else knows it.
    password: [u8; 32],
    address: String,
    /// Ours at that broker.
    user: Option<String>,
    /// It holds devices to their own topics, as it showed when it was tried last.
    confines: Cell<bool>,
    /// Why it is not reached; `None`: it is.
    trouble: RefCell<Option<String>>,
    /// What was told of why it is not reached, since it was.
    told: RefCell<BTreeSet<String>>,
    /// Since when it is reached.
    since: Cell<Option<Instant>>,
    lost: Cell<u64>,
    /// The version that was spoken last.
    version: Cell<Option<Version>>,
    /// Another dispatcher that has the house too.
    rival: RefCell<Option<Rival>>,
    contested: Notify,
    /// Another mapping is in force.
    pub(super) reloaded: Notify,
    stop: Notify,
    is_stopping: Cell<bool>,
    /// Why this dispatcher must not go on.
    fatal: RefCell<Option<String>>,
    ends: Notify,
}

impl Uplink {
    pub(super) fn new(to: &External) -> anyhow::Result<Rc<Self>> {
        let mut password = [0; 32];
        getrandom::fill(&mut password).map_err(|error| anyhow!("no random bytes: {error}"))?;
        Ok(Rc::new(Self {
            password,
            address: to.to_string(),
            user: to.user.clone(),
            confines: Cell::default(),
            trouble: RefCell::new(Some("it is tried for the first time".to_owned())),
            told: RefCell::default(),
            since: Cell::default(),
            lost: Cell::default(),
            version: Cell::default(),
            rival: RefCell::default(),
            contested: Notify::new(),
            reloaded: Notify::new(),
            stop: Notify::new(),
            is_stopping: Cell::default(),
            fatal: RefCell::default(),
            ends: Notify::new(),
        }))
    }

    /// Lets the uplink into our own broker; `None`: it is somebody else.
    pub(super) fn admit(&self, login: &broker::Login<'_>) -> Option<Admission> {
        let given = login.password.filter(|_| login.user == Some(USER))?;
        // Takes as long whichever byte is the wrong one.
        let differences = given.iter().zip(&self.password);
        let differences = differences.fold(0, |all, (one, two)| all | (one ^ two));
        let fits = differences == 0 && given.len() == self.password.len();
        let access = || Access {
            many: true,
            ..Access::superuser(USER)
        };
        fits.then(|| Admission::Accept(access()))
    }

    /// Where the external broker is.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Whether it holds each device to its own topics, so that a topic says who speaks.
    pub(super) fn confines(&self) -> bool {
        self.confines.get()
    }

    /// The list by which it would.
    fn list(&self, app: &App) -> acl::List {
        let program = app.dispatcher.program();
        acl::List::new(program, self.user.as_deref(), &app.sealed.known())
    }

    /// Why the external broker is not reached; `None`: it is.
    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.borrow().clone()
    }

    /// How often it was lost since the start.
    pub(super) fn lost(&self) -> u64 {
        self.lost.get()
    }

    /// The version of MQTT that was spoken with it last.
    pub(super) fn version(&self) -> Option<&'static str> {
        self.version.get().map(|version| match version {
            Version::Five => "5",
            Version::Three => "3.1.1",
        })
    }

    /// Why this dispatcher must not go on.
    pub(super) fn fatal(&self) -> Option<String> {
        self.fatal.take()
    }

    fn reached(&self, version: Version) {
        self.version.set(Some(version));
        let by = match version {
            Version::Five => "",
            Version::Three => " by MQTT 3.1.1",
        };
        self.told.borrow_mut().clear();
        self.since.set(Some(Instant::now()));
        if self.trouble.take().is_some() {
            printer::tell(format_args!(
                "the external broker {} is reached{by}",
                self.address
            ));
        }
    }

    /// How long the connection held that is over now; `None`: it never came about.
    fn held(&self) -> Option<Duration> {
        self.since.take().map(|since| since.elapsed())
    }

    fn not_reached(&self, why: &str) {
        self.confines.set(false);
        let was = self.trouble.replace(Some(why.to_owned()));
        if was.is_none() {
            self.lost.set(self.lost.get() + 1);
        }
        let mut told = self.told.borrow_mut();
        if told.len() < TOLD_MAX && told.insert(why.to_owned()) {
            printer::tell(format_args!(
                "the external broker {} is not reached, trying again: {why}",
                self.address
            ));
        }
    }
}

/// A running uplink.
pub(super) struct Running {
    uplink: Rc<Uplink>,
    task: JoinHandle<()>,
}

impl Running {
    /// Says goodbye to the external broker.
    async fn stop(self) {
        self.uplink.is_stopping.set(true);
        self.uplink.stop.notify_one();
        // Who doesn't take the goodbye will see that we are gone.
        drop(timeout(GOODBYE_MAX, self.task).await);
    }
}

/// Done when `ended` is, or when this dispatcher must not go on; the external broker knows it by then.
pub(super) async fn until(ended: impl Future<Output = ()>, running: Option<Running>) {
    let Some(running) = running else {
        return ended.await;
    };
    tokio::select! {
        () = ended => {}
        () = running.uplink.ends.notified() => {}
    }
    running.stop().await;
}

/// Starts to reach for the external broker of `settings`.
///
/// # Errors
/// The CA can't be read, or the state folder can't keep our id.
pub(super) fn start(
    uplink: &Rc<Uplink>,
    server: tcp::Server<App>,
    settings: &Settings,
    (to, house, state): (&External, &Path, &Path),
) -> anyhow::Result<Running> {
    let id = id(state).with_context(|| format!("{}", state.join(EXTERNAL_BROKER_ID).display()))?;
    let since_ms = server.enter(|_, _, now| u64::try_from(now.wall.0 / 1_000).unwrap_or(0));
    let road = Road {
        uplink: Rc::clone(uplink),
        reach: Reach::new(settings, to, &id)?,
        choice: Cell::new(Choice::FIRST),
        echoes: RefCell::default(),
        packet_bytes_max: settings.mqtt.packet_bytes_max,
        claim: Claim {
            since_ms,
            id,
            house: house.display().to_string(),
        },
        server,
    };
    Ok(Running {
        uplink: Rc::clone(uplink),
        task: spawn_local(road.keep()),
    })
}

/// The id of this state folder, made up at its first start.
fn id(state: &Path) -> anyhow::Result<String> {
    let path = state.join(EXTERNAL_BROKER_ID);
    match fs::read_to_string(&path) {
        Ok(id) if id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) => Ok(id),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => {
            let number = getrandom::u64().map_err(|error| anyhow!("no random bytes: {error}"))?;
            let id = format!("{number:016x}");
            fs::write(&path, &id)?;
            Ok(id)
        }
    }
}

/// How the external broker is reached, in either version.
struct Reach {
    id: String,
    host: String,
    port: u16,
    login: Option<(String, String)>,
    tls: Option<Tls>,
}

/// Whose certificates are trusted.
enum Tls {
    /// Those of a CA of the house's own, as PEM.
    Own(Vec<u8>),
    /// Those that this machine trusts.
    Machine,
}

impl Reach {
    fn new(settings: &Settings, to: &External, id: &str) -> anyhow::Result<Self> {
        let password = settings.broker_password.as_ref();
        let password = password.map_or("", |password| password.reveal());
        let tls = match &settings.broker_ca {
            _ if !to.tls => None,
            Some(path) => {
                let ca = fs::read(path);
                let ca = ca.with_context(|| format!("{} (broker_ca)", path.display()))?;
                Some(Tls::Own(ca))
            }
            None => Some(Tls::Machine),
        };
        let reach = Self {
            id: format!("iot-control-{id}"),
            host: to.host.clone(),
            port: to.port,
            login: to.user.clone().map(|user| (user, password.to_owned())),
            tls,
        };
        // What is wrong with this machine's certificates is told at the start.
        reach.five()?;
        Ok(reach)
    }

    fn five(&self) -> anyhow::Result<rumqttc_v5::MqttOptions> {
        use rumqttc_v5::Transport;
        let mut options = rumqttc_v5::MqttOptions::new(&*self.id, (self.host.clone(), self.port));
        if let Some((user, password)) = &self.login {
            options.set_credentials(user.clone(), password.clone());
        }
        if let Some(tls) = &self.tls {
            options.set_transport(match tls {
                Tls::Own(ca) => Transport::tls(ca.clone(), None, None),
                Tls::Machine => Transport::try_tls_with_default_config().context(MACHINE_TLS)?,
            });
        }
        Ok(options)
    }

    fn three(&self) -> anyhow::Result<rumqttc::MqttOptions> {
        use rumqttc::Transport;
        let mut options = rumqttc::MqttOptions::new(&*self.id, (self.host.clone(), self.port));
        if let Some((user, password)) = &self.login {
            options.set_credentials(user.clone(), password.clone());
        }
        if let Some(tls) = &self.tls {
            options.set_transport(match tls {
                Tls::Own(ca) => Transport::tls(ca.clone(), None, None),
                Tls::Machine => Transport::try_tls_with_default_config().context(MACHINE_TLS)?,
            });
        }
        Ok(options)
    }
}

const NO_MQTT: &str = "it says other things than MQTT does";

const MACHINE_TLS: &str = "this machine's certificates; broker_ca names others";

/// Everything that one connection after the other needs.
struct Road {
    uplink: Rc<Uplink>,
    server: tcp::Server<App>,
    reach: Reach,
    /// The version that is spoken there.
    choice: Cell<Choice>,
    /// What comes back to us there.
    echoes: RefCell<Echoes>,
    packet_bytes_max: u32,
    claim: Claim,
}

impl Road {
    async fn keep(self) {
        let mut pause = Pause::FIRST;
        while !self.uplink.is_stopping.get() {
            let ended = self.connection().await;
            let is_away = matches!(ended, Ended::Away(_));
            match ended {
                Ended::Stopped => return,
                Ended::Yields(why) => {
                    self.uplink.fatal.replace(Some(why));
                    self.uplink.ends.notify_one();
                    return;
                }
                _ if self.uplink.is_stopping.get() => return,
                Ended::Lost(why) | Ended::Away(why) => self.uplink.not_reached(&why),
                Ended::Closed => self.uplink.not_reached(CLOSED),
            }
            let pause_max = pause.after(self.uplink.held(), is_away);
            tokio::select! {
                () = sleep(jittered(pause_max)) => {}
                () = self.uplink.stop.notified() => return,
            }
        }
    }

    /// One connection from its beginning to its end.
    async fn connection(&self) -> Ended {
        let choice = self.choice.get();
        if let Err(ended) = self.claim(choice).await {
            return ended;
        }
        let mut outside = match self.outside(choice.version) {
            Ok(outside) => outside,
            Err(why) => return Ended::Lost(format!("{why:#}")),
        };
        match outside.said.recv().await {
            Some(Said::Connected { resumes: true }) => {}
            Some(Said::Connected { resumes: false }) => self.echoes.borrow_mut().forget(),
            Some(Said::Lost(lost)) => return Ended::Lost(lost.why),
            _ => return Ended::Lost(NO_MQTT.to_owned()),
        }
        let mut inside = match self.inside().await {
            Ok(inside) => inside,
            Err(error) => return Ended::Lost(format!("our own broker: {error}")),
        };
        match inside.said.recv().await {
            Some(Said::Connected { .. }) => {}
            other => return Ended::Lost(format!("our own broker: {other:?}")),
        }
        let fates = (outside.fate(), inside.fate());
        match pass::between(self, outside, inside).await {
            Ended::Closed => why(fates).await,
            ended => ended,
        }
    }

    /// Notes a message that is larger than our own broker takes.
    fn refuse(&self, topic: &str, bytes: usize) {
        let bytes_max = self.bytes_max();
        self.server
            .enter(|_, app, now| app.refuse_too_long(now, topic, bytes, bytes_max));
    }

    fn bytes_max(&self) -> usize {
        usize::try_from(self.packet_bytes_max).unwrap_or(usize::MAX)
    }

    /// Claims the house, over a connection of its own; finds out which version the broker speaks.
    async fn claim(&self, choice: Choice) -> Result<(), Ended> {
        let name = format!("{}-claim", self.reach.id);
        let started = match choice.version {
            Version::Five => self.reach.five().map(|mut options| {
                options.set_client_id(name);
                End::brief(options, self.bytes_max())
            }),
            Version::Three => self.reach.three().map(|mut options| {
                options.set_client_id(name);
                End::brief_three(options, self.bytes_max())
            }),
        };
        let mut asking = started.map_err(|why| Ended::Lost(format!("{why:#}")))?;
        match asking.said.recv().await {
            Some(Said::Connected { .. }) => self.choice.set(choice.answered()),
            Some(Said::Lost(lost)) => {
                self.choice.set(choice.after(lost.verdict));
                return Err(match lost.is_away {
                    true => Ended::Away(lost.why),
                    false => Ended::Lost(lost.why),
                });
            }
            _ => return Err(Ended::Lost(NO_MQTT.to_owned())),
        }
        let fate = asking.fate();
        let claimed = pass::claimed(&mut asking, &self.claim).await;
        if let Err(Ended::Closed) = claimed {
            let why = fate.why().await;
            return Err(Ended::Lost(why.unwrap_or_else(|| CLOSED.to_owned())));
        }
        asking.leave().await;
        claimed
    }

    /// A connection to the external broker, of which nothing is known yet.
    fn outside(&self, version: Version) -> anyhow::Result<End> {
        Ok(match version {
            Version::Five => {
                use rumqttc_v5::mqttbytes::{QoS, v5::LastWill};
                let will = LastWill::new(AVAILABILITY, "offline", QoS::AtLeastOnce, true, None);
                let mut options = self.reach.five()?;
                options.set_last_will(will);
                End::five(options, self.bytes_max())
            }
            Version::Three => {
                use rumqttc::{LastWill, QoS};
                let will = LastWill::new(AVAILABILITY, "offline", QoS::AtLeastOnce, true);
                let mut options = self.reach.three()?;
                options.set_last_will(will);
                End::three(options, self.bytes_max())
            }
        })
    }

    async fn inside(&self) -> io::Result<End> {
        let (ours, theirs, peer) = session::pair().await?;
        self.server.attach(theirs, peer);
        let mut options = session::through(ours, USER);
        options.set_credentials(USER, self.uplink.password.to_vec());
        Ok(End::five(options, usize::MAX))
    }
}

/// Why one of two ends is over, outside or inside.
async fn why((outside, inside): (Fate, Fate)) -> Ended {
    Ended::Lost(tokio::select! {
        Some(why) = outside.why() => why,
        Some(why) = inside.why() => format!("our own broker: {why}"),
        else => CLOSED.to_owned(),
    })
}

/// How long to wait before the next attempt.
#[derive(Clone, Copy, Debug)]
struct Pause {
    /// At most.
    max: Duration,
    /// It was reached, and lost soon.
    is_brief: bool,
}

impl Pause {
    const FIRST: Self = Self {
        max: PAUSE_FIRST,
        is_brief: false,
    };

    /// After a connection that held so long, or never came about. A broker that lets us in and ends at once is tried less and
    /// less often; one that goes away and comes back is none.
    fn after(&mut self, held: Option<Duration>, is_away: bool) -> Duration {
        if held.is_some_and(|held| held >= HELD_MIN) || is_away && self.is_brief {
            *self = Self::FIRST;
        }
        self.is_brief |= held.is_some();
        let pause = self.max;
        self.max = pause.saturating_mul(2).min(PAUSE_MAX);
        pause
    }
}

/// Anything up to `pause_max`, so that a house's clients don't come back all at once.
fn jittered(pause_max: Duration) -> Duration {
    let random = getrandom::u32().unwrap_or(u32::MAX);
    pause_max.mul_f64(f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_that_ends_each_connection_at_once_is_tried_less_and_less_often() {
        let pauses = |held, is_away| {
            let mut pause = Pause::FIRST;
            (0..8).map(move |_| pause.after(held, is_away).as_millis())
        };
        let longer = [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000];
        assert!(pauses(Some(Duration::ZERO), false).eq(longer));
        assert!(pauses(None, false).eq(longer), "one that lets nobody in");
        assert!(pauses(None, true).eq(longer), "one that is away");
        assert!(pauses(Some(HELD_MIN), false).eq([500; 8]), "good ones");
    }

    #[test]
    fn a_broker_that_is_started_again_and_again_is_found_soon_each_time() {
        let mut pause = Pause::FIRST;
        for _ in 0..20 {
            let lost = pause.after(Some(Duration::from_millis(100)), false);
            assert!(lost <= 2 * PAUSE_FIRST);
            assert_eq!(pause.after(None, true), PAUSE_FIRST);
        }
    }
}
