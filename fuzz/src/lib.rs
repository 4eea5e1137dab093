//! What the targets share: a house with one of everything. Called by the targets in `bin`; asserts nothing itself.

use std::{sync::Arc, time::Duration};

use mapping::Program;
use types::{Instant, Now, UnixTime};

/// Devices and names for whatever is tried on them.
pub const HOUSE: &str = r#"format = 1
[home]
timezone = "Europe/Berlin"
latitude = 52.5
longitude = 13.4
[device.hall]
id = 21
io.lamp = { kind = "dimmer" }
io.motion = { kind = "motion" }
io.lux = { kind = "lux" }
io.temp = { kind = "temperature" }
[device.desk]
id = 22
io.lamp = { kind = "switch" }
io.button = { kind = "button" }
io.keys = { kind = "keyboard" }
[group]
lights = ["hall.lamp", "desk.lamp"]
[var]
night = { kind = "bool", keep = true }
n = { kind = "number", min = 0, max = 100 }
mood = { kind = "text", values = ["calm", "loud"] }
"#;

/// The house, with more lines behind it, where those check.
#[must_use]
pub fn house_with(more: &str) -> Option<Arc<Program>> {
    mapping::load_texts([("mapping.toml", format!("{HOUSE}{more}"))]).program
}

/// A moment some seconds after the start.
#[must_use]
pub fn now(seconds: u64) -> Now {
    Now {
        at: Instant(0),
        wall: UnixTime(1_772_449_200_000_000),
        synced: true,
    }
    .after(Duration::from_secs(seconds))
}
