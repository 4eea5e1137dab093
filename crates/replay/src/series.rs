//! `history`: how fields changed, as far back as long-term history goes.

use std::sync::Arc;

use mapping::{
    Program,
    program::{ChannelIx, SlotIx},
};
use serde_json::{Value as Json, json};
use store::Chronicle;
use types::{UnixTime, Value};

use crate::{
    chronicle::names, fate::Fate, history::History, target::Target, trouble::HistoryError, words,
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
        let (program, target, until) = match Target::find(self.program(), target) {
            Some(target) => (Arc::clone(self.program()), target, until),
            None => match self.fate(target) {
                Some(Fate::Gone(gone)) => {
                    gone.note(self);
                    (self.mapping(gone.at), gone.target, until.min(gone.now.wall))
                }
                _ => return Err(self.unknown(target)),
            },
        };
        let slots = slots_of(&program, &target);
        let database = self.past().database();
        let newest = self.newest_chronicle()?;
        let mut all = Vec::new();
        for slot in slots {
            let (channel, field) = names(&program, slot);
            let mut stored = Vec::new();
            for name in written_as(&newest, &channel) {
                stored.extend(database.history(name, &field, since, until, u32::MAX)?);
            }
            stored.sort_by_key(|(at, _)| *at);
            let newer = newest.changes.iter().filter(|change| {
                change.channel == channel
                    && change.field == field
                    && (since..until).contains(&change.at)
            });
            let newer = newer.map(|change| (change.at, change.value.clone()));
            let changes = stored.into_iter().chain(newer);
            all.push(Series {
                path: program.slot_path(slot),
                changes: changes
                    .filter_map(|(at, value)| Some((at, value?)))
                    .collect(),
            });
        }
        Ok(all)
    }
}

/// The names under which is written what will be `channel`'s once `newest` is written: of all that had its name at last, one
/// after the other, and what stood under it before where nothing took that along to another name.
fn written_as<'c>(newest: &'c Chronicle, channel: &'c str) -> impl Iterator<Item = &'c str> {
    let renames = newest.renames.iter();
    let is_others = renames.clone().any(|rename| *rename.was == *channel);
    let renamed = renames.filter(move |rename| *rename.is == *channel);
    let moved = renamed.map(|rename| &*rename.was);
    moved.chain((!is_others).then_some(channel))
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
