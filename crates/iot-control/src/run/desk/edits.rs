//! Edited files: what of them comes into force, and what people hear of it.

use std::{rc::Rc, sync::Arc};

use dispatcher::explain::Explainer;
use mapping::program::Succession;
use replay::changes::changes;
use tokio::{sync::mpsc, task::spawn_blocking};

use super::Desk;
use crate::{
    log, printer,
    run::{announce::count, home_assistant, house::House, recover::tell_of_logins, watch::Edit},
};

impl Desk {
    /// Brings edits into force, or says why not.
    pub(in crate::run) async fn take_edits(self: Rc<Self>, mut edits: mpsc::Receiver<Edit>) {
        while let Some(edit) = edits.recv().await {
            match edit {
                Edit::Good(house) => self.reload(&house),
                Edit::Bad(why) => {
                    self.spoilt.set(true);
                    printer::tell_drawn(why.trim_end());
                    printer::tell("the edited files are not in force; the house goes on as before");
                }
                Edit::Blocklist => self.take_blocklist().await,
            }
        }
    }

    fn reload(&self, house: &House) {
        let before = self
            .server
            .enter(|_, app, _| Arc::clone(app.dispatcher.program()));
        if before.hash == house.program.hash {
            if self.spoilt.replace(false) {
                printer::tell("the files are again as they are in force");
            }
            return;
        }
        self.spoilt.set(false);
        if !house.warnings.is_empty() {
            printer::tell_drawn(house.warnings.trim_end());
        }
        self.tell_concerns(&house.program);
        let succession = Succession::new(&before, &house.program);
        let (time, changes, announced, logins) = self.server.enter(|core, app, now| {
            app.stream.replace(now, &succession);
            app.reload(core, now, house, &succession);
            let changes = changes(&succession);
            let explainer = Explainer::new(app.dispatcher.program());
            log::go_by(explainer.zone().clone());
            let mut logins: Vec<_> = app.logins.kept.of_no_device(&house.program).collect();
            let spoke_before: Vec<_> = app.logins.kept.of_no_device(&before).collect();
            logins.retain(|login| !spoke_before.contains(login));
            (explainer.time(now.wall), changes, app.announced(), logins)
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
    }
}
