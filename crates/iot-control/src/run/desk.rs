//! What people ask of the running dispatcher, through the control socket and by editing files: this file answers, its
//! children change something.

mod blocks;
mod edits;
mod keys;
mod people;
mod variables;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    net::SocketAddr,
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
};

use anyhow::Context;
use broker::{Outbox, tcp};
use dispatcher::{ALL, Notify, Subject};
use mapping::program::{Program, SlotIx, Succession};
use replay::Target;
use serde_json::{Value as Json, json};
use store::HealthState;
use tokio::sync::oneshot;
use types::{InputNo, Instant, UnixTime};

pub(super) use self::edits::Waiting;
use super::{
    app::App,
    concerns::concerns,
    recover::local_time,
    show, status,
    stream::Lines,
    tls::InForce,
    users::{self, Users},
    vitals,
};
use crate::{
    control::{NewUser, NewUserKind, Request},
    login, printer,
    settings::Settings,
    simulate::{self, Modules, Passwords},
};

/// The answer to a request.
pub(crate) enum Answer {
    Once(Json),
    /// The live stream for one reader, and the number of the last input before it, which is in the journal.
    Stream {
        begin: Json,
        lines: Lines,
    },
}

/// The running dispatcher as people reach it.
pub(crate) struct Desk {
    server: tcp::Server<App>,
    house: PathBuf,
    state: PathBuf,
    /// The same, as everybody can name it.
    real_house: PathBuf,
    broker: Option<SocketAddr>,
    modules: RefCell<Option<Modules>>,
    /// Of the simulated modules.
    passwords: RefCell<Passwords>,
    /// How simulated modules of ours come in over the sealed link; `None`: they are plain ones.
    sealed_simulation: Cell<Option<simulate::Ways>>,
    store: store::StoreHandle,
    durable: tcp::Durable,
    settings: Settings,
    certificate: Option<Rc<InForce>>,
    /// Held while blocks change, in memory and in the file together.
    blocklist: tokio::sync::Mutex<()>,
    /// Held while keys change, in memory and on the disk together.
    keys: tokio::sync::Mutex<()>,
    /// Held while users change, in memory and in the database together.
    users: tokio::sync::Mutex<()>,
    /// The newest edit is not in force.
    spoilt: Cell<bool>,
    /// blocklist.toml can't be read, and the one before it is in force.
    blocklist_spoilt: Cell<bool>,
    /// Whose blocks an edit lifted whose mapping is not in force: they hold until one is.
    held: RefCell<BTreeSet<Subject>>,
    /// The newest edit is right, and its mapping can't be kept.
    waits: RefCell<Option<Waiting>>,
    started: Instant,
}

impl Desk {
    pub(super) fn new(
        server: tcp::Server<App>,
        house: &Path,
        state: &Path,
        broker: Option<SocketAddr>,
        store: store::StoreHandle,
        (settings, certificate): (Settings, Option<Rc<InForce>>),
    ) -> Self {
        Self {
            started: server.enter(|_, _, now| now.at),
            durable: server.durable(),
            server,
            house: house.to_owned(),
            state: state.to_owned(),
            real_house: house.canonicalize().unwrap_or_else(|_| house.to_owned()),
            broker,
            modules: RefCell::default(),
            passwords: RefCell::default(),
            sealed_simulation: Cell::default(),
            store,
            settings,
            certificate,
            blocklist: tokio::sync::Mutex::default(),
            keys: tokio::sync::Mutex::default(),
            users: tokio::sync::Mutex::default(),
            spoilt: Cell::default(),
            held: RefCell::default(),
            waits: RefCell::default(),
            blocklist_spoilt: Cell::new(mapping::blocklist::load(house).blocks.is_none()),
        }
    }

    /// Tells of names that stand only in the settings or only in the mapping.
    pub(super) fn tell_concerns(&self, program: &Program) {
        for concern in concerns(&self.settings, program) {
            printer::tell(format_args!("warning: {concern}"));
        }
    }

    /// Tells everybody that this started with the mapping that came into force at `since`, and not with its files; `waits`: those are
    /// right.
    pub(super) fn goes_on(&self, since: Instant, waits: Option<Waiting>) {
        self.spoilt.set(true);
        let (why, mend, then) = match &waits {
            None => (
                String::new(),
                "Mend the files",
                "they are taken up when they check",
            ),
            Some(waits) => (
                format!(", for {}", waits.why),
                "Make room or mend the disk",
                "they are taken up by themselves",
            ),
        };
        let then = match self.settings.reload.watch {
            true => then,
            false => "and start again",
        };
        self.waits.replace(waits);
        let text = self.server.enter(|_, app, now| {
            let ago = i64::try_from(now.at.since(since).as_micros()).unwrap_or(i64::MAX);
            let wall = UnixTime(now.wall.0.saturating_sub(ago));
            let time = local_time(wall, app.dispatcher.program());
            let text = format!(
                "the house's files can't come into force{why}; the mapping of {time} goes on. {mend}, {then}"
            );
            let told = Notify {
                to: ALL.into(),
                text: text.clone(),
            };
            // Nobody is connected to the broker yet.
            app.teller.tell(&told, &mut Outbox::default());
            text
        });
        printer::tell(format_args!("warning: {text}"));
        self.hold_what_is_lifted();
    }

    /// From now on simulated modules of ours have keys.
    pub(super) fn seal_simulation(&self, ways: simulate::Ways) {
        self.sealed_simulation.set(Some(ways));
    }

    /// Starts simulated modules, or brings those that run to another mapping. `edit` tells who is who in it, for whoever knows.
    pub(super) fn simulate(
        &self,
        program: &Arc<Program>,
        edit: Option<&Succession<'_>>,
    ) -> anyhow::Result<()> {
        let mut passwords = self.passwords.borrow_mut();
        let mut logins = Users::default();
        let mut before = std::mem::take(&mut *passwords);
        for device in &program.devices {
            let password = match before.remove(&device.name) {
                Some(password) => password,
                None => login::generate()?,
            };
            logins.put(&users::row(&NewUser {
                name: users::name_for(&device.name),
                kind: NewUserKind::Device(device.name.to_string()),
                hash: login::hash_generated(&password),
            })?);
            passwords.insert(Arc::clone(&device.name), password);
        }
        self.server.enter(|_, app, _| app.logins.simulated = logins);
        let mut modules = self.modules.borrow_mut();
        let running = match modules.take() {
            Some(running) => running,
            None => {
                let broker = self
                    .broker
                    .context("simulated modules need a broker here")?;
                Modules::start(broker, self.sealed_simulation.get())?
            }
        };
        let running = modules.insert(running);
        let lend = |device| self.server.enter(|_, app, now| app.lend_key(device, now));
        let known = self.known_state(program);
        if running.follow((program, edit), (&passwords, &known), lend)? > 0 {
            self.server.enter(|_, app, now| app.expect_modules(now));
        }
        Ok(())
    }

    /// What the house is to be, and else was last: where simulated modules begin, so that a restart of them is none of the house.
    fn known_state(&self, program: &Program) -> simulate::Known {
        let slots = SlotIx::all(program.slots.len());
        self.server.enter(|_, app, _| {
            let engine = app.dispatcher.engine();
            let known = slots.filter_map(|slot| {
                let wanted = engine.target(slot).filter(|_| program[slot].settable);
                let value = wanted.or_else(|| engine.reported_last(slot))?;
                Some((slot, value.clone()))
            });
            known.collect()
        })
    }

    fn is_simulated(&self) -> bool {
        self.modules.borrow().is_some()
    }

    pub(super) fn stop_simulation(&self) {
        self.modules.borrow_mut().take();
    }

    fn press(&self, path: &str, words: &[String]) -> Result<Json, String> {
        let modules = self.modules.borrow();
        let modules = modules.as_ref().ok_or(
            "no simulated modules run here; start the dispatcher with --simulate, or publish the event with an MQTT client",
        )?;
        let program = self
            .server
            .enter(|_, app, _| Arc::clone(app.dispatcher.program()));
        let says = simulate::words_of(&program, path, words).map_err(|wrong| wrong.to_string())?;
        let first = says.first().ok_or("there is nothing to report")?;
        let said = show::said(&program, first);
        let device = match first {
            simulate::Says::Event { event, .. } => program[*event].device,
            simulate::Says::State { channel, .. } => program[*channel].device,
        };
        let sides = self
            .server
            .enter(|_, app, _| app.dispatcher.blocked(device));
        if !sides.producer {
            modules.report(device, says)?;
            return Ok(Json::from(said));
        }
        // Whose login is refused too would say it much later, when the block is lifted.
        let name = &program[device].name;
        if !sides.consumer {
            modules.report(device, says)?;
        }
        Err(format!(
            "{name} is blocked: what it says is not heard, so nothing came of {said}. `iot-control device unblock {name}` \
             lets it in again"
        ))
    }

    /// How the house is doing, for machines.
    pub(super) fn vitals(&self) -> web::Report {
        let health = self.store.health();
        self.server
            .enter(|core, app, now| vitals::report(core, app, &health, now.at.since(self.started)))
    }

    fn known(&self, name: &str) -> Result<(), String> {
        self.server.enter(|_, app, _| show::known(app, name))
    }

    /// Waits until the input `last`, which was handed over, is in the journal; says why not, where it is not.
    async fn kept(&self, last: InputNo) -> Result<Json, String> {
        let unkept = self.unkept(last).await?;
        Ok(json!({ "last": last.0, "unkept": unkept }))
    }

    /// Waits until the store has looked at what it was handed so far; says why the input `last` is not kept by then.
    async fn unkept(&self, last: InputNo) -> Result<Option<String>, String> {
        // Batches come before it.
        self.change_store(|_| Ok(())).await?;
        if self.durable.reached() >= last {
            return Ok(None);
        }
        let why = match self.store.health().state {
            HealthState::Good => format!(
                "the disk is slow: {} of {} inputs are written",
                self.durable.reached().0,
                last.0
            ),
            failing => failing.to_string(),
        };
        Ok(Some(why))
    }

    async fn change_store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut store::db::Database) -> Result<T, store::db::DbError> + Send + 'static,
    ) -> Result<T, String> {
        let (sender, done) = oneshot::channel();
        // Whoever asked may be gone; then nobody needs the answer.
        let reply = move |result| drop(sender.send(result));
        self.store
            .change(work, reply)
            .map_err(|refusal| refusal.to_string())?;
        let result = done.await.map_err(|_| "the store has ended".to_owned())?;
        result.map_err(|error| error.to_string())
    }

    /// Answers one request.
    ///
    /// # Errors
    /// Why not, for people.
    pub(crate) async fn answer(&self, request: Request) -> Result<Answer, String> {
        let answer = match request {
            Request::Events { json, filters } => return self.follow(json, &filters).await,
            Request::Press { channel, words } => self.press(&channel, &words)?,
            Request::Set { name, value } => self.set(&name, &value).await?,
            Request::House => self
                .server
                .enter(|_, app, _| show::house(app, &self.real_house)),
            Request::Status => {
                let health = self.store.health();
                let certificate = self.certificate.as_ref();
                let certificate = certificate.map_or(Json::Null, |files| files.status());
                self.server.enter(|core, app, now| {
                    let up = now.at.since(self.started);
                    let beside = status::Beside {
                        up,
                        files_in_force: !self.spoilt.get(),
                        files_wait: self.waits.borrow().as_ref().map(|waits| waits.why.clone()),
                        files_watched: self.settings.reload.watch,
                        certificate,
                    };
                    status::status(core, app, &health, &beside)
                })
            }
            Request::Retained { filters } => self
                .server
                .enter(|core, _, now| show::retained(core, now, &filters))?,
            Request::Devices => self.server.enter(|_, app, now| show::devices(app, now)),
            Request::Device { name } => self
                .server
                .enter(|_, app, now| show::device(app, now, &name))?,
            Request::DeviceAdd { device } => self.add_device(device).await?,
            Request::Block {
                name,
                direction,
                why,
            } => self.block(&name, direction, why).await?,
            Request::Unblock { name } => self.unblock(&name).await?,
            Request::UserMay { user } => self.may_add(&user)?,
            Request::UserAdd { user } => self.add_user(user).await?,
            Request::Users => self.server.enter(|_, app, _| {
                let program = app.dispatcher.program();
                app.logins.kept.list(Some(program))
            }),
            Request::UserRemove { name } => self.remove_user(name).await?,
            Request::HandOver => {
                let last = self.server.enter(|_, app, now| app.hand_over(now));
                self.kept(last).await?
            }
        };
        Ok(Answer::Once(answer))
    }

    async fn follow(&self, json: bool, filters: &[String]) -> Result<Answer, String> {
        let (lines, last) = self.server.enter(|_, app, now| {
            let program = app.dispatcher.program();
            for path in filters {
                Target::expect(program, path).map_err(|unknown| unknown.to_string())?;
            }
            let filters = filters
                .iter()
                .flat_map(|path| Target::filters(program, path));
            let filters = filters.collect();
            let lines = app.stream.follow(json, filters)?;
            Ok::<_, String>((lines, app.hand_over(now)))
        })?;
        let begin = self.kept(last).await?;
        Ok(Answer::Stream { begin, lines })
    }
}
