//! What an edit changed, in words: for whoever made it, with a command or in the files.
//!
//! Used by the commands that write a house, by the running dispatcher and by its start, and where the past is told. Must not know
//! how an edit is made.

use std::{fmt::Display, sync::Arc};

use mapping::{
    program::{RuleIx, Succession},
    some_of,
};

/// The rules that an edit brought, changed and took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// New ones.
    pub came: Vec<Arc<str>>,
    /// Those that say something else now; what they speak of may have another name besides.
    pub changed: Vec<Arc<str>>,
    /// Those that are no longer there.
    pub gone: Vec<Arc<str>>,
}

impl Rules {
    /// Of an edit by which things go on as `succession` says.
    #[must_use]
    pub fn of(succession: &Succession<'_>) -> Self {
        let (old, new) = succession.programs();
        let mut rules = Self::default();
        let mut before = vec![None; new.rules.len()];
        for ix in RuleIx::all(old.rules.len()) {
            match succession.rule(ix) {
                Some(is) => before[is.index()] = Some(&old[ix]),
                None => rules.gone.push(Arc::clone(&old[ix].name)),
            }
        }
        for (rule, was) in new.rules.iter().zip(before) {
            match was {
                None => rules.came.push(Arc::clone(&rule.name)),
                Some(was) if was.fingerprint == rule.fingerprint => {}
                // What it speaks of has another name, which is told by itself.
                Some(was) if succession.is_only_renamed(was, rule) => {}
                Some(_) => rules.changed.push(Arc::clone(&rule.name)),
            }
        }
        rules
    }

    /// `; new: d; changed: b`; empty where there are none.
    #[must_use]
    pub fn text(&self) -> String {
        listed("new", &self.came) + &listed("changed", &self.changed) + &listed("gone", &self.gone)
    }
}

/// Which rules an edit brought, changed and took, and what it gave other names and numbers, for people; empty where it did none
/// of that.
#[must_use]
pub fn changes(succession: &Succession<'_>) -> String {
    Rules::of(succession).text() + &other_names(succession)
}

/// What an edit gave other names and numbers, for people; empty where it gave none.
#[must_use]
pub fn other_names(succession: &Succession<'_>) -> String {
    let all = [succession.renamed(), succession.renamed_sets()].concat();
    let renamed = listed("renamed", &all);
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
    use super::*;
    use mapping::Program;

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

    #[test]
    fn groups_scenes_and_own_kinds_that_have_another_name_are_told() {
        let text = "[kind.siren]\ntarget.on = \"bool\"\n\
                    [device.hall]\nid = 1\nio.lamp = { kind = \"switch\" }\nio.horn = { kind = \"siren\" }\n\
                    [group]\nlights = [\"hall.lamp\"]\nall = [\"hall.lamp\", \"hall.horn\"]\n\
                    [scene.night]\nhall.lamp = { on = true }\n\
                    [rule.a]\nwhen = \"hall.online\"\ndo = [\"lights.on\", { scene = \"night\" }]\n";
        let edited = |edits: &[(&str, &str)]| {
            let edited = edits
                .iter()
                .fold(text.to_owned(), |text, (was, is)| text.replace(was, is));
            program(&edited)
        };
        let old = edited(&[]);
        let names = [
            ("lights", "lamps"),
            ("night", "dusk"),
            ("siren", "horn_of_brass"),
        ];
        let said = "; renamed: group.lights -> group.lamps, scene.night -> scene.dusk, kind.siren -> kind.horn_of_brass";
        assert_eq!(told(&old, &edited(&names)), said);
        let two = [
            ("all = [\"hall.lamp\", \"hall.horn\"]\n", ""),
            (
                "lights = [\"hall.lamp\"]",
                "lamps = [\"hall.lamp\"]\nlit = [\"hall.lamp\"]",
            ),
            ("lights", "lamps"),
        ];
        assert_eq!(
            told(&old, &edited(&two)),
            "",
            "which of them it is nobody knows"
        );
    }
}
