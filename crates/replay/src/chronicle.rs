//! What the journal comes to in the long run: how fields changed, and which devices were seen.
//!
//! Called by the running dispatcher now and then, away from its hot thread, and for charts. It all follows from the
//! journal, and is written down because that is dropped after some days.

use std::{collections::BTreeMap, sync::Arc};

use dispatcher::{Dispatcher, Input, Observed};
use mapping::{
    Program,
    program::{ChannelIx, DeviceIx, SlotIx, Succession},
};
use store::{Change, Chronicle, Device, Rename};
use types::{DeviceId, InputNo, UnixTime, Value};

use crate::{
    history::{History, Until},
    player::Fed,
    travel::{Step, Travel},
    trouble::HistoryError,
};

/// Inputs of a stretch: what it comes to lies in memory until it is written.
const STRETCH_INPUTS_MAX: u64 = 100_000;

/// Of a number that changes more often only the last in each such stretch of time is kept, in microseconds: a chart
/// shows no more.
const NUMBERS_EVERY_US: i64 = 60_000_000;

/// Counters of a device in the registry.
const CAME: &str = "came";
const REFUSED: &str = "refused";

impl History {
    /// What the inputs behind `after` come to, some hundred thousand at once; `None`: there are none. It ends with the
    /// newest snapshot: what is in one can't get lost, and no number up to it is used again.
    ///
    /// # Errors
    /// Nothing can be read.
    pub fn chronicle(&self, after: InputNo) -> Result<Option<Chronicle>, HistoryError> {
        let until = InputNo(after.0.saturating_add(STRETCH_INPUTS_MAX)).min(self.newest_snapshot());
        if until <= after {
            return Ok(None);
        }
        let mut scribe = self.scribe(after, Until::No(until))?;
        scribe.write_all()?;
        let mut chronicle = scribe.finish();
        // Also where its last inputs were never kept: they would be looked for again and again.
        chronicle.up_to = chronicle.up_to.max(until);
        Ok(Some(chronicle))
    }

    /// What is not written down yet.
    pub(crate) fn newest_chronicle(&self) -> Result<Chronicle, HistoryError> {
        let up_to = self.past().database().history_up_to()?.unwrap_or_default();
        let mut scribe = self.scribe(up_to, Until::End)?;
        scribe.write_all()?;
        Ok(scribe.finish())
    }

    fn scribe(&self, after: InputNo, until: Until) -> Result<Scribe<'_>, HistoryError> {
        // What is dropped already can't be told.
        let after = after.max(self.oldest_snapshot());
        let travel = self.from_input(after.next(), until)?;
        let mut scribe = Scribe {
            history: self,
            fields: Vec::new(),
            heard: Vec::new(),
            chronicle: Chronicle {
                up_to: after,
                ..Chronicle::default()
            },
            devices: BTreeMap::new(),
            program: Arc::clone(travel.house().program()),
            travel,
        };
        scribe.look_around();
        Ok(scribe)
    }
}

/// Goes through a stretch and writes down what changes.
struct Scribe<'h> {
    history: &'h History,
    travel: Travel<'h>,
    /// The mapping that was in force.
    program: Arc<Program>,
    /// By slot.
    fields: Vec<Field>,
    /// By device.
    heard: Vec<Option<UnixTime>>,
    chronicle: Chronicle,
    devices: BTreeMap<DeviceId, Device>,
}

/// A field as it was last written down.
#[derive(Default)]
struct Field {
    value: Option<Value>,
    /// Its newest row.
    row: Option<usize>,
}

impl Scribe<'_> {
    fn write_all(&mut self) -> Result<(), HistoryError> {
        while let Some(step) = self.travel.next()? {
            let looks_around = step.fed == Fed::Reloaded;
            let is_timed = self.history.is_timed(step.record.now);
            let pen = Pen {
                fields: &mut self.fields,
                heard: &mut self.heard,
                changes: &mut self.chronicle.changes,
                devices: &mut self.devices,
            };
            if is_timed && !looks_around {
                pen.write(&step);
            }
            if looks_around {
                let old = std::mem::replace(&mut self.program, Arc::clone(step.program()));
                rename(&mut self.chronicle, &Succession::new(&old, &self.program));
                self.look_around();
            }
        }
        self.chronicle.up_to = self.chronicle.up_to.max(self.travel.last());
        Ok(())
    }

    fn finish(self) -> Chronicle {
        Chronicle {
            devices: self.devices.into_values().collect(),
            ..self.chronicle
        }
    }

    /// Takes the house as it is for known: at the begin, and where another mapping has other tables.
    fn look_around(&mut self) {
        let house = self.travel.house();
        let program = house.program();
        let engine = house.engine();
        let known = |slot| Field {
            value: engine.reported_last(slot).cloned(),
            row: None,
        };
        self.fields = SlotIx::all(program.slots.len()).map(known).collect();
        let devices = DeviceIx::all(program.devices.len());
        self.heard = devices.map(|device| house.last_heard(device)).collect();
    }
}

/// What was written so far goes by the names of the mapping that takes over, and so shall what was before.
fn rename(chronicle: &mut Chronicle, succession: &Succession<'_>) {
    let (old, new) = succession.programs();
    let channels = ChannelIx::all(old.channels.len());
    let renamed = channels.filter_map(|was| {
        let is = new.channel_path(succession.channel(was)?);
        let was = old.channel_path(was);
        (was != is).then(|| (was, Arc::from(is)))
    });
    let renamed: BTreeMap<String, Arc<str>> = renamed.collect();
    if renamed.is_empty() {
        return;
    }
    for change in &mut chronicle.changes {
        if let Some(is) = renamed.get(&*change.channel) {
            change.channel = Arc::clone(is);
        }
    }
    let mut moved: Vec<Arc<str>> = Vec::new();
    for earlier in &mut chronicle.renames {
        if let Some(is) = renamed.get(&*earlier.is) {
            moved.push(std::mem::replace(&mut earlier.is, Arc::clone(is)));
        }
    }
    for (was, is) in renamed {
        // What came under a name that another one had at the begin was not there before the stretch.
        let mut earlier = chronicle.renames.iter();
        let is_new = earlier.any(|earlier| *earlier.was == *was);
        if !is_new && moved.iter().all(|name| **name != *was) {
            let was = was.into();
            chronicle.renames.push(Rename { was, is });
        }
    }
}

/// What a step is written with.
struct Pen<'s> {
    fields: &'s mut [Field],
    heard: &'s mut [Option<UnixTime>],
    changes: &'s mut Vec<Change>,
    devices: &'s mut BTreeMap<DeviceId, Device>,
}

impl Pen<'_> {
    fn write(mut self, step: &Step<'_>) {
        let program = Arc::clone(step.program());
        let wall = step.record.now.wall;
        for slot in SlotIx::all(program.slots.len()) {
            self.field(&program, step.house, slot, wall);
        }
        for device in DeviceIx::all(program.devices.len()) {
            let heard = step.house.last_heard(device);
            if std::mem::replace(&mut self.heard[device.index()], heard) != heard {
                self.see(&program, device, wall);
            }
        }
        match (step.input(), &step.fed) {
            (Some(Input::Online(device)), _) => self.count(&program, device, wall, CAME),
            (
                _,
                Fed::Observed(Observed::Refused {
                    device: Some(name), ..
                }),
            ) => {
                if let Some(device) = program.device(name) {
                    self.count(&program, device, wall, REFUSED);
                }
            }
            _ => {}
        }
    }

    fn field(&mut self, program: &Program, house: &Dispatcher, slot: SlotIx, wall: UnixTime) {
        let engine = house.engine();
        let known = &mut self.fields[slot.index()];
        if known.value.as_ref() == engine.reported_last(slot) {
            return;
        }
        let value = engine.reported_last(slot).cloned();
        let change = |value| {
            let (channel, field) = names(program, slot);
            Change {
                at: wall,
                channel,
                field,
                value,
            }
        };
        let is_number = |value: &Option<Value>| matches!(value, Some(Value::Number(_)));
        let both_numbers = is_number(&known.value) && is_number(&value);
        known.value.clone_from(&value);
        let row = known.row.and_then(|row| self.changes.get_mut(row));
        let same_minute = |row: &&mut Change| {
            row.at.0.div_euclid(NUMBERS_EVERY_US) == wall.0.div_euclid(NUMBERS_EVERY_US)
        };
        match row.filter(same_minute).filter(|_| both_numbers) {
            Some(row) => *row = change(value),
            None => {
                known.row = Some(self.changes.len());
                self.changes.push(change(value));
            }
        }
    }

    /// The registry's row of a device. It goes by numbers, which outlive renames: what has none is a part of the house itself,
    /// and not of the registry.
    fn see(&mut self, program: &Program, device: DeviceIx, wall: UnixTime) -> Option<&mut Device> {
        let row = &program[device];
        let id = row.number()?;
        let seen = self.devices.entry(id).or_insert_with(|| Device {
            id,
            name: row.name.to_string(),
            first_seen: wall,
            last_seen: wall,
            counters: BTreeMap::new(),
        });
        seen.last_seen = seen.last_seen.max(wall);
        Some(seen)
    }

    fn count(&mut self, program: &Program, device: DeviceIx, wall: UnixTime, what: &str) {
        if let Some(seen) = self.see(program, device, wall) {
            *seen.counters.entry(what.to_owned()).or_default() += 1;
        }
    }
}

/// Names of a field's channel and of the field.
pub(crate) fn names(program: &Program, slot: SlotIx) -> (Arc<str>, Arc<str>) {
    let row = &program[slot];
    (
        program.channel_path(row.channel).into(),
        Arc::clone(&row.name),
    )
}
