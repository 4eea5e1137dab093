//! Outputs: one state machine for each channel that takes targets. Called by the runtime with what the dispatcher
//! says; what a pin should be is asked of them. Must not know pins or sessions' frames.
//!
//! What all have in common is here: which revision counts, what ends by itself, what becomes of an output whose
//! dispatcher is gone. What an output is is its machine's.

mod buzzer;
mod colour;
mod cover;
mod kept;
mod lamp;
mod order;
mod ramp;
mod servo;
mod switch;

use link::Millis;
use wire::{Channel, ChannelKind, Fallback, Fields, Set};

use crate::every::Every;
use buzzer::Buzzer;
pub use colour::Tint;
use cover::Cover;
pub use cover::Moving;
pub use kept::{KEPT_LEN, Kept};
use lamp::Lamp;
use order::{Command, Target, What};
pub use order::{Order, Refused};
pub use ramp::FADE_MS_MAX;
use servo::Servo;
use switch::Switch;

/// A lamp's level that is all it has: levels are hundredths of a percent.
pub const FULL: u16 = 10_000;

/// What an output's pins should be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Drive {
    /// A switch or a buzzer: whether it is on. Whether its pin works the other way round is the pin's.
    Level(bool),
    /// Red, green, blue, white, up to [`FULL`] each, as the duty of a pin; a dimmer has the last.
    Lamp([u16; 4]),
    /// Which of a cover's pins is on.
    Cover(Moving),
    /// A servo's angle, as the mapping counts it; `None`: no pulses, it stays where it is.
    Angle(Option<f32>),
}

/// What a machine of one kind does. `true`: how it is should be reported.
trait Machine {
    /// It gets a target that was read; one that it can't take changes nothing.
    fn target(&mut self, target: &Target, now: Millis) -> Result<bool, Refused>;

    /// It gets something momentary to do.
    fn command(&mut self, command: Command, now: Millis) -> Result<bool, Refused>;

    /// It goes off or on at once; where it has no such thing, to its lower or upper end.
    fn fall_back(&mut self, on: bool, now: Millis) -> bool;

    /// Time has passed.
    fn tick(&mut self, now: Millis) -> bool;

    /// When [`Machine::tick`] is due.
    fn deadline(&self) -> Millis;

    /// What its pins should be.
    fn drive(&self) -> Drive;

    /// How it is.
    fn state(&self) -> Fields<'static>;

    /// What it is after a power cut.
    fn kept(&self) -> Kept;

    /// Whether `on` is a word for it.
    fn has_on(&self) -> bool {
        true
    }
}

enum Of {
    Switch(Switch),
    Lamp(Lamp),
    Cover(Cover),
    Servo(Servo),
    Buzzer(Buzzer),
}

impl Of {
    fn new(channel: &Channel, kept: Option<Kept>) -> Option<Self> {
        let options = &channel.options;
        Some(match channel.kind {
            ChannelKind::Switch => Self::Switch(Switch::new(kept)),
            ChannelKind::Dimmer => Self::Lamp(Lamp::dimmer(options, kept)),
            ChannelKind::Light => Self::Lamp(Lamp::light(options, kept)),
            ChannelKind::Cover => Self::Cover(Cover::new(options, kept)),
            ChannelKind::Servo => Self::Servo(Servo::new(options, kept)),
            ChannelKind::Buzzer => Self::Buzzer(Buzzer::new(kept)),
            _ => return None,
        })
    }

    fn machine(&mut self) -> &mut dyn Machine {
        match self {
            Self::Switch(of) => of,
            Self::Lamp(of) => of,
            Self::Cover(of) => of,
            Self::Servo(of) => of,
            Self::Buzzer(of) => of,
        }
    }

    fn as_machine(&self) -> &dyn Machine {
        match self {
            Self::Switch(of) => of,
            Self::Lamp(of) => of,
            Self::Cover(of) => of,
            Self::Servo(of) => of,
            Self::Buzzer(of) => of,
        }
    }
}

/// One output.
///
/// Sans-io. After each call that takes `now`, ask [`Output::poll_drive`] and [`Output::poll_report`];
/// [`Output::handle_timeout`] is due at [`Output::deadline`]. `now` never goes back.
pub struct Output {
    of: Of,
    when_lost: Fallback,
    /// Newest target and newest command of this session.
    revs: (u32, u32),
    /// A target that said for how long it counts ends then, whoever is there.
    ends_at: Millis,
    is_lost: bool,
    driven: Option<Drive>,
    every: Every,
    report: bool,
}

impl core::fmt::Debug for Output {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Output")
            .field("drive", &self.of.as_machine().drive())
            .field("revs", &self.revs)
            .finish_non_exhaustive()
    }
}

impl Output {
    /// Begins as the channel's `at_boot` says; `kept` is what [`Output::kept`] was before the power was cut. `None`:
    /// the channel is no output.
    #[must_use]
    pub fn new(channel: &Channel, kept: Option<Kept>, now: Millis) -> Option<Self> {
        let mut of = Of::new(channel, kept)?;
        match channel.options.at_boot {
            Fallback::Keep => {}
            Fallback::Off => drop(of.machine().fall_back(false, now)),
            Fallback::On => drop(of.machine().fall_back(true, now)),
        }
        Some(Self {
            of,
            when_lost: channel.options.when_lost,
            revs: (0, 0),
            ends_at: Millis::NEVER,
            is_lost: false,
            driven: None,
            every: Every::new(channel.options.report_every_ms, now),
            report: true,
        })
    }

    /// Takes a SET of its channel.
    ///
    /// # Errors
    /// [`Refused`]: nothing changes.
    pub fn set(&mut self, set: &Set<'_>, now: Millis) -> Result<(), Refused> {
        self.take(&Order::read(set)?, now)
    }

    /// Takes what a SET said.
    ///
    /// # Errors
    /// [`Refused`]: nothing changes.
    pub fn take(&mut self, order: &Order, now: Millis) -> Result<(), Refused> {
        match &order.what {
            What::Target(target) => self.target(order.rev, target, now),
            What::Command(command) => {
                let (target, newest) = self.revs;
                // What was asked for before the newest target is over.
                if order.rev <= newest.max(target) {
                    return Err(Refused::Old);
                }
                self.report |= self.of.machine().command(*command, now)?;
                self.revs.1 = order.rev;
                Ok(())
            }
        }
    }

    fn target(&mut self, rev: u32, target: &Target, now: Millis) -> Result<(), Refused> {
        // A cover that was told to stop after this target must not move; a buzzer's beep hides no target.
        let newest = match self.of {
            Of::Cover(_) => self.revs.0.max(self.revs.1),
            _ => self.revs.0,
        };
        if rev <= newest {
            return Err(Refused::Old);
        }
        let machine = self.of.machine();
        // A bound that would not be kept is worse than none.
        if target.for_ms.is_some() && !machine.has_on() {
            return Err(Refused::Field("for_ms"));
        }
        self.report |= machine.target(target, now)?;
        self.revs.0 = rev;
        self.ends_at = match target.for_ms {
            Some(span) if target.is_on() => now.after(span.into()),
            _ => Millis::NEVER,
        };
        Ok(())
    }

    /// A session begins: the dispatcher counts from 1 again, and wants to know how it is.
    pub fn begin(&mut self) {
        self.revs = (0, 0);
        self.is_lost = false;
        self.report = true;
    }

    /// The dispatcher was not heard for too long: what `when_lost` says, once.
    pub fn lose(&mut self, now: Millis) {
        if core::mem::replace(&mut self.is_lost, true) {
            return;
        }
        let on = match self.when_lost {
            Fallback::Keep => return,
            Fallback::Off => false,
            Fallback::On => true,
        };
        self.report |= self.of.machine().fall_back(on, now);
    }

    /// Does what fell due.
    pub fn handle_timeout(&mut self, now: Millis) {
        self.report |= self.of.machine().tick(now);
        self.report |= self.every.tick(now);
        if self.ends_at <= now {
            self.ends_at = Millis::NEVER;
            self.report |= self.of.machine().fall_back(false, now);
        }
    }

    /// When [`Output::handle_timeout`] is due.
    #[must_use]
    pub fn deadline(&self) -> Millis {
        let due = self.of.as_machine().deadline().min(self.ends_at);
        due.min(self.every.due())
    }

    /// What its pins should be, where that is another thing than at the last call.
    pub fn poll_drive(&mut self) -> Option<Drive> {
        let drive = self.of.as_machine().drive();
        let changed = self.driven != Some(drive);
        self.driven = Some(drive);
        changed.then_some(drive)
    }

    /// The pins are set up anew: what they should be is told again.
    pub(crate) fn drive_again(&mut self) {
        self.driven = None;
    }

    /// The report found no room.
    pub(crate) fn report_again(&mut self) {
        self.report = true;
    }

    /// Whether [`Output::state`] should be reported; once for all that changed since the last call.
    pub fn poll_report(&mut self) -> bool {
        core::mem::take(&mut self.report)
    }

    /// How it is.
    #[must_use]
    pub fn state(&self) -> Fields<'static> {
        self.of.as_machine().state()
    }

    /// The newest target that it follows; 0: none of this session.
    #[must_use]
    pub fn rev(&self) -> u32 {
        self.revs.0
    }

    /// What it is after a power cut: what ends by itself is off then, because nobody knows how long that took.
    #[must_use]
    pub fn kept(&self) -> Kept {
        let kept = self.of.as_machine().kept();
        if self.ends_at == Millis::NEVER {
            kept
        } else {
            kept.off()
        }
    }
}
