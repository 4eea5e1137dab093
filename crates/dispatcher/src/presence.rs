//! Which devices are there: their sessions, when they were heard last, and whose silence lasts too long.
//!
//! Sessions are facts of the broker and die with the process; when a device was heard is part of the snapshot.

use std::time::Duration;

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
}

/// All devices.
#[derive(Clone, Debug, Default)]
pub(crate) struct Presence {
    rows: Vec<Row>,
    /// Devices with a limit of silence or an expectation, in order: the only ones that time can take away.
    watched: Vec<DeviceIx>,
}

impl Presence {
    pub(crate) fn new(program: &Program, conduct: &Conduct) -> Self {
        let mut presence = Self {
            rows: vec![Row::default(); program.devices.len()],
            watched: Vec::new(),
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
        self.watch();
    }

    pub(crate) fn row(&self, device: DeviceIx) -> &Row {
        &self.rows[device.index()]
    }

    pub(crate) fn row_mut(&mut self, device: DeviceIx) -> &mut Row {
        &mut self.rows[device.index()]
    }

    pub(crate) fn heard(&mut self, device: DeviceIx, now: Now) {
        let row = &mut self.rows[device.index()];
        row.heard = Some((now.at, now.wall));
        row.expected_until = None;
    }

    /// From now on these devices are expected back until `until`.
    pub(crate) fn expect(&mut self, devices: impl IntoIterator<Item = DeviceIx>, until: Instant) {
        for device in devices {
            self.rows[device.index()].expected_until = Some(until);
        }
        self.watch();
    }

    /// From now on everybody is listened to.
    pub(crate) fn listen(&mut self, now: Now) {
        for row in &mut self.rows {
            row.listening = Some(now.at);
        }
    }

    /// When each watched device counts as gone, unless it says something before. One that is expected back
    /// has until then, whatever it promised.
    pub(crate) fn deadlines(&self) -> impl Iterator<Item = (DeviceIx, Instant)> {
        self.watched.iter().filter_map(|device| {
            let row = self.row(*device);
            let silent = || {
                let heard = row.heard?.0.max(row.listening.unwrap_or_default());
                Some(heard.after(row.silence?))
            };
            let gone = row.expected_until.or_else(silent)?;
            Some((*device, gone))
        })
    }

    fn watch(&mut self) {
        let rows = &self.rows;
        self.watched = DeviceIx::all(rows.len())
            .filter(|ix| {
                let row = &rows[ix.index()];
                row.silence.is_some() || row.expected_until.is_some()
            })
            .collect();
    }
}

/// How often a device promises to report something: the shortest `report_every` of its channels.
#[must_use]
pub fn report_every(device: &Device) -> Option<Duration> {
    let role: serde_json::Value = serde_json::from_str(&device.role).ok()?;
    let channels = role.get("io")?.as_object()?.values();
    let every = channels.filter_map(|channel| channel.get("report_every_ms")?.as_u64());
    every.min().map(Duration::from_millis)
}
