//! Jinja templates: from our states to what Home Assistant shows, and from what it wants to our `set`.
//!
//! A module may say a state as an object with some of its fields or, for a channel with one, as the bare value. Field names
//! have small letters, digits and '_' alone, so they stand in a template as they are. A template that comes to nothing leaves
//! the entity as it is.

/// Begins a template: `v` is the field, or none where the message doesn't say it.
fn v(field: &str, is_bare: bool) -> String {
    let other = if is_bare { "value" } else { "none" };
    format!("{{% set v = value_json.get('{field}') if value_json is mapping else {other} %}}")
}

/// `true` as ON, `false` as OFF.
pub(super) fn switched(field: &str, is_bare: bool) -> String {
    format!(
        "{}{{% if v is not none %}}{{{{ 'ON' if v|string|lower in ['true', 'on', '1'] else 'OFF' }}}}{{% endif %}}",
        v(field, is_bare)
    )
}

/// One of two words as ON, the other as OFF.
pub(super) fn one_of_two(field: &str, on: &str) -> String {
    format!(
        "{}{{% if v is not none %}}{{{{ 'ON' if v|string|lower in ['{on}', 'true', 'on', '1'] else 'OFF' }}}}{{% endif %}}",
        v(field, true)
    )
}

/// A value as it is.
pub(super) fn plain(field: &str, is_bare: bool) -> String {
    format!(
        "{}{{% if v is not none %}}{{{{ v }}}}{{% endif %}}",
        v(field, is_bare)
    )
}

/// What a cover does, or else by its position what it is: one that never says that it moves would be unknown for ever.
pub(super) const COVER: &str = "{% if value_json is mapping %}{% set m = value_json.get('moving') %}{% set p = value_json.get('position') %}{% if p is none or m in ['opening', 'closing'] %}{% if m is not none %}{{ m }}{% endif %}{% else %}{{ 'closed' if p|float == 0 else 'open' }}{% endif %}{% endif %}";

/// `hue,saturation`.
pub(super) const HUE: &str = "{% if value_json is mapping and value_json.get('hue') is not none and value_json.get('saturation') is not none %}{{ value_json.hue }},{{ value_json.saturation }}{% endif %}";

/// Which of colour and white a lamp shows: white has no saturation.
pub(super) const COLOUR_MODE: &str = "{% if value_json is mapping and value_json.get('kelvin') is not none and not value_json.get('saturation') %}color_temp{% else %}hs{% endif %}";

/// Kelvin as mired.
pub(super) const MIRED: &str = "{% if value_json is mapping and value_json.get('kelvin') %}{{ (1000000 / value_json.kelvin)|round|int }}{% endif %}";

/// From mired to a target, within what a lamp takes.
pub(super) fn set_kelvin(min: f64, max: f64) -> String {
    format!("{{\"kelvin\":{{{{ [{max}, [{min}, (1000000 / value)|round|int]|max]|min }}}}}}")
}

/// From hue and saturation to a target.
pub(super) const SET_HUE: &str =
    "{\"hue\":{{ hue|round|int % 360 }},\"saturation\":{{ sat|round|int }}}";

/// A number to a target.
pub(super) fn set_number(field: &str, variable: &str) -> String {
    format!("{{\"{field}\":{{{{ {variable} }}}}}}")
}

/// A text to a target.
pub(super) fn set_text(field: &str) -> String {
    format!("{{{{ {{'{field}': value}}|to_json }}}}")
}

/// An event with all its fields; some modules say its name alone.
pub(super) const EVENT: &str = "{{ (dict(value_json, event_type=value_json.event) if value_json is mapping else {'event_type': value})|to_json }}";
