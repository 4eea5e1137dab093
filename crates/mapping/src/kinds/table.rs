//! The table of all built-in kinds.

use std::sync::{Arc, LazyLock};

use types::{Type, Value};

use super::{
    ArgSpec, CarriedSpec, CommandSpec, EffectSpec, EventSpec, FieldSpec, Kind, OptionSpec, Shape,
    options::{
        A, B, BLUE, COLUMNS, DEBOUNCE, DOWN, FIRST_KEY, GAMMA, GREEN, I2C, INVERT, KEYS, MAX, MIN,
        ONE_WIRE, PIN, PIXELS, PULL, PWM, RED, ROWS, TRAVEL, UNIT, UP, WHITE,
    },
};

/// Largest whole number that an `f64` holds exactly.
const COUNT_MAX: f64 = 9_007_199_254_740_991.0;
const INPUT: [OptionSpec; 4] = [PIN, INVERT, PULL, DEBOUNCE];
const BY_PIN: &[&[&str]] = &[&["pin"]];
const BY_BUS: &[&[&str]] = &[&["i2c"], &["one_wire"], &["pin"]];

/// All built-in kinds, in the order in which people read about them.
pub static ALL: LazyLock<Vec<Arc<Kind>>> = LazyLock::new(|| {
    let all = [
        kind("switch", "on or off")
            .takes([target("on", Shape::Fixed(Type::Bool))])
            .commands(on_off())
            .command("toggle", EffectSpec::Toggle("on".into()))
            .wired([PIN, INVERT], BY_PIN),
        kind("dimmer", "a lamp with a brightness")
            .takes(dimmed())
            .commands(dimmer_commands())
            .wired([PIN, INVERT, PWM, GAMMA, MIN, MAX], BY_PIN),
        kind("light", "a lamp with a colour")
            .takes(dimmed())
            .takes([
                target("hue", int(0.0, 359.0)),
                target("saturation", percent()),
                target("kelvin", int(1_500.0, 9_000.0)),
            ])
            .commands(dimmer_commands())
            .wired(
                [PIN, PIXELS, RED, GREEN, BLUE, WHITE, INVERT, PWM, GAMMA],
                &[&["pin"], &["red", "green", "blue"]],
            ),
        kind(
            "cover",
            "a blind, a shutter, a garage door; 0 is closed, 100 is open",
        )
        .takes([target("position", percent())])
        .reports(state("moving", names(&["stopped", "opening", "closing"])))
        .command("open", set("position", 100.0))
        .command("close", set("position", 0.0))
        .command("stop", EffectSpec::Momentary)
        .wired([UP, DOWN, TRAVEL, INVERT], &[&["up", "down"]]),
        kind("servo", "an angle")
            .takes([target("angle", Shape::Ranged(0.0, 180.0))])
            .wired([PIN, MIN, MAX], BY_PIN),
        kind("buzzer", "a sound")
            .takes([target("on", Shape::Fixed(Type::Bool))])
            .commands(on_off())
            .commands([CommandSpec {
                name: "beep".into(),
                args: vec![arg_or("ms", int(10.0, 5_000.0), 200.0)],
                effect: EffectSpec::Momentary,
            }])
            .wired([PIN, INVERT, PWM], BY_PIN),
        kind("button", "a push button")
            .events([event("press", []), event("release", [])])
            .wired(INPUT, BY_PIN),
        kind("encoder", "a knob without end, with a button in it")
            .events([
                event("turn", [arg("steps", int(-100.0, 100.0))]),
                event("press", []),
                event("release", []),
            ])
            .wired([A, B, PIN, INVERT, PULL, DEBOUNCE], &[&["a", "b"]]),
        kind("keyboard", "a matrix of keys")
            .events([key_press(), event("release", [arg("key", midi())])])
            .wired(
                [ROWS, COLUMNS, FIRST_KEY, KEYS, DEBOUNCE],
                &[&["rows", "columns"]],
            ),
        kind("midi", "a MIDI instrument at the device's uart")
            .events([
                key_press(),
                event("release", [arg("key", midi())]),
                event("control", [arg("number", midi()), arg("value", midi())]),
                event("pedal", [arg("down", Shape::Fixed(Type::Bool))]),
            ])
            .wired([FIRST_KEY, KEYS], &[]),
        kind("motion", "a motion detector")
            .reports(state("active", Shape::Fixed(Type::Bool)))
            .events([says("start", "active", true), says("stop", "active", false)])
            .wired(INPUT, BY_PIN),
        kind("contact", "a door or window contact")
            .reports(state("contact", names(&["open", "closed"])))
            .events([
                says("open", "contact", "open"),
                says("close", "contact", "closed"),
            ])
            .wired(INPUT, BY_PIN),
        kind("presence", "whether a person is at home")
            .reports(state("presence", names(&["home", "away"])))
            .events([
                says("arrive", "presence", "home"),
                says("leave", "presence", "away"),
            ])
            .wired(INPUT, &[]),
        sensor(
            "lux",
            "brightness of the surroundings, lx",
            0.0,
            1_000_000.0,
        ),
        sensor(
            "temperature",
            "temperature, degrees Celsius",
            -273.15,
            2_000.0,
        ),
        sensor("humidity", "relative humidity, %", 0.0, 100.0),
        sensor("pressure", "air pressure, hPa", 0.0, 2_000.0),
        measured(
            kind("analog", "any number"),
            "value",
            &Shape::Ranged(f64::NEG_INFINITY, f64::INFINITY),
        )
        .wired([PIN, I2C, UNIT, MIN, MAX], &[&["pin"], &["i2c"]]),
        kind("counter", "pulses of a meter")
            .reports(state("count", int(0.0, COUNT_MAX)))
            .reports(state("rate", number(0.0, f64::INFINITY)))
            .command("reset", EffectSpec::Momentary)
            .wired(INPUT, BY_PIN),
    ];
    all.into_iter().map(Arc::new).collect()
});

fn kind(name: &str, about: &str) -> Kind {
    Kind {
        name: name.into(),
        about: about.into(),
        consumer: false,
        fields: Vec::new(),
        events: Vec::new(),
        commands: Vec::new(),
        options: Vec::new(),
        wiring: &[],
    }
}

impl Kind {
    /// Fields that take a target: it is a consumer.
    fn takes(mut self, fields: impl IntoIterator<Item = FieldSpec>) -> Self {
        self.consumer = true;
        self.fields.extend(fields);
        self
    }

    fn reports(mut self, field: FieldSpec) -> Self {
        self.fields.push(field);
        self
    }

    fn events(mut self, events: impl IntoIterator<Item = EventSpec>) -> Self {
        self.events.extend(events);
        self
    }

    fn commands(mut self, commands: impl IntoIterator<Item = CommandSpec>) -> Self {
        self.commands.extend(commands);
        self
    }

    fn command(self, name: &str, effect: EffectSpec) -> Self {
        self.commands([command(name, effect)])
    }

    fn wired(
        mut self,
        options: impl IntoIterator<Item = OptionSpec>,
        wiring: &'static [&'static [&'static str]],
    ) -> Self {
        self.options.extend(options);
        self.wiring = wiring;
        self
    }
}

/// A sensor that reports one number by `changed`.
fn sensor(name: &str, about: &str, min: f64, max: f64) -> Kind {
    measured(kind(name, about), name, &number(min, max)).wired([I2C, ONE_WIRE, PIN], BY_BUS)
}

fn measured(kind: Kind, field: &str, shape: &Shape) -> Kind {
    let carried = CarriedSpec {
        field: field.into(),
        value: None,
    };
    kind.reports(state(field, shape.clone()))
        .events([EventSpec {
            name: "changed".into(),
            fields: vec![arg(field, shape.clone())],
            carries: vec![carried],
        }])
}

fn int(min: f64, max: f64) -> Shape {
    Shape::Fixed(Type::Int { min, max })
}

fn number(min: f64, max: f64) -> Shape {
    Shape::Fixed(Type::Number { min, max })
}

fn percent() -> Shape {
    int(0.0, 100.0)
}

fn midi() -> Shape {
    int(0.0, 127.0)
}

fn names(words: &[&str]) -> Shape {
    Shape::Fixed(Type::Enum(
        words.iter().map(|word| Arc::from(*word)).collect(),
    ))
}

fn target(name: &str, shape: Shape) -> FieldSpec {
    FieldSpec {
        name: name.into(),
        shape,
        settable: true,
    }
}

fn state(name: &str, shape: Shape) -> FieldSpec {
    FieldSpec {
        name: name.into(),
        shape,
        settable: false,
    }
}

fn arg(name: &str, shape: Shape) -> ArgSpec {
    ArgSpec {
        name: name.into(),
        shape,
        default: None,
    }
}

fn arg_or(name: &str, shape: Shape, default: f64) -> ArgSpec {
    ArgSpec {
        default: Some(default.into()),
        ..arg(name, shape)
    }
}

fn event(name: &str, fields: impl IntoIterator<Item = ArgSpec>) -> EventSpec {
    EventSpec {
        name: name.into(),
        fields: fields.into_iter().collect(),
        carries: Vec::new(),
    }
}

/// A keyboard without dynamics plays at the middle of the range.
fn key_press() -> EventSpec {
    event(
        "press",
        [arg("key", midi()), arg_or("velocity", midi(), 64.0)],
    )
}

/// An event whose name says a state.
fn says(name: &str, field: &str, value: impl Into<Value>) -> EventSpec {
    let carried = CarriedSpec {
        field: field.into(),
        value: Some(value.into()),
    };
    EventSpec {
        carries: vec![carried],
        ..event(name, [])
    }
}

fn command(name: &str, effect: EffectSpec) -> CommandSpec {
    CommandSpec {
        name: name.into(),
        args: Vec::new(),
        effect,
    }
}

fn set(field: &str, value: impl Into<Value>) -> EffectSpec {
    EffectSpec::Set(vec![(field.into(), value.into())])
}

fn on_off() -> [CommandSpec; 2] {
    [
        command("on", set("on", true)),
        command("off", set("on", false)),
    ]
}

fn dimmed() -> [FieldSpec; 2] {
    [
        target("on", Shape::Fixed(Type::Bool)),
        target("brightness", int(1.0, 100.0)),
    ]
}

fn dimmer_commands() -> Vec<CommandSpec> {
    let step = |name: &str, sign| CommandSpec {
        name: name.into(),
        // A knob that turns back says less than 0.
        args: vec![arg_or("step", int(-100.0, 100.0), 10.0)],
        effect: EffectSpec::Step("brightness".into(), sign),
    };
    let mut all = Vec::from(on_off());
    all.push(command("toggle", EffectSpec::Toggle("on".into())));
    all.extend([step("brighter", 1.0), step("dimmer", -1.0)]);
    all
}
