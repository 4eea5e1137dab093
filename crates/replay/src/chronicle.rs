//! What the journal comes to in the long run: how fields changed, and which devices were seen.
//!
//! Called by the running dispatcher now and then, away from its hot thread, and for charts. It all follows from the
//! journal, and is written down because that is dropped after some days.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use dispatcher::{Dispatcher, Input, Observed};
use mapping::{
    Program,
    program::{ChannelIx, DeviceIx, SlotIx, Succession},
};
use store::{Change, Chronicle, Device, Edit, Rename, Thing};
use types::{DeviceId, InputNo, UnixTime, Value};

use crate::{
    history::{History, Until},
    player::Fed,
    touched::{is_told, speakers, touched},
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
            things: Vec::new(),
            heard: Vec::new(),
            is_behind: false,
            chronicle: Chronicle {
                up_to: after,
                ..Chronicle::default()
            },
            devices: BTreeMap::new(),
            program: Arc::clone(travel.house().program()),
            travel,
        };
        scribe.look_around();
        let database = self.past().database();
        if database.has_nameless_things()? {
            let things = scribe.things.iter();
            scribe.chronicle.claims = things.map(|thing| Thing::clone(thing)).collect();
        }
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
    /// By channel.
    things: Vec<Arc<Thing>>,
    /// By device.
    heard: Vec<Option<UnixTime>>,
    /// More may have changed since the last record that was written than the next one says.
    is_behind: bool,
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
                things: &self.things,
                heard: &mut self.heard,
                changes: &mut self.chronicle.changes,
                devices: &mut self.devices,
            };
            // What came at no known time, or where inputs are missing, stands in no decision of this step.
            let is_behind = !is_timed || !step.is_certain;
            let was_behind = std::mem::replace(&mut self.is_behind, is_behind);
            if is_timed && !looks_around {
                pen.write(&step, was_behind);
            }
            if looks_around {
                let old = std::mem::replace(&mut self.program, Arc::clone(step.program()));
                let renames = renames(&Succession::new(&old, &self.program));
                if !renames.is_empty() {
                    self.chronicle.edits.push(Edit {
                        no: step.record.no,
                        at: step.record.now.wall,
                        behind: self.chronicle.changes.len(),
                        renames,
                    });
                }
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
        let channels = ChannelIx::all(program.channels.len());
        self.things = channels.map(|ix| Arc::new(thing(program, ix))).collect();
        let devices = DeviceIx::all(program.devices.len());
        self.heard = devices.map(|device| house.last_heard(device)).collect();
    }
}

/// The channels that an edit goes on with under another name, or that are known by something else from then on.
fn renames(succession: &Succession<'_>) -> Vec<Rename> {
    let (old, new) = succession.programs();
    let channels = ChannelIx::all(old.channels.len());
    let renamed = channels.filter_map(|channel| {
        let is = thing(new, succession.channel(channel)?);
        let was = thing(old, channel);
        (was != is).then_some(Rename { was, is })
    });
    renamed.collect()
}

/// What a step is written with.
struct Pen<'s> {
    fields: &'s mut [Field],
    things: &'s [Arc<Thing>],
    heard: &'s mut [Option<UnixTime>],
    changes: &'s mut Vec<Change>,
    devices: &'s mut BTreeMap<DeviceId, Device>,
}

impl Pen<'_> {
    /// Of a step; `looks_at_all`: whatever it says.
    fn write(mut self, step: &Step<'_>, looks_at_all: bool) {
        let program = Arc::clone(step.program());
        let wall = step.record.now.wall;
        let input = step.input();
        let (channels, devices) = match looks_at_all {
            true => all_of(&program),
            false => looked_at(&program, input.as_ref(), step),
        };
        for slot in channels.iter().flat_map(|it| &program[*it].slots) {
            self.field(&program, step.house, *slot, wall);
        }
        for device in devices {
            let heard = step.house.last_heard(device);
            if std::mem::replace(&mut self.heard[device.index()], heard) != heard {
                self.see(&program, device, wall);
            }
        }
        debug_assert!(self.is_up_to_date(step), "what changed was not looked at");
        match (input, &step.fed) {
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

    /// Whether all is written down as it is in the house.
    fn is_up_to_date(&self, step: &Step<'_>) -> bool {
        let (house, engine) = (step.house, step.house.engine());
        let mut fields = (0..).map(SlotIx).zip(self.fields.iter());
        let mut heard = (0..).map(DeviceIx).zip(self.heard.iter());
        fields.all(|(slot, known)| known.value.as_ref() == engine.reported_last(slot))
            && heard.all(|(device, known)| house.last_heard(device) == *known)
    }

    fn field(&mut self, program: &Program, house: &Dispatcher, slot: SlotIx, wall: UnixTime) {
        let engine = house.engine();
        let known = &mut self.fields[slot.index()];
        if known.value.as_ref() == engine.reported_last(slot) {
            return;
        }
        let value = engine.reported_last(slot).cloned();
        let row = &program[slot];
        let change = |value| Change {
            at: wall,
            thing: Arc::clone(&self.things[row.channel.index()]),
            field: Arc::clone(&row.name),
            value,
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

/// The channels and devices that a record can have changed anything about; all, where its decisions don't say which.
fn looked_at(
    program: &Program,
    input: Option<&Input>,
    step: &Step<'_>,
) -> (BTreeSet<ChannelIx>, BTreeSet<DeviceIx>) {
    match input {
        Some(input) if is_told(input) => {
            let channels = touched(program, step.effects).into_iter().collect();
            let devices = speakers(program, input).into_iter().collect();
            (channels, devices)
        }
        Some(_) => all_of(program),
        // What was only seen changes nothing.
        None => (BTreeSet::new(), BTreeSet::new()),
    }
}

fn all_of(program: &Program) -> (BTreeSet<ChannelIx>, BTreeSet<DeviceIx>) {
    let channels = ChannelIx::all(program.channels.len()).collect();
    (channels, DeviceIx::all(program.devices.len()).collect())
}

/// What history knows a channel by.
pub(crate) fn thing(program: &Program, channel: ChannelIx) -> Thing {
    let row = &program[channel];
    let device = &program[row.device];
    Thing {
        number: device.number(),
        device: Arc::clone(&device.name),
        channel: Arc::clone(&row.name),
        kind: Arc::clone(&row.kind),
    }
}
