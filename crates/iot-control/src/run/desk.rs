//! What people ask of the running dispatcher: through the control socket and by editing files.

use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
};

use broker::tcp;
use dispatcher::{
    Block, Input, Sides, Subject,
    explain::{Explainer, Filter},
};
use mapping::{Program, blocklist};
use replay::Target;
use serde_json::{Value as Json, json};
use store::HealthState;
use tokio::sync::{mpsc, oneshot};
use types::{InputNo, Instant};

use super::{
    announce::count,
    app::App,
    concerns::concerns,
    house::{self, House},
    identity, show, status,
    stream::Lines,
    users::{self, Users},
    watch::Edit,
};
use crate::{
    control::{NewUser, Request, server::Desk},
    log, login, printer,
    settings::Settings,
    simulate::{self, Modules, Passwords},
};

/// The running dispatcher as people reach it.
pub(super) struct Running {
    server: tcp::Server<App>,
    house: PathBuf,
    /// The same, as everybody can name it.
    real_house: PathBuf,
    broker: SocketAddr,
    modules: RefCell<Option<Modules>>,
    store: store::StoreHandle,
    settings: Settings,
    /// Held while blocks change, in memory and in the file together.
    blocklist: tokio::sync::Mutex<()>,
    /// The newest edit is not in force.
    spoilt: Cell<bool>,
    started: Instant,
}

impl Running {
    pub(super) fn new(
        server: tcp::Server<App>,
        house: &Path,
        broker: SocketAddr,
        store: store::StoreHandle,
        settings: Settings,
    ) -> Self {
        Self {
            started: server.enter(|_, _, now| now.at),
            server,
            house: house.to_owned(),
            real_house: house.canonicalize().unwrap_or_else(|_| house.to_owned()),
            broker,
            modules: RefCell::default(),
            store,
            settings,
            blocklist: tokio::sync::Mutex::default(),
            spoilt: Cell::default(),
        }
    }

    /// Tells what settings and mapping say past each other.
    pub(super) fn tell_concerns(&self, program: &Program) {
        for concern in concerns(&self.settings, program) {
            printer::tell(format_args!("warning: {concern}"));
        }
    }

    /// Starts simulated modules, or starts them anew for another mapping.
    pub(super) fn simulate(&self, program: &Arc<Program>) -> anyhow::Result<()> {
        self.stop_simulation();
        let mut passwords = Passwords::new();
        let mut logins = Users::default();
        for device in &program.devices {
            let password = login::generate()?;
            logins.put(&users::row(&NewUser {
                name: device.name.to_string(),
                kind: "device".to_owned(),
                device: Some(device.name.to_string()),
                bridge: Vec::new(),
                read: Vec::new(),
                hash: login::hash_generated(&password),
            })?);
            passwords.insert(Arc::clone(&device.name), password);
        }
        self.server.enter(|_, app, now| {
            app.simulated = logins;
            app.expect_modules(now);
        });
        *self.modules.borrow_mut() = Some(Modules::start(program, self.broker, &passwords)?);
        Ok(())
    }

    pub(super) fn stop_simulation(&self) {
        self.modules.borrow_mut().take();
    }

    /// Brings edits into force, or says why not.
    pub(super) async fn take_edits(self: Rc<Self>, mut edits: mpsc::Receiver<Edit>) {
        while let Some(edit) = edits.recv().await {
            match edit {
                Edit::Good(house) => self.reload(&house),
                Edit::Bad(why) => {
                    self.spoilt.set(true);
                    printer::tell(why.trim_end());
                    printer::tell("the edited files are not in force; the house goes on as before");
                }
                Edit::Blocklist => self.take_blocklist().await,
            }
        }
    }

    fn reload(&self, house: &House) {
        let unchanged = self
            .server
            .enter(|_, app, _| app.dispatcher.program().hash == house.program.hash);
        if unchanged {
            if self.spoilt.replace(false) {
                printer::tell("the files are again as they are in force");
            }
            return;
        }
        self.spoilt.set(false);
        let devices_changed = self.server.enter(|_, app, _| {
            let roles = |program: &Program| -> Vec<_> {
                let rows = program.devices.iter();
                rows.map(|row| (Arc::clone(&row.name), Arc::clone(&row.role)))
                    .collect()
            };
            roles(app.dispatcher.program()) != roles(&house.program)
        });
        if !house.warnings.is_empty() {
            printer::tell(house.warnings.trim_end());
        }
        self.tell_concerns(&house.program);
        let (time, changes) = self.server.enter(|core, app, now| {
            let changes = changed_rules(app.dispatcher.program(), &house.program);
            app.reload(core, now, house);
            let explainer = Explainer::new(app.dispatcher.program());
            log::go_by(explainer.zone().clone());
            (explainer.time(now.wall), changes)
        });
        printer::tell(format_args!(
            "{time} the edited files are in force: {}, {}, {}{changes}",
            count(house.program.devices.len(), "device"),
            count(house.program.rules.len(), "rule"),
            match house.tests {
                0 => "no tests".to_owned(),
                tests => format!("{} passed", count(tests, "test")),
            },
        ));
        if devices_changed
            && self.modules.borrow().is_some()
            && let Err(error) = self.simulate(&house.program)
        {
            printer::tell(format_args!(
                "the simulated modules could not be started again: {error}"
            ));
        }
    }

    /// Reads the file here, and not where its change was seen: a block may have come since.
    async fn take_blocklist(&self) {
        let _alone = self.blocklist.lock().await;
        if let Err(why) = self.follow_blocklist().await {
            printer::tell(why.trim_end());
            printer::tell("blocklist.toml is not in force; the last one stays");
        }
    }

    /// Brings what the file says into force. To be called with [`Self::blocklist`] held.
    async fn follow_blocklist(&self) -> Result<(), String> {
        let folder = self.house.clone();
        let read = tokio::task::spawn_blocking(move || house::blocklist(&folder));
        let list = read.await.map_err(|error| error.to_string())??;
        self.server.enter(|core, app, now| {
            for input in app.dispatcher.blocklist().changes_to(&list) {
                app.command(core, now, input);
            }
        });
        Ok(())
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
        modules.report(device, says)?;
        Ok(Json::from(said))
    }

    /// In force at once; on the disk before anybody hears that it is.
    async fn block(
        &self,
        name: &str,
        direction: &str,
        why: Option<String>,
    ) -> Result<Json, String> {
        let (sides, written) = match direction {
            "producer" => (Sides::PRODUCER, blocklist::Sides::Producer),
            "consumer" => (Sides::CONSUMER, blocklist::Sides::Consumer),
            "both" => (Sides::BOTH, blocklist::Sides::Both),
            other => {
                return Err(format!(
                    "a device is blocked as producer, consumer or both, not as {other}"
                ));
            }
        };
        self.known(name)?;
        let _alone = self.blocklist.lock().await;
        // By its number too, which outlives a rename.
        let id = self.server.enter(|core, app, now| {
            let program = app.dispatcher.program();
            let id = program.device(name).map(|device| program[device].id);
            let subjects = [Some(Subject::Name(name.into())), id.map(Subject::Id)];
            for subject in subjects.into_iter().flatten() {
                app.command(core, now, Input::Block(Block { subject, sides }));
            }
            id
        });
        let since = show::date(self.server.enter(|_, _, now| now));
        let entry = blocklist::Block {
            subject: blocklist::Subject::Name(name.into()),
            id,
            sides: written,
            since: Some(since.into()),
            why: why.map(Arc::from),
        };
        let edit =
            move |text: &str| blocklist::add(text, &entry).map_err(|error| error.to_string());
        self.edit_blocklist(edit).await.map_err(|why| {
            format!("{why}; {name} is blocked until a restart, but that is not written down")
        })?;
        let said = format!("{name} is blocked as {direction}");
        self.once_kept(said).await
    }

    async fn unblock(&self, name: &str) -> Result<Json, String> {
        let _alone = self.blocklist.lock().await;
        let subject = self.server.enter(|_, app, _| {
            let id = app
                .dispatcher
                .program()
                .device(name)
                .map(|device| app.dispatcher.program()[device].id);
            let list = app.dispatcher.blocklist();
            let wanted = [Some(Subject::Name(name.into())), id.map(Subject::Id)];
            let found: Vec<Subject> = list.iter().map(|block| block.subject).collect();
            wanted
                .into_iter()
                .flatten()
                .filter(|subject| found.contains(subject))
                .collect::<Vec<_>>()
        });
        if subject.is_empty() {
            return Err(format!("{name} is not blocked"));
        }
        let written: Vec<blocklist::Subject> = subject.iter().map(as_written).collect();
        self.edit_blocklist(move |text| match blocklist::remove(text, &written) {
            Ok(edited) => Ok(edited.unwrap_or_else(|| text.to_owned())),
            Err(error) => Err(error.to_string()),
        })
        .await
        .map_err(|why| format!("{why}; {name} stays blocked"))?;
        // The file has the other half of each block as well, under a name that may be another by now.
        self.follow_blocklist().await.map_err(|why| {
            format!("{why}; {name} is no longer blocked there, and stays so here until blocklist.toml can be read")
        })?;
        let said = format!("{name} is no longer blocked");
        self.once_kept(said).await
    }

    /// Says so once it is in the journal too: should blocklist.toml become unreadable, that is what a start goes by.
    async fn once_kept(&self, said: String) -> Result<Json, String> {
        match self.unkept().await? {
            None => Ok(Json::from(said)),
            Some(why) => Err(format!(
                "{said}, and blocklist.toml says so; but {why}. A start that can't read the file would not know of it"
            )),
        }
    }

    /// Reads, edits and writes blocklist.toml away from the hot thread.
    async fn edit_blocklist(
        &self,
        edit: impl FnOnce(&str) -> Result<String, String> + Send + 'static,
    ) -> Result<(), String> {
        let path = house::blocklist_path(&self.house);
        let edited = tokio::task::spawn_blocking(move || {
            let text = edit(&house::blocklist_text(&path)?)?;
            edit::replace(&path, &text).map_err(|error| error.to_string())
        });
        edited.await.map_err(|error| error.to_string())?
    }

    fn known(&self, name: &str) -> Result<(), String> {
        self.server.enter(|_, app, _| show::known(app, name))
    }

    async fn add_user(&self, user: NewUser) -> Result<Json, String> {
        if let Some(device) = &user.device {
            self.known(device)?;
        }
        let row = users::row(&user).map_err(|error| error.to_string())?;
        let kept = row.clone();
        self.change_store(move |database| database.put_user(&kept))
            .await?;
        let is_known = self.server.enter(|core, app, now| {
            let is_known = app.users.find(&row.name).is_some();
            // Whoever is in with an older password or for another device logs in anew.
            core.set_access(&row.name, None, now, app);
            app.users.put(&row);
            let known = app.users.find(&row.name).cloned();
            if let Some(known) = known {
                let access = identity::access_of(&row.name, &known, &app.dispatcher);
                core.set_access(&row.name, Some(access), now, app);
            }
            is_known
        });
        Ok(Json::from(users::added(&user, is_known)))
    }

    async fn remove_user(&self, name: String) -> Result<Json, String> {
        let row = name.clone();
        if !self
            .change_store(move |database| database.remove_user(&row))
            .await?
        {
            return Err(format!("there is no user {name}"));
        }
        self.server.enter(|core, app, now| {
            app.users.remove(&name);
            core.set_access(&name, None, now, app);
        });
        Ok(Json::from(format!("{name} is removed; its sessions ended")))
    }

    /// Waits until what was handed over is in the journal; says so where the disk does not take it.
    async fn kept(&self, last: InputNo) -> Result<Json, String> {
        let unkept = self.unkept().await?;
        Ok(json!({ "last": last.0, "unkept": unkept }))
    }

    /// Waits until the store has written what it was handed so far; says why not, where the disk does not take it.
    async fn unkept(&self) -> Result<Option<String>, String> {
        // Batches come before it.
        self.change_store(|_| Ok(())).await?;
        let state = self.store.health().state;
        Ok((state != HealthState::Good).then(|| state.to_string()))
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
}

fn as_written(subject: &Subject) -> blocklist::Subject {
    match subject {
        Subject::Name(name) => blocklist::Subject::Name(name.as_str().into()),
        Subject::Id(id) => blocklist::Subject::Id(*id),
    }
}

impl Desk for Running {
    async fn answer(self: Rc<Self>, request: Request) -> Result<Json, String> {
        match request {
            Request::Press { channel, words } => self.press(&channel, &words),
            Request::House => Ok(self
                .server
                .enter(|_, app, _| show::house(app, &self.real_house))),
            Request::Status => {
                let health = self.store.health();
                Ok(self.server.enter(|core, app, now| {
                    status::status(core, app, &health, now.at.since(self.started))
                }))
            }
            Request::Devices => Ok(self.server.enter(|_, app, now| show::devices(app, now))),
            Request::Device { name } => self
                .server
                .enter(|_, app, now| show::device(app, now, &name)),
            Request::Block {
                name,
                direction,
                why,
            } => self.block(&name, &direction, why).await,
            Request::Unblock { name } => self.unblock(&name).await,
            Request::UserAdd { user } => self.add_user(user).await,
            Request::Users => Ok(self.server.enter(|_, app, _| app.users.list())),
            Request::UserRemove { name } => self.remove_user(name).await,
            Request::HandOver => {
                let last = self.server.enter(|_, app, now| app.hand_over(now));
                self.kept(last).await
            }
            Request::Events { .. } => Err("events are followed, not answered".to_owned()),
        }
    }

    async fn follow(
        self: Rc<Self>,
        json: bool,
        filters: Vec<String>,
    ) -> Result<(Lines, Json), String> {
        let (lines, last) = self.server.enter(|_, app, now| {
            let program = app.dispatcher.program();
            for path in &filters {
                Target::expect(program, path).map_err(|unknown| unknown.to_string())?;
            }
            let filters = filters.iter().map(|path| Filter::new(path)).collect();
            let lines = app.stream.follow(json, filters)?;
            Ok::<_, String>((lines, app.hand_over(now)))
        })?;
        Ok((lines, self.kept(last).await?))
    }
}

/// Which rules an edit brought, changed and took, for people; empty where it did none of that.
fn changed_rules(old: &Program, new: &Program) -> String {
    const SHOWN_MAX: usize = 5;
    let print = |program: &Program, name: &Arc<str>| {
        let ix = program.names.rules.get(name)?;
        Some(program[*ix].fingerprint)
    };
    let (mut came, mut changed) = (Vec::new(), Vec::new());
    for rule in &new.rules {
        match print(old, &rule.name) {
            None => came.push(&*rule.name),
            Some(before) if before != rule.fingerprint => changed.push(&*rule.name),
            Some(_) => {}
        }
    }
    let gone = old.rules.iter().map(|rule| &rule.name);
    let gone = gone.filter(|name| print(new, name).is_none());
    let gone: Vec<&str> = gone.map(|name| &**name).collect();
    let mut text = String::new();
    for (word, names) in [("new", came), ("changed", changed), ("gone", gone)] {
        if let (Some(shown), false) = (names.get(..names.len().min(SHOWN_MAX)), names.is_empty()) {
            let more = names.len() - shown.len();
            text.push_str(&format!("; {word}: {}", shown.join(", ")));
            if more > 0 {
                text.push_str(&format!(" and {more} more"));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_says_which_rules_it_is_about() {
        let house = |rules: &str| {
            let device = "[device.hall]\nid = 1\nio.lamp = { kind = \"switch\" }\n";
            let text = format!("format = 1\nallow = [\"device-unused\"]\n{device}{rules}");
            let loaded = mapping::load_texts([("mapping.toml", text)]);
            loaded.program.expect("it checks")
        };
        let rule = |name: &str, to: &str| {
            format!("[rule.{name}]\nwhen = \"hall.online\"\ndo = \"hall.lamp.{to}\"\n")
        };
        let old = house(&(rule("a", "on") + &rule("b", "on") + &rule("c", "on")));
        let new = house(&(rule("a", "on") + &rule("b", "off") + &rule("d", "on")));
        assert_eq!(changed_rules(&old, &new), "; new: d; changed: b; gone: c");
        assert_eq!(changed_rules(&old, &old), "");
    }
}
