//! One input on virtual time, each of its deadlines kept.

use device::{Happened, Input, Misfit, Sample};
use link::Millis;
use wire::{ChannelKind, Options, Value};

use crate::stage::channel;

/// An input and what it said.
pub(crate) struct Bench {
    pub(crate) now: Millis,
    pub(crate) input: Input,
    pub(crate) events: Vec<(u64, Happened)>,
    /// When it wanted its state reported, and what that was.
    pub(crate) reports: Vec<(u64, String)>,
}

impl Bench {
    pub(crate) fn new(kind: ChannelKind, options: Options) -> Self {
        let now = Millis(0);
        let input = Input::new(&channel(kind, options), now).expect("a producer");
        let (events, reports) = (Vec::new(), Vec::new());
        Self {
            now,
            input,
            events,
            reports,
        }
    }

    pub(crate) fn says(&mut self, sample: Sample<'_>) -> Result<(), Misfit> {
        let (events, at) = (&mut self.events, self.now.0);
        let done = self
            .input
            .sample(sample, self.now, &mut |event| events.push((at, event)));
        self.look();
        done
    }

    pub(crate) fn level(&mut self, level: bool) {
        self.says(Sample::Level(level)).expect("it has a pin");
    }

    fn look(&mut self) {
        if self.input.poll_report() {
            self.reports.push((self.now.0, self.state()));
        }
    }

    /// As `count=3 rate=60`.
    pub(crate) fn state(&self) -> String {
        let fields = self.input.state(self.now);
        let words = fields.iter().map(|(name, value)| match value {
            Value::Bool(is) => format!("{name}={is}"),
            Value::Number(number) => format!("{name}={number}"),
            Value::Text(text) => format!("{name}={text}"),
        });
        words.collect::<Vec<_>>().join(" ")
    }

    /// Lets time go by, to each deadline.
    pub(crate) fn run(&mut self, ms: u64) {
        let end = self.now.after(ms);
        loop {
            let due = self.input.deadline();
            if due > end {
                break;
            }
            self.now = due.max(self.now);
            let (events, at) = (&mut self.events, self.now.0);
            self.input
                .handle_timeout(self.now, &mut |event| events.push((at, event)));
            self.look();
        }
        self.now = end;
    }

    pub(crate) fn happened(&self) -> Vec<Happened> {
        self.events.iter().map(|(_, event)| *event).collect()
    }
}
