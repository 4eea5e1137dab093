//! Home Assistant's words for what a house measures and does. Source: its developers' pages on sensor, binary sensor and cover
//! device classes.

/// Begins the name of each device of ours.
pub(super) const NODE: &str = "iot_control_";

/// Unit and device class of a built-in kind that measures something.
pub(super) fn measured(kind: &str) -> Option<(&'static str, &'static str)> {
    Some(match kind {
        "lux" => ("lx", "illuminance"),
        "temperature" => ("°C", "temperature"),
        "humidity" => ("%", "humidity"),
        "pressure" => ("hPa", "atmospheric_pressure"),
        _ => return None,
    })
}

/// Device class of what is measured in `unit`, where only one thing is.
pub(super) fn class_of_unit(unit: &str) -> Option<&'static str> {
    Some(match unit {
        "W" | "kW" => "power",
        "Wh" | "kWh" | "MWh" => "energy",
        "V" | "mV" => "voltage",
        "A" | "mA" => "current",
        "Hz" | "kHz" => "frequency",
        "°C" | "°F" => "temperature",
        "lx" => "illuminance",
        "ppm" => "carbon_dioxide",
        "µg/m³" => "pm25",
        "dB" => "sound_pressure",
        "m³" | "L" => "water",
        "km/h" | "m/s" => "wind_speed",
        _ => return None,
    })
}

/// Device class of what only grows.
pub(super) fn grows(class: &str) -> bool {
    ["energy", "water"].contains(&class)
}
