//! What things were called before, and are called after, another mapping came into force.
//!
//! Asks [`Succession`] who is who, so that an answer about the past goes on across a rename. Must not replay.

use std::sync::Arc;

use mapping::{
    Program,
    program::{Kin, Succession},
};
use types::InputNo;

use crate::{
    fate::{Fate, Gone},
    heirs::Heirs,
    history::{History, Until},
    target::Target,
    trouble::{HistoryError, Trouble},
    way::Way,
};

/// One thing through the mappings that are kept, back from the one that names it. Looks back only as far as it is
/// asked about.
pub(crate) struct Lineage<'h> {
    history: &'h History,
    /// Its full name, in the mapping that names it.
    pub(crate) name: String,
    /// The place of that mapping among those that were in force.
    top: usize,
    /// What it was, from that mapping on backwards.
    known: Vec<Option<Target>>,
    /// How far back it was looked for: what was taken out of the mapping and came back is the same again.
    way: Way,
    /// It is no longer in the mapping.
    gone: Option<Gone>,
}

impl<'h> Lineage<'h> {
    /// Of what the mapping in force last calls `text`, else of what the one in force after input `no` did, else of what had that
    /// name last and was taken out.
    ///
    /// # Errors
    /// Nothing has it or had; with the nearest name, or the one that it has now.
    pub(crate) fn find(
        history: &'h History,
        text: &str,
        then: impl FnOnce() -> Result<(InputNo, Arc<Program>), HistoryError>,
    ) -> Result<Self, HistoryError> {
        if let Some(target) = Target::find(history.program(), text) {
            return Ok(Self::of_today(history, target));
        }
        let (no, program) = then()?;
        match Target::find(&program, text) {
            Some(target) => Ok(Self::of(history, no, &program, target)),
            None => match history.fate(text) {
                Some(Fate::Gone(gone)) => Ok(Self::of_gone(history, gone)),
                _ => Err(history.unknown(text)),
            },
        }
    }

    /// Of what the mapping in force last calls `text`, else of what had that name last, wherever it is now. Says so with the
    /// answer.
    ///
    /// # Errors
    /// Nothing has it or had; with the nearest name.
    pub(crate) fn of_last(history: &'h History, text: &str) -> Result<Self, HistoryError> {
        let text = text.trim();
        let name = match history.fate(text) {
            Some(Fate::Gone(gone)) => {
                gone.note(history);
                return Ok(Self::of_gone(history, gone));
            }
            Some(Fate::Renamed(name)) => {
                let renamed = Trouble::Renamed {
                    was: text.to_owned(),
                    is: name.clone(),
                };
                history.trouble(|troubles| troubles.add(renamed));
                name
            }
            None => text.to_owned(),
        };
        let target = Target::find(history.program(), &name);
        let target = target.ok_or_else(|| history.unknown(&name))?;
        Ok(Self::of_today(history, target))
    }

    fn of_gone(history: &'h History, gone: Gone) -> Self {
        let program = history.mapping(gone.at);
        Self {
            gone: Some(gone.clone()),
            ..Self::new(history, gone.at, &program, gone.target)
        }
    }

    /// As somebody would ask for it in the mapping that names it.
    pub(crate) fn words(&self) -> String {
        let program = self.history.mapping(self.top);
        let target = self.known[0].as_ref();
        target.map_or_else(|| self.name.clone(), |target| target.words(&program))
    }

    /// What is no longer in the mapping.
    pub(crate) fn gone(&self) -> Option<&Gone> {
        self.gone.as_ref()
    }

    /// The end of what is asked about it: `asked`, or when it was taken out. Says so with the answer.
    pub(crate) fn until(&self, asked: Until) -> Until {
        match &self.gone {
            Some(gone) => {
                gone.note(self.history);
                gone.until(self.history, asked)
            }
            None => asked,
        }
    }

    /// Of `target` of the mapping in force last.
    pub(crate) fn of_today(history: &'h History, target: Target) -> Self {
        let top = history.mappings().len().saturating_sub(1);
        Self::new(history, top, history.program(), target)
    }

    /// Of `target` of `program`, in force after input `no`.
    pub(crate) fn of(
        history: &'h History,
        no: InputNo,
        program: &Arc<Program>,
        target: Target,
    ) -> Self {
        let top = history.mapping_after(no, program.hash);
        let mut lineage = Self::new(history, top, program, target);
        let known = history.mapping(top);
        if known.hash != program.hash {
            // It was in force too shortly for a snapshot: the one before stands for it.
            lineage.way.go_back(&Heirs::new(&known, program));
            lineage.known = vec![lineage.way.there().cloned()];
        }
        lineage
    }

    fn new(history: &'h History, top: usize, program: &Arc<Program>, target: Target) -> Self {
        Self {
            history,
            name: target.path(program),
            top,
            known: vec![Some(target.clone())],
            way: Way::new(program, target),
            gone: None,
        }
    }

    /// What an answer about it is about; empty: itself alone.
    pub(crate) fn parts(&self) -> Vec<Self> {
        let program = self.history.mapping(self.top);
        let target = self.known[0].as_ref();
        let parts = target.map_or_else(Vec::new, |target| target.parts(&program));
        let parts = parts.iter().filter_map(|part| Target::find(&program, part));
        parts
            .map(|part| Self::new(self.history, self.top, &program, part))
            .collect()
    }

    /// What it was in `program`, in force after input `no`; `None`: it was not there.
    pub(crate) fn then(&mut self, no: InputNo, program: &Arc<Program>) -> Option<Target> {
        let at = self.history.mapping_after(no, program.hash);
        if self.gone.is_some() && at > self.top {
            return None;
        }
        let at = at.min(self.top);
        while self.top - at >= self.known.len() {
            self.look_back();
        }
        let target = self.known[self.top - at].as_ref()?;
        let known = self.history.mapping(at);
        if known.hash == program.hash {
            return Some(target.clone());
        }
        // It was in force too shortly for a snapshot.
        over(&Succession::new(&known, program), target)
    }

    /// Of a rule: its bare name then; the oldest that it had, where it was not there yet.
    pub(crate) fn rule_name(&mut self, no: InputNo, program: &Arc<Program>) -> String {
        match self.then(no, program) {
            Some(Target::Rule(rule)) => program[rule].name.to_string(),
            _ => self.way.words().trim_start_matches("rule.").to_owned(),
        }
    }

    fn look_back(&mut self) {
        let newer_at = self.top + 1 - self.known.len();
        self.way.go_back(&self.history.step(newer_at - 1));
        self.known.push(self.way.there().cloned());
    }
}

/// What the thing is called in the program that takes over that the old one called `path`; `None`: it is gone.
#[must_use]
pub fn path_after(succession: &Succession<'_>, path: &str) -> Option<String> {
    let (old, new) = succession.programs();
    let target = over(succession, &Target::find(old, path)?)?;
    Some(target.words(new))
}

/// As [`path_after`], of a timer by its bare name.
pub(crate) fn timer_after(succession: &Succession<'_>, name: &str) -> Option<String> {
    let (old, new) = succession.programs();
    let timer = succession.timer(*old.names.timers.get(name)?)?;
    Some(new[timer].name.to_string())
}

/// What `target` of the one program is in the other one.
pub(crate) fn over(kin: &impl Kin, target: &Target) -> Option<Target> {
    Some(match target {
        Target::Device(device) => Target::Device(kin.device(*device)?),
        Target::Channel(channel) => Target::Channel(kin.channel(*channel)?),
        Target::Slot(slot) => Target::Slot(kin.slot(*slot)?),
        Target::Event(event) => Target::Event(kin.event(*event)?),
        Target::Gesture(channel, kind) => Target::Gesture(kin.channel(*channel)?, *kind),
        Target::Rule(rule) => Target::Rule(kin.rule(*rule)?),
        Target::Var(var) => Target::Var(kin.var(*var)?),
        Target::Timer(timer) => Target::Timer(kin.timer(*timer)?),
        Target::Notify(_) => target.clone(),
        Target::Group(name) => Target::Group(kin.group(name)?),
    })
}
