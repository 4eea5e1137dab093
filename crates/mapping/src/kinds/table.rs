//! The table of all built-in kinds.

use super::{
    ArgSpec, CarriedSpec, CommandSpec, Const, EffectSpec, EventSpec, FieldSpec, Kind, OptionSpec,
    Shape,
    options::{
        A, B, BLUE, COLUMNS, DEBOUNCE, DOWN, FIRST_KEY, GAMMA, GREEN, I2C, INVERT, KEYS, MAX, MIN,
        ONE_WIRE, PIN, PIXELS, PULL, PWM, RED, ROWS, TRAVEL, UNIT, UP, WHITE,
    },
};

const PERCENT: Shape = Shape::Int(0.0, 100.0);
const KEY: Shape = Shape::Int(0.0, 127.0);
/// Largest whole number that an `f64` holds exactly.
const COUNT_MAX: f64 = 9_007_199_254_740_991.0;
const OPEN_CLOSED: Shape = Shape::Enum(&["open", "closed"]);
const HOME_AWAY: Shape = Shape::Enum(&["home", "away"]);

const fn target(name: &'static str, shape: Shape) -> FieldSpec {
    FieldSpec {
        name,
        shape,
        settable: true,
    }
}

const fn state(name: &'static str, shape: Shape) -> FieldSpec {
    FieldSpec {
        name,
        shape,
        settable: false,
    }
}

const fn arg(name: &'static str, shape: Shape) -> ArgSpec {
    ArgSpec {
        name,
        shape,
        default: None,
    }
}

const fn arg_or(name: &'static str, shape: Shape, default: f64) -> ArgSpec {
    ArgSpec {
        name,
        shape,
        default: Some(Const::Number(default)),
    }
}

const fn event(name: &'static str, fields: &'static [ArgSpec]) -> EventSpec {
    EventSpec {
        name,
        fields,
        carries: &[],
    }
}

/// An event whose name says a state.
const fn says(name: &'static str, carries: &'static [CarriedSpec]) -> EventSpec {
    EventSpec {
        name,
        fields: &[],
        carries,
    }
}

const fn carried(field: &'static str, value: Const) -> CarriedSpec {
    CarriedSpec {
        field,
        value: Some(value),
    }
}

const fn same_name(field: &'static str) -> CarriedSpec {
    CarriedSpec { field, value: None }
}

const fn command(name: &'static str, effect: EffectSpec) -> CommandSpec {
    CommandSpec {
        name,
        args: &[],
        effect,
    }
}

const ON: FieldSpec = target("on", Shape::Bool);
const BRIGHTNESS: FieldSpec = target("brightness", Shape::Int(1.0, 100.0));
const PRESS: EventSpec = event("press", &[]);
const RELEASE: EventSpec = event("release", &[]);
/// A keyboard without dynamics plays at the middle of the range.
const KEY_PRESS: EventSpec = event("press", &[arg("key", KEY), arg_or("velocity", KEY, 64.0)]);
const KEY_RELEASE: EventSpec = event("release", &[arg("key", KEY)]);
const TURN_ON: CommandSpec = command("on", EffectSpec::Set("on", Const::Bool(true)));
const TURN_OFF: CommandSpec = command("off", EffectSpec::Set("on", Const::Bool(false)));
const TOGGLE: CommandSpec = command("toggle", EffectSpec::Toggle("on"));
const STEP: &[ArgSpec] = &[arg_or("step", Shape::Int(1.0, 100.0), 10.0)];
const DIMMER_COMMANDS: &[CommandSpec] = &[
    TURN_ON,
    TURN_OFF,
    TOGGLE,
    CommandSpec {
        name: "brighter",
        args: STEP,
        effect: EffectSpec::Step("brightness", 1.0),
    },
    CommandSpec {
        name: "dimmer",
        args: STEP,
        effect: EffectSpec::Step("brightness", -1.0),
    },
];
const INPUT: &[OptionSpec] = &[PIN, INVERT, PULL, DEBOUNCE];
const BY_PIN: &[&[&str]] = &[&["pin"]];
const BY_BUS: &[&[&str]] = &[&["i2c"], &["one_wire"], &["pin"]];

const NOTHING: Kind = Kind {
    name: "",
    about: "",
    consumer: false,
    fields: &[],
    events: &[],
    commands: &[],
    options: &[],
    wiring: &[],
};

/// A sensor that reports one number by `changed`.
macro_rules! sensor {
    ($name:literal, $about:literal, $min:literal, $max:literal) => {
        Kind {
            name: $name,
            about: $about,
            fields: &[state($name, Shape::Number($min, $max))],
            events: &[EventSpec {
                name: "changed",
                fields: &[arg($name, Shape::Number($min, $max))],
                carries: &[same_name($name)],
            }],
            options: &[I2C, ONE_WIRE, PIN],
            wiring: BY_BUS,
            ..NOTHING
        }
    };
}

/// All built-in kinds, in the order in which people read about them.
pub static ALL: &[Kind] = &[
    Kind {
        name: "switch",
        about: "on or off",
        consumer: true,
        fields: &[ON],
        commands: &[TURN_ON, TURN_OFF, TOGGLE],
        options: &[PIN, INVERT],
        wiring: BY_PIN,
        ..NOTHING
    },
    Kind {
        name: "dimmer",
        about: "a lamp with a brightness",
        consumer: true,
        fields: &[ON, BRIGHTNESS],
        commands: DIMMER_COMMANDS,
        options: &[PIN, INVERT, PWM, GAMMA, MIN, MAX],
        wiring: BY_PIN,
        ..NOTHING
    },
    Kind {
        name: "light",
        about: "a lamp with a colour",
        consumer: true,
        fields: &[
            ON,
            BRIGHTNESS,
            target("hue", Shape::Int(0.0, 359.0)),
            target("saturation", PERCENT),
            target("kelvin", Shape::Int(1_500.0, 9_000.0)),
        ],
        commands: DIMMER_COMMANDS,
        options: &[PIN, PIXELS, RED, GREEN, BLUE, WHITE, INVERT, PWM, GAMMA],
        wiring: &[&["pin"], &["red", "green", "blue"]],
        ..NOTHING
    },
    Kind {
        name: "cover",
        about: "a blind, a shutter, a garage door",
        consumer: true,
        fields: &[
            target("position", PERCENT),
            state("moving", Shape::Enum(&["stopped", "opening", "closing"])),
        ],
        commands: &[
            command("open", EffectSpec::Set("position", Const::Number(100.0))),
            command("close", EffectSpec::Set("position", Const::Number(0.0))),
            command("stop", EffectSpec::Momentary),
        ],
        options: &[UP, DOWN, TRAVEL, INVERT],
        wiring: &[&["up", "down"]],
        ..NOTHING
    },
    Kind {
        name: "servo",
        about: "an angle",
        consumer: true,
        fields: &[target("angle", Shape::Ranged(0.0, 180.0))],
        options: &[PIN, MIN, MAX],
        wiring: BY_PIN,
        ..NOTHING
    },
    Kind {
        name: "buzzer",
        about: "a sound",
        consumer: true,
        fields: &[ON],
        commands: &[
            TURN_ON,
            TURN_OFF,
            CommandSpec {
                name: "beep",
                args: &[arg_or("ms", Shape::Int(10.0, 5_000.0), 200.0)],
                effect: EffectSpec::Momentary,
            },
        ],
        options: &[PIN, INVERT, PWM],
        wiring: BY_PIN,
        ..NOTHING
    },
    Kind {
        name: "button",
        about: "a push button",
        events: &[PRESS, RELEASE],
        options: INPUT,
        wiring: BY_PIN,
        ..NOTHING
    },
    Kind {
        name: "encoder",
        about: "a knob without end, with a button in it",
        events: &[
            event("turn", &[arg("steps", Shape::Int(-100.0, 100.0))]),
            PRESS,
            RELEASE,
        ],
        options: &[A, B, PIN, INVERT, PULL, DEBOUNCE],
        wiring: &[&["a", "b"]],
        ..NOTHING
    },
    Kind {
        name: "keyboard",
        about: "a matrix of keys",
        events: &[KEY_PRESS, KEY_RELEASE],
        options: &[ROWS, COLUMNS, FIRST_KEY, KEYS, DEBOUNCE],
        wiring: &[&["rows", "columns"]],
        ..NOTHING
    },
    Kind {
        name: "midi",
        about: "a MIDI instrument at the device's uart",
        events: &[
            KEY_PRESS,
            KEY_RELEASE,
            event("control", &[arg("number", KEY), arg("value", KEY)]),
            event("pedal", &[arg("down", Shape::Bool)]),
        ],
        options: &[FIRST_KEY, KEYS],
        ..NOTHING
    },
    Kind {
        name: "motion",
        about: "a motion detector",
        fields: &[state("active", Shape::Bool)],
        events: &[
            says("start", &[carried("active", Const::Bool(true))]),
            says("stop", &[carried("active", Const::Bool(false))]),
        ],
        options: INPUT,
        wiring: BY_PIN,
        ..NOTHING
    },
    Kind {
        name: "contact",
        about: "a door or window contact",
        fields: &[state("contact", OPEN_CLOSED)],
        events: &[
            says("open", &[carried("contact", Const::Text("open"))]),
            says("close", &[carried("contact", Const::Text("closed"))]),
        ],
        options: INPUT,
        wiring: BY_PIN,
        ..NOTHING
    },
    Kind {
        name: "presence",
        about: "whether a person is at home",
        fields: &[state("presence", HOME_AWAY)],
        events: &[
            says("arrive", &[carried("presence", Const::Text("home"))]),
            says("leave", &[carried("presence", Const::Text("away"))]),
        ],
        options: INPUT,
        ..NOTHING
    },
    sensor!(
        "lux",
        "brightness of the surroundings, lx",
        0.0,
        1_000_000.0
    ),
    sensor!(
        "temperature",
        "temperature, degrees Celsius",
        -273.15,
        2_000.0
    ),
    sensor!("humidity", "relative humidity, %", 0.0, 100.0),
    sensor!("pressure", "air pressure, hPa", 0.0, 2_000.0),
    Kind {
        name: "analog",
        about: "any number",
        fields: &[state(
            "value",
            Shape::Ranged(f64::NEG_INFINITY, f64::INFINITY),
        )],
        events: &[EventSpec {
            name: "changed",
            fields: &[arg(
                "value",
                Shape::Ranged(f64::NEG_INFINITY, f64::INFINITY),
            )],
            carries: &[same_name("value")],
        }],
        options: &[PIN, I2C, UNIT, MIN, MAX],
        wiring: &[&["pin"], &["i2c"]],
        ..NOTHING
    },
    Kind {
        name: "counter",
        about: "pulses of a meter",
        fields: &[
            state("count", Shape::Int(0.0, COUNT_MAX)),
            state("rate", Shape::Number(0.0, f64::INFINITY)),
        ],
        commands: &[command("reset", EffectSpec::Momentary)],
        options: INPUT,
        wiring: BY_PIN,
        ..NOTHING
    },
];
