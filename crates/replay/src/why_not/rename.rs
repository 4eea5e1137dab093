//! What was gathered so far under the names of a mapping that takes over.

use std::sync::Arc;

use mapping::{Program, program::Succession};

use super::collect::{Collector, What};
use crate::{hold::Hold, lineage};

impl Collector {
    /// Calls what was gathered as `next` does, the mapping that takes over. What is gone keeps its name.
    pub(super) fn rename(&mut self, next: &Arc<Program>) {
        let old = Arc::clone(&self.program);
        let succession = Succession::new(&old, next);
        if let Some(rule) = self.rule.and_then(|rule| succession.rule(rule)) {
            self.name = next[rule].name.to_string();
        }
        let path = |path: String| lineage::path_after(&succession, &path).unwrap_or(path);
        let timer = |name: String| lineage::timer_after(&succession, &name).unwrap_or(name);
        let rules = self.rule.and_then(|was| Some((was, succession.rule(was)?)));
        // What `holds` the rule had before is known by what it asks for.
        let place = |place: u32| {
            let (rule, is) = rules?;
            let hold = Hold { rule, place }.in_other(&old, (next, is))?;
            Some(hold.place)
        };
        let renamed = |what| {
            let renamed = match what {
                What::Event(event) => What::Event(path(event)),
                What::Blocked(event) => What::Blocked(path(event)),
                What::Copy(event) => What::Copy(path(event)),
                What::Gesture(channel, word) => What::Gesture(path(channel), word),
                What::Timer(name) => What::Timer(timer(name)),
                What::Started(name) => What::Started(timer(name)),
                What::Turned(hold, to) => What::Turned(place(hold)?, to),
                What::Held(hold) => What::Held(place(hold)?),
                What::Time => what,
            };
            Some(renamed)
        };
        let came = std::mem::take(&mut self.came).into_iter();
        self.came = came
            .filter_map(|(what, came)| Some((renamed(what)?, came)))
            .collect();
        let waited_for = std::mem::take(&mut self.waited_for).into_iter();
        self.waited_for = waited_for.filter_map(renamed).collect();
        if let Some((what, now, why)) = self.unheard.take() {
            self.unheard = renamed(what).map(|what| (what, now, why));
        }
        let held = std::mem::take(&mut self.held).into_iter();
        self.held = held.filter_map(place).collect();
        let by_edit = std::mem::take(&mut self.held_by_edit).into_iter();
        self.held_by_edit = by_edit
            .filter_map(|(hold, since)| Some((place(hold)?, since)))
            .collect();
        let presence = std::mem::take(&mut self.presence).into_iter();
        self.presence = presence.map(|(name, is)| (path(name), is)).collect();
        let blocks = std::mem::take(&mut self.blocks).into_iter();
        self.blocks = blocks.map(|(name, is)| (path(name), is)).collect();
        self.refused.rename(&succession);
        for fact in &mut self.facts {
            if let Some(name) = fact_after(&succession, &fact.name) {
                fact.name = name;
            }
        }
    }
}

/// What a fact is called now: `state.hall.lux`, `target.hall.lamp.on`, `var.night`, `hall.online`.
fn fact_after(succession: &Succession<'_>, name: &str) -> Option<String> {
    let prefixes = ["state.", "target."];
    let prefix = prefixes.into_iter().find(|prefix| name.starts_with(prefix));
    let prefix = prefix.unwrap_or_default();
    let path = lineage::path_after(succession, &name[prefix.len()..])?;
    Some(format!("{prefix}{path}"))
}
