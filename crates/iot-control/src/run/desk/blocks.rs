//! Blocks, from a command and from an edited blocklist.toml: in force at once, and on the disk before anybody hears that
//! they are.

use std::sync::Arc;

use broker::Core;
use dispatcher::{Block, Blocklist, Input, Sides, Subject};
use mapping::{Program, blocklist};
use serde_json::Value as Json;
use types::Now;

use super::Desk;
use crate::{
    control::Direction,
    printer,
    run::{
        app::App,
        house::{self, House},
        show,
    },
};

impl Desk {
    /// Reads the file here, and not where its change was seen: a block may have come since.
    pub(super) async fn take_blocklist(&self) {
        let _alone = self.blocklist.lock().await;
        let followed = self.follow_blocklist().await;
        self.tell_of_blocklist(followed);
    }

    /// The same together with a mapping that was edited along with it.
    pub(super) async fn take_both(&self, house: &House) {
        let _alone = self.blocklist.lock().await;
        let read = self.read_blocklist(Arc::clone(&house.program)).await;
        let changes = self.reload(house, read.as_ref().ok());
        self.tell_of_blocklist(read.map(|_| changes));
    }

    /// Of an edited blocklist.toml whose mapping is not in force, what it blocks; what it lifts may be what has another name in
    /// that mapping. `holds`: that mapping is not looked at again by itself, so what is lifted waits for the next one.
    pub(super) async fn take_new_blocks(&self, holds: bool) {
        let _alone = self.blocklist.lock().await;
        let program = self.program();
        let read = self.read_blocklist(program).await;
        let followed = read.map(|blocks| {
            let (changes, lifted) = self.server.enter(|core, app, now| {
                let either = app.dispatcher.blocklist().or(&blocks);
                let changes = follow(core, app, now, Some(&either));
                (changes, either.changes_to(&blocks))
            });
            if holds {
                self.hold(lifted);
            }
            changes
        });
        if holds {
            self.tell_of_held();
        }
        self.tell_of_blocklist(followed);
    }

    /// At a start with another mapping than that of the files: what blocklist.toml lifts waits for them.
    pub(super) fn hold_what_is_lifted(&self) {
        if house::is_cleared(&self.house) {
            return;
        }
        let Ok(read) = house::blocks(&self.house, &self.program()) else {
            return;
        };
        let in_force = self
            .server
            .enter(|_, app, _| app.dispatcher.blocklist().clone());
        self.hold(in_force.changes_to(&read.list));
        self.tell_of_held();
    }

    fn hold(&self, lifted: Vec<Input>) {
        let subjects = lifted.into_iter().filter_map(|change| match change {
            Input::Unblock(subject) => Some(subject),
            Input::Block(block) => Some(block.subject),
            _ => None,
        });
        *self.held.borrow_mut() = subjects.collect();
    }

    fn tell_of_held(&self) {
        if !self.held.borrow().is_empty() {
            printer::tell(
                "blocks that blocklist.toml lifts hold until the edited files are in force",
            );
        }
    }

    /// Says how many blocks came, changed or went, or why none did.
    fn tell_of_blocklist(&self, followed: Result<usize, String>) {
        match followed {
            Ok(changes) => {
                if self.blocklist_spoilt.replace(false) || changes > 0 {
                    printer::tell("blocklist.toml is in force");
                }
            }
            Err(why) => {
                self.blocklist_spoilt.set(true);
                printer::tell_drawn(why.trim_end());
                printer::tell("blocklist.toml is not in force; the last one stays");
            }
        }
    }

    /// Brings what the file says into force, and says how many blocks came, changed or went. To be called with
    /// [`Self::blocklist`] held.
    async fn follow_blocklist(&self) -> Result<usize, String> {
        let program = self.program();
        let blocks = self.read_blocklist(program).await?;
        let held = self.held.borrow();
        Ok(self.server.enter(|core, app, now| {
            let in_force = app.dispatcher.blocklist();
            let held = in_force
                .iter()
                .filter(|block| held.contains(&block.subject));
            let blocks = blocks.or(&Blocklist::new(held));
            follow(core, app, now, Some(&blocks))
        }))
    }

    fn program(&self) -> Arc<Program> {
        self.server
            .enter(|_, app, _| Arc::clone(app.dispatcher.program()))
    }

    /// What the file says, for a house whose mapping is `program`.
    async fn read_blocklist(&self, program: Arc<Program>) -> Result<Blocklist, String> {
        let folder = self.house.clone();
        let read = tokio::task::spawn_blocking(move || {
            if house::is_cleared(&folder) {
                let folder = folder.display();
                return Err(format!(
                    "{folder}: blocklist.toml is gone along with mapping.toml"
                ));
            }
            house::blocks(&folder, &program)
        });
        let blocks = read.await.map_err(|error| error.to_string())??;
        if !blocks.warnings.is_empty() {
            printer::tell_drawn(blocks.warnings.trim_end());
        }
        Ok(blocks.list)
    }

    /// In force at once; on the disk before anybody hears that it is.
    pub(super) async fn block(
        &self,
        name: &str,
        direction: Direction,
        why: Option<String>,
    ) -> Result<Json, String> {
        let (sides, written, word) = match direction {
            Direction::Producer => (Sides::PRODUCER, blocklist::Sides::Producer, "producer"),
            Direction::Consumer => (Sides::CONSUMER, blocklist::Sides::Consumer, "consumer"),
            Direction::Both => (Sides::BOTH, blocklist::Sides::Both, "both"),
        };
        self.known(name)?;
        let _alone = self.blocklist.lock().await;
        // By its number too, which outlives a rename.
        let id = self.server.enter(|core, app, now| {
            let program = app.dispatcher.program();
            let device = program.device(name);
            let id = device.and_then(|device| program[device].number());
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
        let said = format!("{name} is blocked as {word}");
        self.once_kept(said).await
    }

    pub(super) async fn unblock(&self, name: &str) -> Result<Json, String> {
        let _alone = self.blocklist.lock().await;
        let subject = self.server.enter(|_, app, _| {
            let program = app.dispatcher.program();
            let device = program.device(name);
            let id = device.and_then(|device| program[device].number());
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
        self.held
            .borrow_mut()
            .retain(|held| !subject.contains(held));
        // The file has the other half of each block as well, under a name that may be another by now.
        self.follow_blocklist().await.map_err(|why| {
            format!("{why}; {name} is no longer blocked there, and stays so here until blocklist.toml can be read")
        })?;
        let said = format!("{name} is no longer blocked");
        self.once_kept(said).await
    }

    /// Says so once it is in the journal too: should blocklist.toml become unreadable, that is what a start goes by.
    async fn once_kept(&self, said: String) -> Result<Json, String> {
        let last = self.server.enter(|_, app, now| app.hand_over(now));
        match self.unkept(last).await? {
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
        let folder = self.house.clone();
        let edited = tokio::task::spawn_blocking(move || {
            let path = house::blocklist_path(&folder);
            let _alone = edit::alone(&folder).map_err(|error| error.to_string())?;
            let text = edit(&house::blocklist_text(&path)?)?;
            edit::replace(&path, &text).map_err(|error| error.to_string())
        });
        edited.await.map_err(|error| error.to_string())?
    }
}

/// Brings these blocks into force, and no others; says how many came, changed or went.
pub(super) fn follow(
    core: &mut Core,
    app: &mut App,
    now: Now,
    blocks: Option<&Blocklist>,
) -> usize {
    let in_force = app.dispatcher.blocklist();
    let changes = blocks.map(|blocks| in_force.changes_to(blocks));
    let changes = changes.unwrap_or_default();
    let count = changes.len();
    for input in changes {
        app.command(core, now, input);
    }
    count
}

fn as_written(subject: &Subject) -> blocklist::Subject {
    match subject {
        Subject::Name(name) => blocklist::Subject::Name(name.as_str().into()),
        Subject::Id(id) => blocklist::Subject::Id(*id),
    }
}
