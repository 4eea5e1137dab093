//! A bell whose press switches a lamp on for a time: what tells whether timers end when they should.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::Result;
use serde_json::Value as Json;

use super::{House, Module};
use crate::bench::broker::packet::Login;

/// From the press to dark.
const TIMER: Duration = Duration::from_millis(1_500);

const LAMP: &str = "iot/lamp/light/target";

/// Bell, lamp and timer, for `mapping.toml`.
pub(crate) const BELL: &str = r#"
[device.bell]
id = 120
io.button = { kind = "button" }

[device.lamp]
id = 121
io.light = { kind = "switch" }

[rule.light]
when = "bell.button.press"
do = ["lamp.light.on", { start = "dark", for = "1500ms" }]

[rule.dark]
when = { timer = "dark" }
do = "lamp.light.off"
"#;

/// Who presses it, over all starts of the dispatcher.
pub(crate) struct Bell {
    bell: Login,
    lamp: Login,
    /// When it was pressed, until the lamp goes off.
    pressed: Option<Instant>,
}

/// Somebody who looks at the lamp.
pub(crate) struct Watch {
    lamp: Module,
    /// Since when.
    since: Instant,
}

/// The lamp went off.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dark {
    /// Before its time.
    pub(crate) is_early: bool,
    /// So many seconds after its time, or after somebody was there to see it.
    pub(crate) late_s: f64,
}

impl Bell {
    /// With logins in a house that has [`BELL`].
    ///
    /// # Errors
    /// It has no such devices.
    pub(crate) fn of(house: &House) -> Result<Self> {
        Ok(Self {
            bell: house.device_login("bell")?,
            lamp: house.device_login("lamp")?,
            pressed: None,
        })
    }

    /// Presses it and waits for the acknowledgement, for so long at the most.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn press(&mut self, address: SocketAddr, patience: Duration) -> Result<()> {
        let mut bell = Module::join(address, &self.bell, &[])?;
        self.pressed = Some(Instant::now());
        bell.report("iot/bell/button/event", r#"{"event":"press"}"#)?;
        bell.await_acks(patience)
    }

    /// Looks at the lamp from now on.
    ///
    /// # Errors
    /// Nobody is let in.
    pub(crate) fn watch(&self, address: SocketAddr) -> Result<Watch> {
        Ok(Watch {
            lamp: Module::join(address, &self.lamp, &[LAMP])?,
            since: Instant::now(),
        })
    }

    /// Whether it was pressed and the lamp has not gone off since.
    pub(crate) fn rings(&self) -> bool {
        self.pressed.is_some()
    }

    /// Looks once; that the lamp is off counts for the press before it.
    ///
    /// # Errors
    /// The connection is over.
    pub(crate) fn look(&mut self, watch: &mut Watch) -> Result<Option<Dark>> {
        let told = watch.lamp.take()?;
        let is_off = |payload: &Json| payload["on"] == Json::Bool(false);
        if !told.iter().any(|told| is_off(&told.payload)) {
            return Ok(None);
        }
        let now = Instant::now();
        let Some(pressed) = self.pressed.take() else {
            return Ok(None);
        };
        let due = pressed + TIMER;
        let seen = due.max(watch.since);
        Ok(Some(Dark {
            is_early: now < due,
            late_s: now.saturating_duration_since(seen).as_secs_f64(),
        }))
    }
}
