//! A device's role on the link: what of its own tables gets there, for every kind, and nothing else.

use std::fmt::Write as _;

use dispatcher::role::{self, RoleError};
use mapping::kinds::{self, Kind, OptionSpec, Takes, Usage};
use wire::{Buses, Channel, ChannelKind, Fallback, Options, Pin, Pins, Pull, Role};

use crate::house::program;

fn encode(text: &str) -> Result<Vec<u8>, RoleError> {
    let program = program(text);
    let device = program.names.devices["hall"];
    role::encode(&program, device)
}

fn channels(text: &str) -> Vec<Channel> {
    let bytes = encode(text).expect("firmware can do this");
    Role::decode(&bytes).unwrap().channels().collect()
}

/// A house with one device, without a board: any pin will do.
fn hall(io: &str) -> String {
    format!("allow = [\"device-unused\"]\n[device.hall]\nid = 21\n{io}\n")
}

/// A value that an option takes and that is not its default; each pin is another one.
fn value(option: &OptionSpec, pins: &mut impl Iterator<Item = u8>) -> String {
    let mut pin = || pins.next().unwrap();
    match option.takes {
        Takes::Pin => pin().to_string(),
        Takes::Pins => format!("[{}, {}]", pin(), pin()),
        Takes::Bool => "true".to_owned(),
        Takes::Int(min, _) => (min + 1).to_string(),
        Takes::Number if option.name == "max" => "170.5".to_owned(),
        Takes::Number => "2.5".to_owned(),
        Takes::Word(words) => format!("{:?}", words.last().unwrap()),
        Takes::Duration => "\"90s\"".to_owned(),
        Takes::I2c => "0x23".to_owned(),
        Takes::Text => "\"words\"".to_owned(),
        Takes::EventWords | Takes::FieldPlaces => unreachable!("of foreign devices alone"),
    }
}

/// The options of a kind that its device needs to know, and that firmware uses.
fn needed(kind: &Kind) -> Vec<&OptionSpec> {
    let common = kinds::COMMON.iter().filter(|option| match option.name {
        "at_boot" | "when_lost" => kind.consumer,
        _ => !kind.fields.is_empty(),
    });
    let all = common.chain(&kind.options);
    all.filter(|option| option.usage == Usage::Role && option.name != "unit")
        .collect()
}

#[test]
fn every_built_in_kind_has_a_number() {
    for kind in kinds::ALL.iter() {
        let known = ChannelKind::find(&kind.name).expect(&kind.name);
        assert_eq!(known.is_consumer(), kind.consumer, "{}", kind.name);
    }
    assert_eq!(kinds::ALL.len(), ChannelKind::ALL.len());
}

#[test]
fn every_option_of_every_kind_that_a_device_needs_gets_through() {
    for kind in kinds::ALL.iter() {
        let plain = channels(&hall(&format!("io.it = {{ kind = \"{}\" }}", kind.name)));
        let expected = ChannelKind::find(&kind.name);
        assert_eq!(plain[0].options, Options::default());
        assert_eq!(Some(plain[0].kind), expected);
        let mut all = String::new();
        let mut pins = 1..;
        for option in needed(kind) {
            let value = value(option, &mut pins);
            let io = format!(
                "io.it = {{ kind = \"{}\", {} = {value} }}",
                kind.name, option.name
            );
            let with = channels(&hall(&io));
            assert_ne!(with, plain, "{}.{}", kind.name, option.name);
            write!(all, ", {} = {value}", option.name).unwrap();
        }
        let all = channels(&hall(&format!(
            "io.it = {{ kind = \"{}\"{all} }}",
            kind.name
        )));
        assert_eq!(all.len(), 1, "{}", kind.name);
    }
}

#[test]
fn a_role_is_what_the_tables_say() {
    let text = hall(
        r#"
board = "nucleo-f429zi"
allow = ["pin-shared"]
i2c   = { sda = "PB9", scl = "PB8" }
uart  = { rx = "PD6" }
io.lamp  = { kind = "dimmer", pin = "PC6", at_boot = "off", when_lost = "keep", gamma = 2.2, report_every = "1h", note = "old" }
io.keys  = { kind = "keyboard", rows = ["PE0", "PE1"], columns = ["PE2"], first_key = 36, debounce_ms = 3 }
io.bell  = { kind = "button", pin = "PC13", pull = "up", invert = true }
io.light = { kind = "lux", i2c = 0x23, report_change = 5, stale_after = "1h" }
io.load  = { kind = "analog", pin = "PA3", unit = "W", min = 0, max = 400 }
io.blind = { kind = "cover", up = "PF0", down = "PF1", travel = "22s", when_lost = "off", enforce = true }
io.piano = { kind = "midi" }
"#,
    );
    let bytes = encode(&text).expect("firmware can do this");
    let role = Role::decode(&bytes).unwrap();
    let pin = |text| Pin::parse(text).unwrap();
    let buses = Buses {
        i2c: Some((pin("PB9"), pin("PB8"))),
        uart: Some((pin("PD6"), None)),
    };
    assert_eq!(role.buses(), buses);
    let bell = Options {
        pin: Some(pin("PC13")),
        pull: Some(Pull::Up),
        invert: true,
        ..Options::default()
    };
    let blind = Options {
        up: Some(pin("PF0")),
        down: Some(pin("PF1")),
        travel_ms: Some(22_000),
        when_lost: Fallback::Off,
        ..Options::default()
    };
    let keys = Options {
        rows: Pins::new([pin("PE0"), pin("PE1")]).unwrap(),
        columns: Pins::new([pin("PE2")]).unwrap(),
        first_key: Some(36),
        debounce_ms: Some(3),
        ..Options::default()
    };
    let lamp = Options {
        pin: Some(pin("PC6")),
        at_boot: Fallback::Off,
        gamma: Some(2.2),
        report_every_ms: Some(3_600_000),
        ..Options::default()
    };
    let light = Options {
        i2c: Some(0x23),
        report_change: Some(5.0),
        ..Options::default()
    };
    let load = Options {
        pin: Some(pin("PA3")),
        min: Some(0.0),
        max: Some(400.0),
        ..Options::default()
    };
    let expected = [
        (ChannelKind::Button, bell),
        (ChannelKind::Cover, blind),
        (ChannelKind::Keyboard, keys),
        (ChannelKind::Dimmer, lamp),
        (ChannelKind::Lux, light),
        (ChannelKind::Analog, load),
        (ChannelKind::Midi, Options::default()),
    ];
    let expected = expected.map(|(kind, options)| Channel { kind, options });
    assert_eq!(role.channels().collect::<Vec<_>>(), expected);
}

#[test]
fn nothing_of_the_house_is_in_it_but_the_drivers() {
    let bytes = encode(&hall(
        "room = \"bedroom\"\nio.secret = { kind = \"switch\", note = \"safe\" }",
    ));
    assert_eq!(bytes.unwrap(), [0x83, 1, 0xA0, 0x81, 0x82, 0, 0xA0]);
}

#[test]
fn lines_that_moved_are_the_same_role() {
    let (a, b) = (
        "io.a = { kind = \"switch\" }",
        "io.b = { kind = \"button\" }",
    );
    let both = encode(&hall(&format!("{a}\n{b}"))).unwrap();
    assert_eq!(encode(&hall(&format!("{b}\n{a}"))).unwrap(), both);
    let program = program(&hall(&format!("{b}\n{a}")));
    let places = role::places(&program, program.names.devices["hall"]);
    let names: Vec<&str> = places.iter().map(|ix| &*program[*ix].name).collect();
    assert_eq!(names, ["a", "b"]);
}

#[test]
fn what_firmware_cannot_do_is_said_by_name() {
    let siren = "[kind.siren]\ntarget.on = \"bool\"\n";
    let own = encode(&format!(
        "{}{siren}",
        hall("io.roof = { kind = \"siren\" }")
    ));
    let error = own.unwrap_err().to_string();
    assert_eq!(
        error,
        "firmware has no driver for `siren`, the kind of `roof`"
    );
    let named = encode(&hall("io.lamp = { kind = \"switch\", pin = \"GPIO4\" }"));
    let error = named.unwrap_err().to_string();
    assert_eq!(
        error,
        "`GPIO4` of `lamp` is no pin that firmware knows: write 4, or \"PC13\""
    );
    let mut rows = String::new();
    for channel in 0..65 {
        writeln!(rows, "io.c{channel} = {{ kind = \"switch\" }}").unwrap();
    }
    let what = "the channels";
    assert_eq!(
        encode(&hall(&rows)),
        Err(RoleError::Limit(wire::RoleError::Limit { what }))
    );
}
