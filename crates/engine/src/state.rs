//! Everything an engine knows, by names: what a snapshot holds and a reload hands over.
//!
//! Made by [`crate::Engine::state`], taken by [`crate::Engine::restore`]. Lists are in the program's order,
//! so that equal engines encode to equal bytes. Must not know indices: they mean nothing in another program.

use mapping::program::{Program, SlotIx};
use minicbor::{Decode, Encode};
use types::{Instant, Now, UnixTime, Value};

use crate::{
    almanac::Almanac,
    cascade::{Core, Ctx},
    gesture::Moment,
    house::{Origin, SlotState},
    input::Who,
    plan::{Place, chord_key, holds_condition, key_at},
    sequence,
};

/// Format that this binary writes. A field may be added under a new index without a new number.
const FORMAT: u32 = 1;

/// Most that can have fallen due in a house: counting goes on for ever from there.
const ORDER_MAX: u64 = u64::MAX / 2;

/// Everything an engine knows. A value on its own: bytes and back.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct State {
    #[n(0)]
    pub(crate) format: u32,
    #[n(1)]
    pub(crate) now: Now,
    /// Deadlines created so far: it decides between equal ones.
    #[n(2)]
    pub(crate) order: u64,
    #[n(3)]
    pub(crate) channels: Vec<ChannelSaved>,
    #[n(4)]
    pub(crate) online: Vec<String>,
    #[n(5)]
    pub(crate) vars: Vec<VarSaved>,
    #[n(6)]
    pub(crate) timers: Vec<TimerSaved>,
    #[n(7)]
    pub(crate) holds: Vec<HoldSaved>,
    #[n(8)]
    pub(crate) ats: Vec<AtSaved>,
    #[n(9)]
    pub(crate) chords: Vec<ChordSaved>,
    #[n(10)]
    pub(crate) rates: Vec<RateSaved>,
    /// What the wall showed when it was last synced.
    #[n(11)]
    pub(crate) known: Option<UnixTime>,
    #[n(12)]
    pub(crate) runs: Vec<RunSaved>,
    #[n(13)]
    pub(crate) sequences: Vec<SequenceSaved>,
    /// What its times were computed with; `None`: nobody noted it then.
    #[n(14)]
    pub(crate) almanac: Option<Almanac>,
}

/// Why bytes are no state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StateError {
    /// Not what an engine wrote; says what was found.
    Damaged(String),
    /// Written by a binary with another format.
    Format(u32),
}

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub(crate) struct ChannelSaved {
    #[n(0)]
    pub(crate) path: String,
    #[n(1)]
    pub(crate) slots: Vec<SlotSaved>,
    /// Until when rules must not write it.
    #[n(2)]
    pub(crate) kept: Option<Instant>,
    #[n(3)]
    pub(crate) button: Option<ButtonSaved>,
    #[n(4)]
    pub(crate) bound: Option<BoundSaved>,
}

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub(crate) struct BoundSaved {
    #[n(0)]
    pub(crate) until: DeadlineSaved,
    #[n(1)]
    pub(crate) who: OriginSaved,
}

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub(crate) struct SlotSaved {
    #[n(0)]
    pub(crate) name: String,
    #[n(1)]
    pub(crate) reported: Option<Value>,
    #[n(2)]
    pub(crate) reported_at: Option<Instant>,
    #[n(3)]
    pub(crate) target: Option<Value>,
    #[n(4)]
    pub(crate) origin: Option<OriginSaved>,
}

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub(crate) enum OriginSaved {
    #[n(0)]
    Rule(#[n(0)] String),
    #[n(1)]
    Person(#[n(0)] String),
    #[n(2)]
    Local,
}

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub(crate) struct ButtonSaved {
    #[n(0)]
    pub(crate) presses: u8,
    #[n(1)]
    pub(crate) down: bool,
    #[n(2)]
    pub(crate) longs: u8,
    #[n(3)]
    pub(crate) last: MomentSaved,
    #[n(4)]
    pub(crate) pause_longest_us: u64,
    #[n(5)]
    pub(crate) wait: Option<DeadlineSaved>,
}

#[derive(Clone, Copy, Debug, PartialEq, Encode, Decode)]
pub(crate) struct MomentSaved {
    #[n(0)]
    pub(crate) at: Instant,
    #[n(1)]
    pub(crate) produced_ms: Option<u64>,
}

/// A deadline and its place among equal ones.
#[derive(Clone, Copy, Debug, PartialEq, Encode, Decode)]
pub(crate) struct DeadlineSaved {
    #[n(0)]
    pub(crate) at: Instant,
    #[n(1)]
    pub(crate) order: u64,
}

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub(crate) struct VarSaved {
    #[n(0)]
    pub(crate) name: String,
    #[n(1)]
    pub(crate) value: Value,
}

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub(crate) struct TimerSaved {
    #[n(0)]
    pub(crate) name: String,
    #[n(1)]
    pub(crate) started: Instant,
    #[n(2)]
    pub(crate) span_us: u64,
    #[n(3)]
    pub(crate) order: u64,
    #[n(4)]
    pub(crate) by: String,
    #[n(5)]
    pub(crate) late_us: Option<u64>,
    #[n(6)]
    pub(crate) at: Instant,
}

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub(crate) struct HoldSaved {
    #[n(0)]
    pub(crate) rule: String,
    #[n(1)]
    pub(crate) text: String,
    #[n(2)]
    pub(crate) known: Option<bool>,
    #[n(3)]
    pub(crate) truth: Option<bool>,
    /// When it became true, where its `for` runs.
    #[n(4)]
    pub(crate) since: Option<Instant>,
    /// Its place in the agenda; absent: its time is over.
    #[n(5)]
    pub(crate) order: Option<u64>,
    /// It should have been looked at then and would have turned, but no input came since: right after a start.
    #[n(6)]
    pub(crate) overdue: Option<Instant>,
    /// The end of its `for`, where that is not its length after `since`: an edit made it shorter than what had passed of it.
    #[n(7)]
    pub(crate) due: Option<Instant>,
}

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub(crate) struct AtSaved {
    #[n(0)]
    pub(crate) rule: String,
    /// Which time: [`crate::plan::When::key`].
    #[n(1)]
    pub(crate) when: String,
    #[n(2)]
    pub(crate) spent: Option<UnixTime>,
    #[n(3)]
    pub(crate) late: Option<DeadlineSaved>,
}

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub(crate) struct ChordSaved {
    #[n(0)]
    pub(crate) rule: String,
    /// Which chord: [`crate::plan::chord_key`].
    #[n(1)]
    pub(crate) chord: String,
    #[n(2)]
    pub(crate) struck: Vec<StruckSaved>,
}

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub(crate) struct StruckSaved {
    #[n(0)]
    pub(crate) value: Value,
    #[n(1)]
    pub(crate) moment: MomentSaved,
}

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub(crate) struct SequenceSaved {
    #[n(0)]
    pub(crate) rule: String,
    /// Which sequence: [`crate::sequence::key`].
    #[n(1)]
    pub(crate) steps: String,
    /// By steps that have come, less one: when the first of them did.
    #[n(2)]
    pub(crate) begun: Vec<Option<MomentSaved>>,
}

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub(crate) struct RateSaved {
    #[n(0)]
    pub(crate) rule: String,
    #[n(1)]
    pub(crate) burst_start: Option<Instant>,
    #[n(2)]
    pub(crate) burst: u32,
    #[n(3)]
    pub(crate) window: Vec<Instant>,
}

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub(crate) struct RunSaved {
    #[n(0)]
    pub(crate) rule: String,
    /// Of the rule that it runs.
    #[n(1)]
    pub(crate) fingerprint: u64,
    /// The place of its next action.
    #[n(2)]
    pub(crate) next: u64,
    #[n(3)]
    pub(crate) fields: Vec<Value>,
    /// Absent: it waits for its turn.
    #[n(4)]
    pub(crate) deadline: Option<DeadlineSaved>,
}

impl State {
    /// The bytes of a snapshot: equal states give equal bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match minicbor::encode(self, &mut bytes) {
            Ok(()) => bytes,
            // Writing to memory can't fail; an empty snapshot would be refused when read.
            Err(_) => Vec::new(),
        }
    }

    /// The state that was written as `bytes`.
    ///
    /// # Errors
    /// [`StateError`] where they are damaged or of another format.
    pub fn decode(bytes: &[u8]) -> Result<Self, StateError> {
        let state: Self =
            minicbor::decode(bytes).map_err(|error| StateError::Damaged(error.to_string()))?;
        state.check()?;
        Ok(state)
    }

    /// When the last input was taken.
    #[must_use]
    pub fn now(&self) -> Now {
        self.now
    }

    /// Whether this version reads it: what a snapshot holds may come from another one.
    ///
    /// # Errors
    /// [`StateError::Format`] names the format that it has; [`StateError::Damaged`] where it counts on from what no house comes to.
    pub fn check(&self) -> Result<(), StateError> {
        if !self.is_readable() {
            return Err(StateError::Format(self.format));
        }
        if self.order > ORDER_MAX {
            let what = format!("{} things that fell due so far", self.order);
            return Err(StateError::Damaged(what));
        }
        Ok(())
    }

    pub(crate) fn format(&self) -> u32 {
        self.format
    }

    pub(crate) fn is_readable(&self) -> bool {
        self.format == FORMAT
    }
}

impl std::fmt::Display for StateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Damaged(what) => write!(f, "the engine's state is damaged: {what}"),
            Self::Format(format) => write!(
                f,
                "the engine's state has format {format}, this version reads {FORMAT}; start once with the version that wrote it"
            ),
        }
    }
}

impl std::error::Error for StateError {}

impl Core {
    /// Everything, by names.
    pub(crate) fn save(&self, ctx: Ctx<'_>) -> State {
        let program = ctx.program;
        let devices = program.devices.iter().zip(&self.house.online);
        let vars = program.vars.iter().zip(&self.house.vars);
        State {
            format: FORMAT,
            now: self.last,
            order: self.agenda.order(),
            channels: self.save_channels(ctx),
            online: devices
                .filter(|(_, online)| **online)
                .map(|(device, _)| device.name.to_string())
                .collect(),
            vars: vars
                .map(|(var, value)| VarSaved {
                    name: var.name.to_string(),
                    value: value.clone(),
                })
                .collect(),
            timers: self.save_timers(ctx),
            holds: self.save_holds(ctx),
            ats: self.save_ats(ctx),
            chords: self.save_chords(ctx),
            rates: self.save_rates(ctx),
            known: self.known,
            runs: self.save_runs(ctx),
            sequences: self.save_sequences(ctx),
            almanac: Some(Almanac::built_in()),
        }
    }

    fn save_channels(&self, ctx: Ctx<'_>) -> Vec<ChannelSaved> {
        let program = ctx.program;
        let all = mapping::program::ChannelIx::all(program.channels.len());
        all.filter_map(|channel| {
            let slots: Vec<SlotSaved> = program[channel]
                .slots
                .iter()
                .filter_map(|slot| SlotSaved::of(program, *slot, &self.house.slots[slot.index()]))
                .collect();
            let kept = self.kept.get(&channel).copied();
            let kept = kept.filter(|until| self.last.at < *until);
            let button = self.buttons.get(&channel).map(|button| ButtonSaved {
                presses: button.presses,
                down: button.down,
                longs: button.longs,
                last: button.last.into(),
                pause_longest_us: micros(button.pause_longest),
                wait: button.wait.map(|key| DeadlineSaved {
                    at: key.at,
                    order: key.order(),
                }),
            });
            let bound = self.bounds.get(&channel).map(|bound| BoundSaved {
                until: DeadlineSaved {
                    at: bound.key.at,
                    order: bound.key.order(),
                },
                who: OriginSaved::new(program, &bound.origin),
            });
            let nothing_else = kept.is_none() && button.is_none() && bound.is_none();
            let empty = slots.is_empty() && nothing_else;
            (!empty).then(|| ChannelSaved {
                path: program.channel_path(channel),
                slots,
                kept,
                button,
                bound,
            })
        })
        .collect()
    }

    fn save_timers(&self, ctx: Ctx<'_>) -> Vec<TimerSaved> {
        let timers = ctx.program.timers.iter().zip(&self.timers);
        timers
            .filter_map(|(timer, running)| {
                let running = running.as_ref()?;
                Some(TimerSaved {
                    name: timer.name.to_string(),
                    started: running.started,
                    span_us: micros(running.span),
                    order: running.key.order(),
                    by: running.by.to_string(),
                    late_us: running.late.map(micros),
                    at: running.key.at,
                })
            })
            .collect()
    }

    fn save_holds(&self, ctx: Ctx<'_>) -> Vec<HoldSaved> {
        let holds = ctx.plan.holds.iter().zip(&self.holds);
        holds
            .filter_map(|(plan, hold)| {
                let condition = holds_condition(ctx.program, plan.place)?;
                Some(HoldSaved {
                    rule: rule_name(ctx, plan.place),
                    text: condition.text.to_string(),
                    known: hold.known,
                    truth: hold.truth,
                    since: hold.pending.map(|pending| pending.since),
                    order: hold.pending.and_then(|p| p.key).map(|key| key.order()),
                    overdue: self.overdue_look(ctx, plan, hold),
                    due: hold.pending.and_then(|pending| {
                        let at = pending.key?.at;
                        (at != pending.since.after(plan.span)).then_some(at)
                    }),
                })
            })
            .collect()
    }

    fn save_ats(&self, ctx: Ctx<'_>) -> Vec<AtSaved> {
        let ats = ctx.plan.ats.iter().zip(&self.ats);
        ats.map(|(plan, at)| AtSaved {
            rule: rule_name(ctx, plan.place),
            when: plan.when.key(),
            spent: at.spent,
            late: at.late.map(|key| DeadlineSaved {
                at: key.at,
                order: key.order(),
            }),
        })
        .collect()
    }

    fn save_chords(&self, ctx: Ctx<'_>) -> Vec<ChordSaved> {
        let chords = ctx.plan.chords.iter().zip(&self.chords);
        chords
            .filter_map(|(plan, chord)| {
                let struck = plan.values.iter().zip(chord);
                let struck = struck.filter_map(|(value, moment)| {
                    let moment = moment.filter(|moment| plan.may_end(moment.at, self.last.at))?;
                    Some(StruckSaved {
                        value: value.clone(),
                        moment: moment.into(),
                    })
                });
                let struck: Vec<StruckSaved> = struck.collect();
                (!struck.is_empty()).then(|| ChordSaved {
                    rule: rule_name(ctx, plan.place),
                    chord: key_at(ctx.program, plan.place, chord_key),
                    struck,
                })
            })
            .collect()
    }

    fn save_runs(&self, ctx: Ctx<'_>) -> Vec<RunSaved> {
        let rules = self.runs.iter();
        let saved = rules.flat_map(|(rule, runs)| {
            let row = &ctx.program[*rule];
            runs.iter().map(move |run| RunSaved {
                rule: row.name.to_string(),
                fingerprint: row.fingerprint,
                next: run.next as u64,
                fields: run.fields.to_vec(),
                deadline: run.key.map(|key| DeadlineSaved {
                    at: key.at,
                    order: key.order(),
                }),
            })
        });
        saved.collect()
    }

    fn save_sequences(&self, ctx: Ctx<'_>) -> Vec<SequenceSaved> {
        let sequences = ctx.plan.sequences.iter().zip(&self.sequences);
        sequences
            .filter_map(|(plan, begun)| {
                let may_end = |first: &Moment| plan.may_end(*first, self.last.at);
                let begun = begun.iter().map(|first| first.filter(may_end));
                let begun: Vec<_> = begun.map(|first| first.map(MomentSaved::from)).collect();
                begun.iter().any(Option::is_some).then(|| SequenceSaved {
                    rule: rule_name(ctx, plan.place),
                    steps: key_at(ctx.program, plan.place, sequence::key),
                    begun,
                })
            })
            .collect()
    }

    fn save_rates(&self, ctx: Ctx<'_>) -> Vec<RateSaved> {
        let now = self.last.at;
        let rules = mapping::program::RuleIx::all(ctx.program.rules.len());
        rules
            .filter_map(|rule| {
                let row = &ctx.program[rule];
                let burst = self.rates.burst(rule, now);
                let limit = row.limit.as_deref();
                let window = limit.map(|limit| self.rates.window(rule, *limit, now));
                let window = window.unwrap_or_default();
                (burst.is_some() || !window.is_empty()).then(|| RateSaved {
                    rule: row.name.to_string(),
                    burst_start: burst.map(|burst| burst.start),
                    burst: burst.map_or(0, |burst| burst.count),
                    window,
                })
            })
            .collect()
    }
}

impl SlotSaved {
    fn of(program: &Program, slot: SlotIx, state: &SlotState) -> Option<Self> {
        let empty = state.reported.is_none() && state.target.is_none();
        (!empty).then(|| Self {
            name: program[slot].name.to_string(),
            reported: state.reported.clone(),
            reported_at: state.reported.as_ref().map(|_| state.reported_at),
            target: state.target.clone(),
            origin: (state.origin.as_ref()).map(|origin| OriginSaved::new(program, origin)),
        })
    }
}

impl OriginSaved {
    fn new(program: &Program, origin: &Origin) -> Self {
        match origin.who(program) {
            Who::Rule(name) => Self::Rule(name.to_string()),
            Who::Person(name) => Self::Person(name.to_string()),
            Who::Local => Self::Local,
        }
    }

    /// Who that is in `program`.
    pub(crate) fn of(&self, program: &Program) -> Origin {
        Origin::Other(match self {
            Self::Rule(name) => match program.names.rules.get(name.as_str()) {
                Some(rule) => return Origin::Rule(*rule),
                None => Who::Rule(name.as_str().into()),
            },
            Self::Person(name) => Who::Person(name.as_str().into()),
            Self::Local => Who::Local,
        })
    }
}

impl From<Moment> for MomentSaved {
    fn from(moment: Moment) -> Self {
        Self {
            at: moment.at,
            produced_ms: moment.produced_ms,
        }
    }
}

impl From<MomentSaved> for Moment {
    fn from(saved: MomentSaved) -> Self {
        Self {
            at: saved.at,
            produced_ms: saved.produced_ms,
        }
    }
}

fn rule_name(ctx: Ctx<'_>, place: Place) -> String {
    ctx.program[place.rule].name.to_string()
}

fn micros(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
