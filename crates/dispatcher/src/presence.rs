//! Which devices are there: their sessions, when they were heard last, and whose silence lasts too long.
//!
//! Sessions are facts of the broker and die with the process; when a device was heard is part of the snapshot.
//!
//! The deadlines stand in a table by time, which is updated lazily: a device that is heard moves its own row
//! alone, and when its old deadline comes, the table learns the new one. So a message costs the same in a house
//! of ten devices and of ten thousand.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use mapping::{
    Program,
    program::{Carrier, Device, DeviceIx},
};
use types::{Instant, Now, UnixTime};

use crate::conduct::Conduct;

/// One device.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Row {
    /// Open sessions of its broker user.
    pub(crate) sessions: u32,
    /// When it last said anything.
    pub(crate) heard: Option<(Instant, UnixTime)>,
    /// Since when it is listened to without a gap: the start of the process, or its newest session. What it
    /// may have said before, nobody could hear.
    pub(crate) listening: Option<Instant>,
    /// Longest silence.
    pub(crate) silence: Option<Duration>,
    /// Its sessions come and go while it sleeps; only silence and a will say that it is gone.
    pub(crate) sleeps: bool,
    /// It was there before a restart; gone, if no session of it starts until then.
    pub(crate) expected_until: Option<Instant>,
    /// Where it stands in the table of deadlines: never later than its deadline is.
    filed: Option<Instant>,
}

impl Row {
    /// The same where nobody is logged in as the device.
    pub(crate) fn without_sessions(&self) -> Self {
        Self {
            sessions: 0,
            ..*self
        }
    }

    /// When it counts as gone, unless it says something before. One that is expected back has until then,
    /// whatever it promised.
    fn deadline(&self) -> Option<Instant> {
        let silent = || {
            let heard = self.heard?.0.max(self.listening.unwrap_or_default());
            Some(heard.after(self.silence?))
        };
        self.expected_until.or_else(silent)
    }
}

/// All devices.
#[derive(Clone, Debug, Default)]
pub(crate) struct Presence {
    rows: Vec<Row>,
    /// Those that time can take away.
    deadlines: BTreeSet<(Instant, DeviceIx)>,
}

impl Presence {
    pub(crate) fn new(program: &Program, conduct: &Conduct) -> Self {
        let mut presence = Self {
            rows: vec![Row::default(); program.devices.len()],
            deadlines: BTreeSet::new(),
        };
        presence.go_by(program, conduct);
        presence
    }

    /// From now on these limits hold.
    pub(crate) fn go_by(&mut self, program: &Program, conduct: &Conduct) {
        for (device, row) in program.devices.iter().zip(&mut self.rows) {
            let sleeps = conduct.silence.get(&device.name).copied();
            let promised = || {
                let missed = conduct.reports_missed_max?;
                Some(report_every(device)?.saturating_mul(missed))
            };
            let is_virtual = device.carrier == Carrier::Virtual;
            row.silence = sleeps.or_else(promised).filter(|_| !is_virtual);
            row.sleeps = sleeps.is_some();
        }
        self.file_all();
    }

    pub(crate) fn row(&self, device: DeviceIx) -> &Row {
        &self.rows[device.index()]
    }

    pub(crate) fn heard(&mut self, device: DeviceIx, now: Now) {
        let row = &mut self.rows[device.index()];
        row.heard = Some((now.at, now.wall));
        // Later than where it is filed, unless it was expected or isn't filed at all.
        if row.expected_until.take().is_some() || row.filed.is_none() {
            self.file(device);
        }
    }

    /// A session of it started.
    pub(crate) fn connected(&mut self, device: DeviceIx, now: Now) {
        let row = &mut self.rows[device.index()];
        row.sessions = row.sessions.saturating_add(1);
        row.expected_until = None;
        row.listening = Some(now.at);
        self.file(device);
    }

    /// A session of it ended; gives its row after that.
    pub(crate) fn disconnected(&mut self, device: DeviceIx) -> &Row {
        let row = &mut self.rows[device.index()];
        row.sessions = row.sessions.saturating_sub(1);
        row
    }

    /// It is gone, and has no deadline until it is heard again.
    pub(crate) fn gone(&mut self, device: DeviceIx) {
        self.rows[device.index()].expected_until = None;
        self.file_at(device, None);
    }

    /// From now on these devices are expected back until `until`.
    pub(crate) fn expect(&mut self, devices: impl IntoIterator<Item = DeviceIx>, until: Instant) {
        for device in devices {
            self.rows[device.index()].expected_until = Some(until);
            self.file(device);
        }
    }

    /// From now on everybody is listened to.
    pub(crate) fn listen(&mut self, now: Now) {
        for row in &mut self.rows {
            row.listening = Some(now.at);
        }
    }

    /// What was known of `device` before a restart.
    pub(crate) fn remember(&mut self, device: DeviceIx, heard: Option<(Instant, UnixTime)>) {
        self.rows[device.index()].heard = heard;
        self.file(device);
    }

    /// What was known of `device` under another mapping.
    pub(crate) fn carry_over(&mut self, device: DeviceIx, past: &Row) {
        let row = &mut self.rows[device.index()];
        row.sessions = past.sessions;
        row.heard = past.heard;
        row.listening = past.listening;
        row.expected_until = past.expected_until;
        self.file(device);
    }

    /// When [`Self::overdue`] is to be asked next; it may find that nobody is.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// The first device, in the mapping's order, that is `online` and whose deadline has passed. Corrects the
    /// table up to `now`.
    pub(crate) fn overdue(
        &mut self,
        now: Instant,
        online: impl Fn(DeviceIx) -> bool,
    ) -> Option<DeviceIx> {
        let passed = self.deadlines.iter().take_while(|(at, _)| *at <= now);
        let passed: Vec<DeviceIx> = passed.map(|(_, device)| *device).collect();
        let mut first = None;
        for device in passed {
            let deadline = self.row(device).deadline();
            match deadline.filter(|_| online(device)) {
                Some(at) if at <= now => {
                    first = Some(first.map_or(device, |first: DeviceIx| first.min(device)));
                }
                later => self.file_at(device, later),
            }
        }
        first
    }

    fn file_all(&mut self) {
        for device in DeviceIx::all(self.rows.len()) {
            self.file(device);
        }
    }

    fn file(&mut self, device: DeviceIx) {
        self.file_at(device, self.row(device).deadline());
    }

    fn file_at(&mut self, device: DeviceIx, at: Option<Instant>) {
        let filed = std::mem::replace(&mut self.rows[device.index()].filed, at);
        if filed == at {
            return;
        }
        if let Some(old) = filed {
            self.deadlines.remove(&(old, device));
        }
        if let Some(new) = at {
            self.deadlines.insert((new, device));
        }
    }
}

/// How often a device promises to report something: the shortest `report_every` of its channels.
fn report_every(device: &Device) -> Option<Duration> {
    promises(device).into_values().min()
}

/// The channels of a device that promise to report, by name, and how often (`report_every`).
#[must_use]
pub fn promises(device: &Device) -> BTreeMap<String, Duration> {
    let role: serde_json::Value = serde_json::from_str(&device.role).unwrap_or_default();
    let channels = role.get("io").and_then(serde_json::Value::as_object);
    let every = channels.into_iter().flatten().filter_map(|(name, io)| {
        let every = io.get("report_every_ms")?.as_u64()?;
        Some((name.clone(), Duration::from_millis(every)))
    });
    every.collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Pass(u64),
        Heard(u32),
        Connected(u32),
        Disconnected(u32),
        Gone(u32),
        Expect(u32, u64),
        Limit(u32, Option<u64>),
        Listen,
    }

    fn step() -> impl Strategy<Value = Step> {
        let device = 0_u32..5;
        prop_oneof![
            4 => (0_u64..12).prop_map(Step::Pass),
            6 => device.clone().prop_map(Step::Heard),
            2 => device.clone().prop_map(Step::Connected),
            1 => device.clone().prop_map(Step::Disconnected),
            1 => device.clone().prop_map(Step::Gone),
            1 => (device.clone(), 1_u64..20).prop_map(|(device, span)| Step::Expect(device, span)),
            1 => (device, prop::option::of(1_u64..20)).prop_map(|(d, s)| Step::Limit(d, s)),
            1 => Just(Step::Listen),
        ]
    }

    /// All rows, one after the other.
    fn walk<'p>(
        presence: &'p Presence,
        online: &'p [bool],
    ) -> impl Iterator<Item = (DeviceIx, Instant)> + 'p {
        let all = DeviceIx::all(presence.rows.len());
        let there = all.filter(|device| online[device.index()]);
        there.filter_map(|device| Some((device, presence.row(device).deadline()?)))
    }

    proptest! {
        #[test]
        fn a_table_of_deadlines_says_what_a_walk_over_all_devices_says(
            steps in prop::collection::vec(step(), 1..120)
        ) {
            let mut presence = Presence {
                rows: vec![Row::default(); 5],
                ..Presence::default()
            };
            let mut online = [false; 5];
            let mut now = Now::default();
            for step in steps {
                let ix = |device: u32| DeviceIx(device);
                match step {
                    Step::Pass(span) => now = now.after(Duration::from_secs(span)),
                    Step::Heard(device) => {
                        presence.heard(ix(device), now);
                        online[device as usize] = true;
                    }
                    Step::Connected(device) => presence.connected(ix(device), now),
                    Step::Disconnected(device) => {
                        presence.disconnected(ix(device));
                    }
                    Step::Gone(device) => {
                        presence.gone(ix(device));
                        online[device as usize] = false;
                    }
                    Step::Expect(device, span) if online[device as usize] => {
                        let until = now.at.after(Duration::from_secs(span));
                        presence.expect([ix(device)], until);
                    }
                    Step::Expect(..) => {}
                    Step::Limit(device, seconds) => {
                        presence.rows[device as usize].silence = seconds.map(Duration::from_secs);
                        presence.file_all();
                    }
                    Step::Listen => presence.listen(now),
                }
                let first = walk(&presence, &online).map(|(_, at)| at).min();
                let asked = presence.next_deadline();
                prop_assert!(first.is_none() || asked <= first && asked.is_some());
                loop {
                    let mut late = walk(&presence, &online).filter(|(_, at)| *at <= now.at);
                    let expected = late.next().map(|(device, _)| device);
                    drop(late);
                    let found = presence.overdue(now.at, |device| online[device.index()]);
                    prop_assert_eq!(found, expected);
                    let Some(device) = found else { break };
                    presence.gone(device);
                    online[device.index()] = false;
                }
                let asked = presence.next_deadline();
                prop_assert!(asked.is_none_or(|at| at > now.at), "nobody is asked twice");
            }
        }
    }

    #[test]
    fn a_device_that_speaks_all_the_time_is_filed_once() {
        let mut presence = Presence {
            rows: vec![Row::default(); 2],
            ..Presence::default()
        };
        presence.rows[1].silence = Some(Duration::from_secs(60));
        let mut now = Now::default();
        presence.heard(DeviceIx(1), now);
        let filed = presence.deadlines.clone();
        for _ in 0..50 {
            now = now.after(Duration::from_secs(1));
            presence.heard(DeviceIx(1), now);
            assert_eq!(presence.deadlines, filed, "a word moves its row alone");
        }
        let due = now.after(Duration::from_secs(10));
        assert_eq!(presence.overdue(due.at, |_| true), None);
        let at = now.at.after(Duration::from_secs(60));
        assert_eq!(presence.next_deadline(), Some(at), "and is corrected then");
        assert_eq!(presence.overdue(at, |_| true), Some(DeviceIx(1)));
    }
}
