//! Edited files: what of them comes into force, and what people hear of it.

use std::{rc::Rc, sync::Arc, time::Duration};

use broker::Core;
use dispatcher::{Blocklist, explain::Explainer};
use mapping::program::Succession;
use replay::changes::changes;
use tokio::{sync::mpsc, task::spawn_blocking, time::timeout};
use types::Now;

use super::{Desk, blocks::follow};
use crate::{
    log, printer,
    run::{
        announce::count,
        app::App,
        home_assistant,
        house::House,
        recover::tell_of_logins,
        users::OfNobody,
        watch::{Edit, Files},
    },
};

/// Pause until a mapping that could not be kept is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(3);

/// A house that is right and not in force: its mapping can't be kept.
pub(in crate::run) struct Waiting {
    house: Rc<House>,
    /// blocklist.toml was edited along with it.
    blocklist: bool,
    /// Why, for people.
    pub(in crate::run) why: String,
}

impl Waiting {
    /// The house of a start whose mapping the archive did not take because of `why`.
    pub(in crate::run) fn since_start(house: House, why: &str) -> Self {
        Self {
            house: Rc::new(house),
            blocklist: false,
            why: unarchived(why),
        }
    }

    fn again(&self) -> (Rc<House>, bool) {
        (Rc::clone(&self.house), self.blocklist)
    }
}

fn unarchived(why: impl std::fmt::Display) -> String {
    format!("the mapping can't be kept ({why})")
}

impl Desk {
    /// Brings edits into force, or says why not.
    pub(in crate::run) async fn take_edits(self: Rc<Self>, mut edits: mpsc::Receiver<Edit>) {
        loop {
            let waits = self.waits.borrow().as_ref().map(Waiting::again);
            let edit = match waits {
                None => edits.recv().await,
                Some((house, blocklist)) => match timeout(AGAIN_AFTER, edits.recv()).await {
                    Ok(edit) => edit,
                    Err(_elapsed) => {
                        if self.keep(&house, blocklist).await {
                            self.take_kept(&house, blocklist).await;
                        }
                        continue;
                    }
                },
            };
            match edit {
                Some(edit) => self.take_edit(edit).await,
                None => return,
            }
        }
    }

    async fn take_edit(&self, Edit { files, blocklist }: Edit) {
        match files {
            // What it lifts may be what has another name in files that are not in force.
            Files::AsTheyWere if self.spoilt.get() => self.take_new_blocks(true).await,
            Files::AsTheyWere => self.take_blocklist().await,
            Files::Unsettled => self.take_new_blocks(false).await,
            Files::Good(house) => {
                let house = Rc::from(house);
                if self.keep(&house, blocklist).await {
                    self.take_kept(&house, blocklist).await;
                } else if blocklist {
                    self.take_new_blocks(true).await;
                }
            }
            Files::Bad(why) => {
                self.spoilt.set(true);
                self.waits.take();
                printer::tell_drawn(why.trim_end());
                printer::tell("the edited files are not in force; the house goes on as before");
                if blocklist {
                    self.take_new_blocks(true).await;
                }
            }
        }
    }

    /// Archives the mapping of an edit. Where that can't be, the house goes on as before and the edit waits: a restart could not tell
    /// what inputs came to under a mapping that it does not have.
    async fn keep(&self, house: &Rc<House>, blocklist: bool) -> bool {
        let (in_force, now) = self
            .server
            .enter(|_, app, now| (app.dispatcher.program().hash, now));
        if in_force == house.program.hash {
            self.waits.take();
            return true;
        }
        let archived = house.archived(now.at);
        let kept = self.change_store(move |database| database.archive_mapping(&archived));
        let Err(why) = kept.await else {
            self.waits.take();
            return true;
        };
        let why = unarchived(why);
        self.spoilt.set(true);
        let waits = Waiting {
            house: Rc::clone(house),
            blocklist,
            why: why.clone(),
        };
        let before = self.waits.replace(Some(waits));
        // Once for each edit, however often it is tried.
        if before.is_none_or(|before| !Rc::ptr_eq(&before.house, house)) {
            printer::tell(format_args!(
                "the edited files are not in force: {why}. They are taken up by themselves once it can be; the house goes on as before"
            ));
        }
        false
    }

    async fn take_kept(&self, house: &House, blocklist: bool) {
        let were_held = !self.held.take().is_empty();
        if blocklist || were_held {
            self.take_both(house).await;
        } else {
            self.reload(house, None);
        }
    }

    /// Brings a house whose mapping is archived into force and the blocklist that goes with it: what is blocked under either mapping is so until the other
    /// one is in force, so that a device that is blocked by its name alone stays blocked through a rename. Says how many blocks
    /// came, changed or went.
    pub(super) fn reload(&self, house: &House, blocks: Option<&Blocklist>) -> usize {
        let before = self
            .server
            .enter(|_, app, _| Arc::clone(app.dispatcher.program()));
        if before.hash == house.program.hash {
            if self.spoilt.replace(false) {
                printer::tell("the files are again as they are in force");
            }
            return self
                .server
                .enter(|core, app, now| follow(core, app, now, blocks));
        }
        self.spoilt.set(false);
        if !house.warnings.is_empty() {
            printer::tell_drawn(house.warnings.trim_end());
        }
        self.tell_concerns(&house.program);
        let succession = Succession::new(&before, &house.program);
        let came = self
            .server
            .enter(|core, app, now| enforce(core, app, now, (house, blocks), &succession));
        if let Some(text) = came.announced {
            let folder = self.state.clone();
            spawn_blocking(move || home_assistant::keep(&folder, &text));
        }
        tell_in_force(house, &came.time, &came.changes);
        tell_of_logins(came.logins);
        // Always: they know things by their places in the program.
        if self.is_simulated()
            && let Err(error) = self.simulate(&house.program, Some(&succession))
        {
            printer::tell(format_args!(
                "the simulated modules could not follow the edit: {error}"
            ));
        }
        came.blocked
    }
}

/// What came of an edit that is in force.
struct Came {
    /// When, as people read it.
    time: String,
    /// What is otherwise and what was lost, in words.
    changes: String,
    /// What Home Assistant is told of the house, where that changed.
    announced: Option<String>,
    /// Logins that spoke for a device until now.
    logins: Vec<OfNobody>,
    /// How many blocks came, changed or went.
    blocked: usize,
}

/// Brings `house` into force at once with its blocks: no message comes between.
fn enforce(
    core: &mut Core,
    app: &mut App,
    now: Now,
    (house, blocks): (&House, Option<&Blocklist>),
    succession: &Succession<'_>,
) -> Came {
    let before = Arc::clone(app.dispatcher.program());
    let either = blocks.map(|blocks| app.dispatcher.blocklist().or(blocks));
    let mut blocked = follow(core, app, now, either.as_ref());
    let lost = app.reload(core, now, house, succession);
    blocked += follow(core, app, now, blocks);
    let explainer = Explainer::new(app.dispatcher.program());
    log::go_by(explainer.zone().clone());
    let mut logins: Vec<_> = app.logins.kept.of_no_device(&house.program).collect();
    let spoke_before: Vec<_> = app.logins.kept.of_no_device(&before).collect();
    logins.retain(|login| !spoke_before.contains(login));
    Came {
        time: explainer.time(now.wall),
        changes: lost
            .into_iter()
            .fold(changes(succession), |told, line| told + "; " + &line),
        announced: app.announced(),
        logins,
        blocked,
    }
}

fn tell_in_force(house: &House, time: &str, changes: &str) {
    printer::tell(format_args!(
        "{time} the edited files are in force: {}, {}, {}{changes}",
        count(house.program.devices.len(), "device"),
        count(house.program.rules.len(), "rule"),
        match house.tests {
            0 => "no tests".to_owned(),
            tests => format!("{} passed", count(tests, "test")),
        },
    ));
}
