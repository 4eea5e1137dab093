//! One output on virtual time, each of its deadlines kept.

use device::{Drive, Kept, Output, Refused};
use link::Millis;
use wire::{Channel, ChannelKind, Fields, Options, RoleId, Set, Value};

pub(crate) fn channel(kind: ChannelKind, options: Options) -> Channel {
    Channel { kind, options }
}

/// A target of these fields.
pub(crate) fn target(rev: u32, fields: &[(&'static str, Value<'static>)]) -> Set<'static> {
    Set {
        rev,
        role: RoleId::default(),
        channel: 0,
        command: None,
        fields: Fields::new(fields).expect("eight at most"),
        fade_ms: None,
        for_ms: None,
    }
}

pub(crate) fn on(rev: u32, on: bool) -> Set<'static> {
    target(rev, &[("on", Value::Bool(on))])
}

pub(crate) fn number(rev: u32, field: &'static str, number: f64) -> Set<'static> {
    target(rev, &[(field, Value::Number(number))])
}

pub(crate) fn command(rev: u32, command: &'static str) -> Set<'static> {
    Set {
        command: Some(command),
        ..target(rev, &[])
    }
}

pub(crate) fn fading(fade_ms: u32, set: Set<'static>) -> Set<'static> {
    let fade_ms = Some(fade_ms);
    Set { fade_ms, ..set }
}

pub(crate) fn lasting(for_ms: u32, set: Set<'static>) -> Set<'static> {
    let for_ms = Some(for_ms);
    Set { for_ms, ..set }
}

/// An output and what it did.
pub(crate) struct Stage {
    pub(crate) now: Millis,
    pub(crate) output: Output,
    /// Each change of its pins, with its time.
    pub(crate) drives: Vec<(u64, Drive)>,
    /// When it wanted its state reported, and what that was.
    pub(crate) reports: Vec<(u64, String)>,
}

impl Stage {
    pub(crate) fn new(kind: ChannelKind, options: Options) -> Self {
        Self::with(kind, options, None)
    }

    pub(crate) fn with(kind: ChannelKind, options: Options, kept: Option<Kept>) -> Self {
        let now = Millis(0);
        let output = Output::new(&channel(kind, options), kept, now).expect("a consumer");
        let mut stage = Self {
            now,
            output,
            drives: Vec::new(),
            reports: Vec::new(),
        };
        stage.look();
        stage
    }

    fn look(&mut self) {
        if let Some(drive) = self.output.poll_drive() {
            self.drives.push((self.now.0, drive));
        }
        if self.output.poll_report() {
            self.reports.push((self.now.0, self.state()));
        }
    }

    /// As `on=true brightness=40`.
    pub(crate) fn state(&self) -> String {
        let fields = self.output.state();
        let words = fields.iter().map(|(name, value)| match value {
            Value::Bool(is) => format!("{name}={is}"),
            Value::Number(number) => format!("{name}={number}"),
            Value::Text(text) => format!("{name}={text}"),
        });
        words.collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn set(&mut self, set: Set<'_>) -> Result<(), Refused> {
        let done = self.output.set(&set, self.now);
        self.look();
        done
    }

    pub(crate) fn lose(&mut self) {
        self.output.lose(self.now);
        self.look();
    }

    /// Lets time go by, to each deadline.
    pub(crate) fn run(&mut self, ms: u64) {
        let end = self.now.after(ms);
        loop {
            let due = self.output.deadline();
            if due > end {
                break;
            }
            self.now = due.max(self.now);
            self.output.handle_timeout(self.now);
            self.look();
        }
        self.now = end;
    }

    pub(crate) fn drive(&self) -> Drive {
        self.drives
            .last()
            .expect("it drives its pins from the start")
            .1
    }

    /// The white level of a dimmer.
    pub(crate) fn level(&self) -> u16 {
        match self.drive() {
            Drive::Lamp([0, 0, 0, level]) => level,
            other => panic!("{other:?}"),
        }
    }
}
