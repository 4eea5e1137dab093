//! Edited files: what of them comes into force, and what people hear of it.

use std::{rc::Rc, sync::Arc};

use dispatcher::{Blocklist, explain::Explainer};
use mapping::program::Succession;
use replay::changes::changes;
use tokio::{sync::mpsc, task::spawn_blocking};

use super::{Desk, blocks::follow};
use crate::{
    log, printer,
    run::{
        announce::count,
        home_assistant,
        house::House,
        recover::tell_of_logins,
        watch::{Edit, Files},
    },
};

impl Desk {
    /// Brings edits into force, or says why not.
    pub(in crate::run) async fn take_edits(self: Rc<Self>, mut edits: mpsc::Receiver<Edit>) {
        while let Some(Edit { files, blocklist }) = edits.recv().await {
            match files {
                // What it lifts may be what has another name in files that are not in force.
                Files::AsTheyWere if self.spoilt.get() => self.take_new_blocks(true).await,
                Files::AsTheyWere => self.take_blocklist().await,
                Files::Unsettled => self.take_new_blocks(false).await,
                Files::Good(house) => {
                    let were_held = !self.held.take().is_empty();
                    if blocklist || were_held {
                        self.take_both(&house).await;
                    } else {
                        self.reload(&house, None);
                    }
                }
                Files::Bad(why) => {
                    self.spoilt.set(true);
                    printer::tell_drawn(why.trim_end());
                    printer::tell("the edited files are not in force; the house goes on as before");
                    if blocklist {
                        self.take_new_blocks(true).await;
                    }
                }
            }
        }
    }

    /// Brings a house into force and the blocklist that goes with it: what is blocked under either mapping is so until the other
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
        let (time, changes, announced, logins, blocked) = self.server.enter(|core, app, now| {
            let either = blocks.map(|blocks| app.dispatcher.blocklist().or(blocks));
            let mut blocked = follow(core, app, now, either.as_ref());
            app.reload(core, now, house, &succession);
            blocked += follow(core, app, now, blocks);
            let changes = changes(&succession);
            let explainer = Explainer::new(app.dispatcher.program());
            log::go_by(explainer.zone().clone());
            let mut logins: Vec<_> = app.logins.kept.of_no_device(&house.program).collect();
            let spoke_before: Vec<_> = app.logins.kept.of_no_device(&before).collect();
            logins.retain(|login| !spoke_before.contains(login));
            let time = explainer.time(now.wall);
            (time, changes, app.announced(), logins, blocked)
        });
        if let Some(text) = announced {
            let folder = self.state.clone();
            spawn_blocking(move || home_assistant::keep(&folder, &text));
        }
        printer::tell(format_args!(
            "{time} the edited files are in force: {}, {}, {}{changes}",
            count(house.program.devices.len(), "device"),
            count(house.program.rules.len(), "rule"),
            match house.tests {
                0 => "no tests".to_owned(),
                tests => format!("{} passed", count(tests, "test")),
            },
        ));
        tell_of_logins(logins);
        // Always: they know things by their places in the program.
        if self.is_simulated()
            && let Err(error) = self.simulate(&house.program, Some(&succession))
        {
            printer::tell(format_args!(
                "the simulated modules could not follow the edit: {error}"
            ));
        }
        blocked
    }
}
