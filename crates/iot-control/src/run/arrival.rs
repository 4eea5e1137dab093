//! The start of a simulated house for people: all modules arrive at once, and that is one line of the terminal and not
//! five for each. Looks at what the stream tells, decides nothing else.

use std::{collections::BTreeSet, fmt::Write as _, time::Duration};

use dispatcher::{
    Dispatcher,
    explain::{Arrival, Told},
};
use mapping::program::{ChannelIx, DeviceIx};
use types::{Instant, Now};

use super::announce::count;

/// The modules have arrived when nothing of it came for so long: their reports follow within milliseconds.
const QUIET: Duration = Duration::from_millis(300);

/// Whoever has not come by then is named as missing.
const PATIENCE: Duration = Duration::from_secs(5);

/// The modules of a house while they arrive.
#[derive(Debug)]
pub(super) struct Arriving {
    /// Channels that reported.
    reported: BTreeSet<ChannelIx>,
    /// Channels that somebody wished something of meanwhile: their reports are no longer first ones.
    wished: BTreeSet<ChannelIx>,
    newest: Instant,
    ends: Instant,
}

impl Arriving {
    /// They begin to arrive now.
    pub(super) fn new(now: Now) -> Self {
        Self {
            reported: BTreeSet::new(),
            wished: BTreeSet::new(),
            newest: now.at,
            ends: now.at.after(PATIENCE),
        }
    }

    /// Whether a line only says that somebody arrives: the summary counts it.
    pub(super) fn counts(&mut self, told: &Told<'_>) -> bool {
        self.wished.extend(told.wished());
        match told.arrival() {
            Some(Arrival::Report(channel)) if self.wished.contains(&channel) => return false,
            Some(Arrival::Report(channel)) => drop(self.reported.insert(channel)),
            Some(Arrival::Device(_)) => {}
            None => return false,
        }
        self.newest = told.now().at;
        true
    }

    /// When it is to be looked at again.
    pub(super) fn deadline(&self, now: Instant) -> Instant {
        let quiet = self.newest.after(QUIET);
        if quiet > now { quiet } else { self.ends }
    }

    /// Who came, and who did not, once that is over; `None`: they still arrive.
    pub(super) fn summary(&self, dispatcher: &Dispatcher, now: Instant) -> Option<String> {
        let program = dispatcher.program();
        let all = DeviceIx::all(program.devices.len());
        let missing: Vec<&str> = all
            .filter(|device| !dispatcher.online(*device))
            .map(|device| &*program[device].name)
            .collect();
        let is_quiet = now >= self.newest.after(QUIET);
        if !(is_quiet && missing.is_empty()) && now < self.ends {
            return None;
        }
        let came = program.devices.len() - missing.len();
        let reports = count(self.reported.len(), "first report");
        let mut text = format!("{} online, {reports}", count(came, "device"));
        if !missing.is_empty() {
            let _ = write!(text, "; not there: {}", missing.join(", "));
        }
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use dispatcher::{Blocklist, Config, Effects, Input, explain};
    use types::UnixTime;

    use super::*;

    const HOUSE: &str = "[device.hall]\nid = 1\nio.lamp = { kind = \"switch\" }\n\
        [device.desk]\nid = 2\nio.lamp = { kind = \"switch\" }\n\
        [rule.greet]\nwhen = \"desk.online\"\ndo = \"hall.lamp.on\"\n";

    /// A house, who arrives in it, and the lines that are left of it.
    struct Rig {
        dispatcher: Dispatcher,
        arriving: Arriving,
        lines: Vec<String>,
    }

    fn at(ms: u64) -> Now {
        Now {
            at: Instant(ms * 1_000),
            wall: UnixTime(1_790_000_000_000_000 + ms as i64 * 1_000),
            synced: true,
        }
    }

    impl Rig {
        fn new() -> Self {
            let loaded = mapping::load_texts([("mapping.toml", HOUSE)]);
            let program = loaded.program.expect("the house checks");
            let (config, blocks) = (Config::default(), Blocklist::default());
            Self {
                dispatcher: Dispatcher::new(program, config, blocks, at(0)),
                arriving: Arriving::new(at(0)),
                lines: Vec::new(),
            }
        }

        fn show(&mut self, now: Now, effects: &mut Effects) {
            let program = Arc::clone(self.dispatcher.program());
            explain::fill_texts(&program, effects);
            let explainer = explain::Explainer::new(&program);
            for told in explain::told(effects, now) {
                if !self.arriving.counts(&told) {
                    self.lines.push(explainer.told(&told));
                }
            }
        }

        fn comes(&mut self, ms: u64, device: &str) {
            let program = Arc::clone(self.dispatcher.program());
            let device = program.device(device).expect("it is in the house");
            let mut effects = Effects::default();
            let input = self.dispatcher.connected(at(ms), device, &mut effects);
            if let Some(input) = input {
                self.dispatcher.apply(at(ms), input, &mut effects);
            }
            self.show(at(ms), &mut effects);
        }

        fn reports(&mut self, ms: u64, device: &str, on: &str) {
            let program = Arc::clone(self.dispatcher.program());
            let publisher = dispatcher::Publisher::Device(program.device(device).unwrap());
            let message = dispatcher::Message {
                topic: &format!("iot/{device}/lamp/state"),
                payload: on.as_bytes(),
                retain: true,
                will: None,
            };
            let admitted = self.dispatcher.admit(at(ms), &publisher, &message);
            let input: Input = admitted.ok().and_then(|it| it.input).expect("an input");
            let mut effects = Effects::default();
            self.dispatcher.apply(at(ms), input, &mut effects);
            self.show(at(ms), &mut effects);
        }

        fn summary(&self, ms: u64) -> Option<String> {
            self.arriving.summary(&self.dispatcher, at(ms).at)
        }
    }

    #[test]
    fn a_start_is_one_line_once_all_are_there_and_what_rules_do_is_shown_at_once() {
        let mut rig = Rig::new();
        rig.comes(10, "hall");
        rig.reports(20, "hall", r#"{"on":false}"#);
        rig.reports(30, "hall", r#"{"on":false}"#);
        assert_eq!(rig.lines, [""; 0]);
        assert_eq!(rig.summary(400), None, "the desk is not there");
        rig.comes(500, "desk");
        assert!(rig.lines.concat().contains("rule greet"), "{:?}", rig.lines);
        rig.reports(510, "desk", r#"{"on":false}"#);
        assert_eq!(rig.lines.len(), 1, "{:?}", rig.lines);
        rig.reports(520, "hall", r#"{"on":true}"#);
        assert!(rig.lines[1].ends_with("hall.lamp reports on=true"));
        assert_eq!(rig.summary(600), None, "it goes on");
        assert_eq!(rig.arriving.deadline(at(600).at), at(810).at);
        let over = rig.summary(810);
        assert_eq!(over.as_deref(), Some("2 devices online, 2 first reports"));
    }

    #[test]
    fn who_does_not_come_is_named() {
        let mut rig = Rig::new();
        rig.comes(10, "hall");
        assert_eq!(rig.summary(4_999), None);
        assert_eq!(rig.arriving.deadline(at(4_999).at), at(5_000).at);
        let over = rig.summary(5_000);
        let expected = "1 device online, 0 first reports; not there: desk";
        assert_eq!(over.as_deref(), Some(expected));
    }
}
