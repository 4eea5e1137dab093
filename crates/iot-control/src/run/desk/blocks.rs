//! Blocks, from a command and from an edited blocklist.toml: in force at once, and on the disk before anybody hears that
//! they are.

use std::sync::Arc;

use dispatcher::{Block, Input, Sides, Subject};
use mapping::blocklist;
use serde_json::Value as Json;

use super::Desk;
use crate::{
    control::Direction,
    printer,
    run::{house, show},
};

impl Desk {
    /// Reads the file here, and not where its change was seen: a block may have come since.
    pub(super) async fn take_blocklist(&self) {
        let _alone = self.blocklist.lock().await;
        match self.follow_blocklist().await {
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
        let folder = self.house.clone();
        let program = self
            .server
            .enter(|_, app, _| Arc::clone(app.dispatcher.program()));
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
        Ok(self.server.enter(|core, app, now| {
            let changes = app.dispatcher.blocklist().changes_to(&blocks.list);
            let count = changes.len();
            for input in changes {
                app.command(core, now, input);
            }
            count
        }))
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

fn as_written(subject: &Subject) -> blocklist::Subject {
    match subject {
        Subject::Name(name) => blocklist::Subject::Name(name.as_str().into()),
        Subject::Id(id) => blocklist::Subject::Id(*id),
    }
}
