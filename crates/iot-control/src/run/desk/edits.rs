//! Edited files: what of them comes into force, and what people hear of it.

use std::{fmt::Display, rc::Rc, sync::Arc};

use dispatcher::explain::Explainer;
use mapping::program::{RuleIx, Succession};
use tokio::{sync::mpsc, task::spawn_blocking};

use super::Desk;
use crate::{
    log, printer,
    run::{announce::count, home_assistant, house::House, watch::Edit},
    some_of::some_of,
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
            let before = Arc::clone(app.dispatcher.program());
            let succession = Succession::new(&before, &house.program);
            app.stream.rename(now, &succession);
            app.reload(core, now, house);
            let changes = changes(&succession);
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

/// Which rules an edit brought, changed and took, and what it gave other names and numbers, for people; empty where it did none
/// of that.
fn changes(succession: &Succession<'_>) -> String {
    let (old, new) = succession.programs();
    let [mut came, mut changed, mut gone] = [const { Vec::new() }; 3];
    let mut before = vec![None; new.rules.len()];
    for ix in RuleIx::all(old.rules.len()) {
        match succession.rule(ix) {
            Some(is) => before[is.index()] = Some(&old[ix]),
            None => gone.push(&old[ix].name),
        }
    }
    for (rule, was) in new.rules.iter().zip(before) {
        match was {
            None => came.push(&rule.name),
            Some(was) if was.fingerprint == rule.fingerprint => {}
            // What it speaks of has another name, which is told by itself.
            Some(was) if succession.is_only_renamed(was, rule) => {}
            Some(_) => changed.push(&rule.name),
        }
    }
    let mut text = listed("new", &came) + &listed("changed", &changed);
    text += &listed("gone", &gone);
    text + &other_names(succession)
}

/// What an edit gave other names and numbers, for people; empty where it gave none.
pub(crate) fn other_names(succession: &Succession<'_>) -> String {
    let renamed = listed("renamed", &succession.renamed());
    renamed + &listed("other ids", &succession.renumbered())
}

fn listed(word: &str, all: &[impl Display]) -> String {
    const SHOWN_MAX: usize = 5;
    if all.is_empty() {
        return String::new();
    }
    format!("; {word}: {}", some_of(all, SHOWN_MAX))
}

#[cfg(test)]
mod tests {
    use mapping::Program;

    use super::*;

    const DEVICE: &str = "[device.hall]\nid = 1\nio.lamp = { kind = \"switch\" }\n";

    fn program(text: &str) -> Arc<Program> {
        let text = format!("format = 1\nallow = [\"device-unused\"]\n{text}");
        let loaded = mapping::load_texts([("mapping.toml", text)]);
        loaded.program.expect("it checks")
    }

    fn house(rules: &str) -> Arc<Program> {
        program(&(DEVICE.to_owned() + rules))
    }

    fn told(old: &Program, new: &Program) -> String {
        changes(&Succession::new(old, new))
    }

    #[test]
    fn an_edit_says_which_rules_it_is_about() {
        let rule = |name: &str, to: &str| {
            format!("[rule.{name}]\nwhen = \"hall.online\"\ndo = \"hall.lamp.{to}\"\n")
        };
        let old = house(&(rule("a", "on") + &rule("b", "on") + &rule("c", "on")));
        let new = house(&(rule("a", "on") + &rule("b", "off") + &rule("d", "toggle")));
        assert_eq!(told(&old, &new), "; new: d; changed: b; gone: c");
        let new = house(&(rule("a", "on") + &rule("b", "on") + &rule("d", "on")));
        assert_eq!(told(&old, &new), "; renamed: rule.c -> rule.d");
        assert_eq!(told(&old, &old), "");
    }

    #[test]
    fn what_has_another_name_or_number_is_told_and_not_the_rules_that_name_it() {
        let old = "[rule.a]\nwhen = \"hall.online\"\ndo = [\"hall.lamp.on\", { start = \"t\", for = \"5m\" }]\n\
                   [rule.b]\nwhen = { timer = \"t\" }\ndo = \"hall.lamp.off\"\n";
        let renamed = |names: &[(&str, &str)]| {
            let text = DEVICE.to_owned() + old;
            let text = names
                .iter()
                .fold(text, |text, (was, is)| text.replace(was, is));
            program(&text)
        };
        let old = renamed(&[]);
        let floor = renamed(&[("hall", "floor")]);
        assert_eq!(told(&old, &floor), "; renamed: hall -> floor");
        let both = renamed(&[("hall", "floor"), ("lamp", "light"), ("\"t\"", "\"dark\"")]);
        assert_eq!(
            told(&old, &both),
            "; renamed: hall -> floor, hall.lamp -> floor.light, timer.t -> timer.dark"
        );
        let edited = renamed(&[("hall", "floor"), ("5m", "6m")]);
        assert_eq!(told(&old, &edited), "; changed: a; renamed: hall -> floor");
        let other = renamed(&[("id = 1", "id = 7")]);
        assert_eq!(told(&old, &other), "; other ids: hall 1 -> 7");
        let limited = renamed(&[
            ("hall", "floor"),
            ("[rule.b]", "[rule.b]\nlimit = \"1 per 30s\""),
        ]);
        assert_eq!(told(&old, &limited), "; changed: b; renamed: hall -> floor");
    }
}
