//! `history`: how fields changed, as far back as long-term history goes.

use mapping::{
    Program,
    program::{ChannelIx, SlotIx},
};
use serde_json::{Value as Json, json};
use store::Chronicle;
use types::{UnixTime, Value};

use crate::{
    chronicle::names, history::History, lineage, target::Target, trouble::HistoryError, words,
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
    /// called before counts as its name.
    ///
    /// # Errors
    /// There is no such thing, or it can't be read.
    pub fn series(
        &self,
        target: &str,
        since: UnixTime,
        until: UnixTime,
    ) -> Result<Vec<Series>, HistoryError> {
        let program = self.program();
        let target =
            Target::find(program, target).ok_or_else(|| lineage::unknown(self, program, target))?;
        let slots = slots_of(program, &target);
        let database = self.past().database();
        let newest = self.newest_chronicle()?;
        let mut all = Vec::new();
        for slot in slots {
            let (channel, field) = names(program, slot);
            let stored = match written_as(&newest, &channel) {
                Some(channel) => database.history(channel, &field, since, until, u32::MAX)?,
                None => Vec::new(),
            };
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

/// The name under which is written what was before `newest`; `None`: the channel was not there.
fn written_as<'c>(newest: &'c Chronicle, channel: &'c str) -> Option<&'c str> {
    let mut renames = newest.renames.iter();
    if let Some(renamed) = renames.clone().find(|rename| *rename.is == *channel) {
        return Some(&renamed.was);
    }
    let is_others = renames.any(|rename| *rename.was == *channel);
    (!is_others).then_some(channel)
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
