//! A house of as many rules as asked for, as people write one: rooms with the same twenty rules of all sorts, and one
//! organ whose keys are told apart by a tenth of all rules. Called by all benches.

use std::{fmt::Write as _, sync::Arc};

use mapping::Program;

/// Rules of one room.
const ROOM_RULES: usize = 20;

/// Of so many rules one is the organ's.
const ORGAN_EVERY: usize = 10;

/// What a room's rules are about.
const DEVICE: &str = r#"
[device.ROOM]
id         = NUMBER
io.keys    = { kind = "midi" }
io.button  = { kind = "button" }
io.motion  = { kind = "motion" }
io.contact = { kind = "contact" }
io.lux     = { kind = "lux", stale_after = "15m" }
io.temp    = { kind = "temperature", stale_after = "15m" }
io.lamp    = { kind = "dimmer" }
io.wall    = { kind = "switch" }
io.heater  = { kind = "switch", when_lost = "off" }
io.blind   = { kind = "cover" }
"#;

/// The rules of a room, in the order in which a smaller house has them.
const RULES: [&str; ROOM_RULES] = [
    r#"when = "ROOM.keys.press"
if   = "event.key == 36"
do   = "ROOM.lamp.toggle""#,
    r#"when = "ROOM.motion.start"
if   = "sun.is_down && state.ROOM.lux < 50 && !var.night"
do   = ["ROOM.lamp.on", { start = "ROOM-off", for = "5m" }]"#,
    r#"when = { timer = "ROOM-off" }
do   = "ROOM.lamp.off""#,
    r#"when = { holds = "state.ROOM.temp < var.comfort - 0.5" }
if   = "state.ROOM.contact == 'closed'"
do   = "ROOM.heater.on""#,
    r#"when = { holds = "state.ROOM.temp > var.comfort + 0.5" }
do   = "ROOM.heater.off""#,
    r#"when = "ROOM.button.click"
do   = "ROOM.wall.toggle""#,
    r#"when = "ROOM.contact.open"
if   = "state.ROOM.heater"
do   = "ROOM.heater.off""#,
    r#"when = "ROOM.keys.press"
if   = "event.key == 37 && event.velocity > 20"
do   = { set = "ROOM.lamp", brightness = "${event.velocity * 100 / 127}" }"#,
    r#"when = "ROOM.keys.press"
if   = "event.key in [60, 64, 67] || event.key == 72"
do   = "ROOM.wall.toggle""#,
    r#"when = "ROOM.keys.press"
if   = "between(event.key, 84, 96) && state.ROOM.lux < 50"
do   = "ROOM.lamp.brighter""#,
    r#"when = "ROOM.motion.start"
if   = "var.night"
do   = [{ set = "ROOM.lamp", brightness = 5 }, { start = "ROOM-off", for = "1m" }]"#,
    r#"when = "ROOM.button.double"
do   = { set = "ROOM.blind", position = 0 }"#,
    r#"when = "ROOM.button.long"
do   = { set = "ROOM.blind", position = 100 }"#,
    r#"when = { holds = "state.ROOM.contact == 'open'", for = "10m" }
do   = { notify = "all", text = "ROOM has been open for ten minutes at ${state.ROOM.temp} degrees." }"#,
    r#"when = "ROOM.keys.control"
if   = "event.number == 7"
do   = { set = "ROOM.lamp", brightness = "${event.value * 100 / 127}" }"#,
    r#"when = "ROOM.keys.control"
if   = "event.number in [1, 2, 11] && event.value > 64"
do   = "ROOM.wall.on""#,
    r#"when = { at = "07:00", days = "mon-fri" }
if   = "!var.away && state.ROOM.lux > 5"
do   = { set = "ROOM.blind", position = 80 }"#,
    r#"when = { sun = "sunset", offset = "20m" }
if   = "!var.away"
do   = { set = "ROOM.blind", position = 20 }"#,
    r#"when = "ROOM.keys.press"
if   = "event.key == 38 && target.ROOM.lamp.brightness > 50"
do   = "ROOM.lamp.dimmer""#,
    r#"when = "ROOM.offline"
do   = { notify = "all", text = "ROOM went offline (last seen ${event.last_seen})." }"#,
];

/// The files of a house with `rules` rules, by name.
#[must_use]
pub fn files(rules: usize) -> Vec<(String, String)> {
    let mut devices = String::from(HOME);
    let mut text = String::from("allow = [\"two-writers\", \"shadowed\", \"cycle\"]\n");
    let (mut organ, mut room) = (0, 0);
    // Writing to a string doesn't fail.
    for n in 0..rules {
        if n % ORGAN_EVERY == ORGAN_EVERY - 1 {
            let _ = write!(text, "\n{}", organ_rule(organ));
            organ += 1;
            continue;
        }
        let (number, place) = (room / ROOM_RULES, room % ROOM_RULES);
        let name = format!("room{number}");
        if place == 0 {
            let device = DEVICE.replace("ROOM", &name);
            devices += &device.replace("NUMBER", &(number + 10).to_string());
        }
        let rule = RULES[place].replace("ROOM", &name);
        let _ = write!(text, "\n[rule.{name}-{place}]\n{rule}\n");
        room += 1;
    }
    // A timer that is started needs one that waits: the last room may lack it.
    if (1..3).contains(&(room % ROOM_RULES)) {
        let name = format!("room{}", room / ROOM_RULES);
        let left = RULES.iter().enumerate().take(3);
        for (place, rule) in left.skip(room % ROOM_RULES) {
            let rule = rule.replace("ROOM", &name);
            let _ = write!(text, "\n[rule.{name}-{place}]\n{rule}\n");
        }
    }
    let mapping = "format  = 1\ninclude = [\"devices.toml\", \"rules.toml\"]\n";
    [
        ("mapping.toml", mapping.to_owned()),
        ("devices.toml", devices),
        ("rules.toml", text),
    ]
    .map(|(name, text)| (name.to_owned(), text))
    .into()
}

/// The same devices, and nothing that happens.
#[must_use]
pub fn without_rules(mut files: Vec<(String, String)>) -> Vec<(String, String)> {
    for (name, text) in &mut files {
        if name == "rules.toml" {
            text.clear();
        }
    }
    files
}

const HOME: &str = r#"allow = ["device-unused", "var-unused", "var-unwritten"]

[home]
timezone  = "Europe/Berlin"
latitude  = 52.52
longitude = 13.40

[var]
night   = { kind = "bool", start = false, keep = true }
away    = { kind = "bool", start = false, keep = true }
comfort = { kind = "number", start = 21.0, min = 5, max = 28, keep = true }

[device.organ]
id      = 1
io.keys = { kind = "midi" }
io.lamp = { kind = "light" }
"#;

/// One key, pressed within a band of velocities.
fn organ_rule(n: usize) -> String {
    let (key, band) = (n % 128, n / 128 % 8);
    let (low, high) = (band * 16, band * 16 + 15);
    format!(
        "[rule.organ-{n}]\nwhen = \"organ.keys.press\"\nif   = \"event.key == {key} && between(event.velocity, {low}, {high})\"\n\
         do   = {{ set = \"organ.lamp\", brightness = {}, hue = {} }}\n",
        band * 12 + 10,
        key * 2
    )
}

/// The house as a program.
///
/// # Errors
/// What the house's own check says: the generator is wrong.
pub fn program(files: Vec<(String, String)>) -> anyhow::Result<Arc<Program>> {
    let loaded = mapping::load_texts(files);
    let complaints = mapping::render(&loaded.sources, &loaded.diagnostics, false);
    loaded.program.ok_or_else(|| anyhow::anyhow!(complaints))
}
