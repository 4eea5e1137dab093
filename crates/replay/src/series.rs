//! `history`: how fields changed, as far back as long-term history goes.

use std::sync::Arc;

use mapping::{
    Program,
    program::{ChannelIx, SlotIx},
};
use serde_json::{Value as Json, json};
use store::{Change, Chronicle, Edit, Thing};
use types::{InputNo, UnixTime, Value};

use crate::{
    chronicle::thing, fate::Fate, history::History, target::Target, trouble::HistoryError, words,
};

/// One field over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// `living.temp.value`.
    pub path: String,
    /// When it became what; oldest first.
    pub changes: Vec<(UnixTime, Value)>,
}

impl History {
    /// How the fields of `target` changed from `since` on and before `until`: a device, a channel or a field. What it was
    /// called before counts as its name. Of what was taken out of the mapping: until then.
    ///
    /// # Errors
    /// There is no such thing and was none, or it can't be read.
    pub fn series(
        &self,
        target: &str,
        since: UnixTime,
        until: UnixTime,
    ) -> Result<Vec<Series>, HistoryError> {
        let (program, target, gone) = match Target::find(self.program(), target) {
            Some(target) => (Arc::clone(self.program()), target, None),
            None => match self.fate(target) {
                Some(Fate::Gone(gone)) => {
                    gone.note(self);
                    (self.mapping(gone.at), gone.target.clone(), Some(gone))
                }
                _ => return Err(self.unknown(target)),
            },
        };
        let gone = gone.map(|gone| (gone.until, gone.now.wall));
        let until = gone.map_or(until, |(_, wall)| until.min(wall));
        let slots = slots_of(&program, &target);
        let database = self.past().database();
        let newest = self.newest_chronicle()?;
        let mut all = Vec::new();
        for slot in slots {
            let row = &program[slot];
            let thing = thing(&program, row.channel);
            let (newer, was) = told_of(&newest, thing, gone.map(|(last, _)| last));
            let mut changes = Vec::new();
            if let Some(was) = was {
                let gone = gone.map(|(_, wall)| wall);
                changes = database.history((&was, gone), &row.name, since, until, u32::MAX)?;
            }
            let newer = newer
                .into_iter()
                .filter(|change| change.field == row.name && (since..until).contains(&change.at));
            changes.extend(newer.map(|change| (change.at, change.value.clone())));
            all.push(Series {
                path: program.slot_path(slot),
                changes: changes
                    .into_iter()
                    .filter_map(|(at, value)| Some((at, value?)))
                    .collect(),
            });
        }
        Ok(all)
    }
}

/// What `newest` tells of what is `thing` at its end, or after the input `last`, in order; and what that was at its begin, `None`
/// where it came since.
fn told_of(
    newest: &Chronicle,
    thing: Thing,
    last: Option<InputNo>,
) -> (Vec<&Change>, Option<Thing>) {
    let (mut told, mut end) = (Vec::new(), newest.changes.len());
    let mut is = thing;
    for edit in newest.edits.iter().rev() {
        if last.is_none_or(|last| edit.no <= last) {
            told.extend(of(&newest.changes[edit.behind..end], &is));
            match before(edit, &is) {
                Some(was) => is = was,
                None => {
                    told.reverse();
                    return (told, None);
                }
            }
        }
        end = edit.behind;
    }
    told.extend(of(&newest.changes[..end], &is));
    told.reverse();
    (told, Some(is))
}

/// The changes of `thing`, newest first.
fn of<'c>(changes: &'c [Change], thing: &Thing) -> impl Iterator<Item = &'c Change> {
    let changes = changes.iter().rev();
    changes.filter(move |change| change.thing.is(thing))
}

/// What `thing` was before `edit`; `None`: another one was known by the same.
fn before(edit: &Edit, thing: &Thing) -> Option<Thing> {
    let mut renames = edit.renames.iter();
    if let Some(rename) = renames.clone().find(|rename| rename.is.is(thing)) {
        return Some(rename.was.clone());
    }
    let is_new = renames.any(|rename| rename.was.is(thing));
    (!is_new).then(|| thing.clone())
}

impl Series {
    /// A line for each change, for people.
    pub fn text(&self, history: &History) -> impl Iterator<Item = String> {
        self.changes.iter().map(|(at, value)| {
            let at = words::second_of(history.zone(), *at);
            format!("{at}  {}  {value}", self.path)
        })
    }

    /// The same for machines, a JSON object each.
    pub fn json(&self, history: &History) -> impl Iterator<Item = Json> {
        self.changes.iter().map(|(at, value)| {
            let value = match value {
                Value::Bool(is) => json!(is),
                Value::Number(number) => json!(number),
                Value::Text(text) => json!(&**text),
            };
            json!({
                "wall_us": at.0,
                "time": words::iso_of(history.zone(), *at),
                "path": self.path,
                "value": value,
            })
        })
    }
}

fn slots_of(program: &Program, target: &Target) -> Vec<SlotIx> {
    let of_channel = |channel: ChannelIx| program[channel].slots.iter().copied();
    match target {
        Target::Slot(slot) => vec![*slot],
        Target::Channel(channel) => of_channel(*channel).collect(),
        Target::Device(device) => {
            let channels = program[*device].channels.iter();
            channels.flat_map(|channel| of_channel(*channel)).collect()
        }
        Target::Group(_) => {
            let members = target.members(program).iter();
            members.flat_map(|channel| of_channel(*channel)).collect()
        }
        _ => Vec::new(),
    }
}
