//! Edited files: what of them comes into force, and what people hear of it.

use std::rc::Rc;

use dispatcher::explain::Explainer;
use mapping::{
    Program,
    program::{RuleIx, Succession},
};
use tokio::{sync::mpsc, task::spawn_blocking};

use super::Desk;
use crate::{
    log, printer,
    run::{announce::count, home_assistant, house::House, watch::Edit},
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
        if !house.warnings.is_empty() {
            printer::tell_drawn(house.warnings.trim_end());
        }
        self.tell_concerns(&house.program);
        let (time, changes, announced) = self.server.enter(|core, app, now| {
            let changes = changed_rules(app.dispatcher.program(), &house.program);
            app.reload(core, now, house);
            let explainer = Explainer::new(app.dispatcher.program());
            log::go_by(explainer.zone().clone());
            (explainer.time(now.wall), changes, app.announced())
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
        // Always: they know things by their places in the program.
        if self.is_simulated()
            && let Err(error) = self.simulate(&house.program)
        {
            printer::tell(format_args!(
                "the simulated modules could not follow the edit: {error}"
            ));
        }
    }
}

/// Which rules an edit brought, changed, renamed and took, for people; empty where it did none of that.
fn changed_rules(old: &Program, new: &Program) -> String {
    const SHOWN_MAX: usize = 5;
    let succession = Succession::new(old, new);
    let [mut came, mut changed, mut renamed, mut gone] = [const { Vec::new() }; 4];
    let mut before = vec![None; new.rules.len()];
    for ix in RuleIx::all(old.rules.len()) {
        match succession.rule(ix) {
            Some(is) => before[is.index()] = Some(&old[ix]),
            None => gone.push(old[ix].name.to_string()),
        }
    }
    for (rule, was) in new.rules.iter().zip(before) {
        match was {
            None => came.push(rule.name.to_string()),
            Some(was) if was.name != rule.name => {
                renamed.push(format!("{} to {}", was.name, rule.name));
            }
            Some(was) if was.fingerprint != rule.fingerprint => changed.push(rule.name.to_string()),
            Some(_) => {}
        }
    }
    let told = [
        ("new", came),
        ("changed", changed),
        ("renamed", renamed),
        ("gone", gone),
    ];
    let mut text = String::new();
    for (word, names) in told {
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
        let new = house(&(rule("a", "on") + &rule("b", "off") + &rule("d", "toggle")));
        assert_eq!(changed_rules(&old, &new), "; new: d; changed: b; gone: c");
        let new = house(&(rule("a", "on") + &rule("b", "on") + &rule("d", "on")));
        assert_eq!(changed_rules(&old, &new), "; renamed: c to d");
        assert_eq!(changed_rules(&old, &old), "");
    }
}
