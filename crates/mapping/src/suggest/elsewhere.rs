//! Words that other systems have for ours: who comes from Home Assistant, ESPHome or Node-RED writes these first.

/// A word of others, and ours for it.
const WORDS: &[(&str, &str)] = &[
    // Tables.
    ("automation", "rule"),
    ("automations", "rule"),
    ("input_boolean", "var"),
    ("input_number", "var"),
    ("input_select", "var"),
    ("input_text", "var"),
    ("variables", "var"),
    // A rule's keys.
    ("trigger", "when"),
    ("triggers", "when"),
    ("on_press", "when"),
    ("condition", "if"),
    ("conditions", "if"),
    ("action", "do"),
    ("actions", "do"),
    ("then", "do"),
    ("sequence", "do"),
    ("alias", "note"),
    ("friendly_name", "note"),
    ("description", "note"),
    ("comment", "note"),
    // Triggers and actions.
    ("condition", "holds"),
    ("template", "holds"),
    ("time", "at"),
    ("time_pattern", "cron"),
    ("schedule", "cron"),
    ("delay", "wait"),
    ("sleep", "wait"),
    ("message", "text"),
    ("value", "to"),
    ("service", "command"),
    ("call", "command"),
    ("transition", "fade"),
    ("duration", "for"),
    ("brightness_pct", "brightness"),
    // Commands.
    ("turn_on", "on"),
    ("turn_off", "off"),
    ("open_cover", "open"),
    ("close_cover", "close"),
    ("stop_cover", "stop"),
    // Kinds.
    ("relay", "switch"),
    ("outlet", "switch"),
    ("plug", "switch"),
    ("socket", "switch"),
    ("fan", "switch"),
    ("valve", "switch"),
    ("rgb", "light"),
    ("rgbw", "light"),
    ("led_strip", "light"),
    ("bulb", "dimmer"),
    ("blind", "cover"),
    ("blinds", "cover"),
    ("shutter", "cover"),
    ("curtain", "cover"),
    ("awning", "cover"),
    ("siren", "buzzer"),
    ("bell", "buzzer"),
    ("knob", "encoder"),
    ("rotary", "encoder"),
    ("piano", "keyboard"),
    ("pir", "motion"),
    ("occupancy", "motion"),
    ("door", "contact"),
    ("window", "contact"),
    ("reed", "contact"),
    ("person", "presence"),
    ("illuminance", "lux"),
    ("thermometer", "temperature"),
    ("hygrometer", "humidity"),
    ("barometer", "pressure"),
    ("adc", "analog"),
    ("pulse_counter", "counter"),
    ("energy", "counter"),
    // Types.
    ("integer", "int"),
    ("int", "number"),
    ("integer", "number"),
    ("float", "number"),
    ("double", "number"),
    ("string", "text"),
    ("str", "text"),
];

/// Our words for `word`, the likeliest first.
pub(super) fn ours(word: &str) -> impl Iterator<Item = &'static str> {
    let same = move |(theirs, ours): &(&str, &'static str)| {
        theirs.eq_ignore_ascii_case(word).then_some(*ours)
    };
    WORDS.iter().filter_map(same)
}
