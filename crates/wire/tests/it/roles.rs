//! Roles: their bytes, each limit, and what is refused.

use proptest::prelude::*;
use wire::{
    Buses, Channel, ChannelKind, Fallback, Options, Pin, Pins, Pull, ROLE_LEN_MAX, Role, RoleError,
};

use crate::{hex, unhex};

fn encode(buses: &Buses, channels: &[Channel]) -> Result<Vec<u8>, RoleError> {
    let mut out = [0; ROLE_LEN_MAX];
    let len = Role::encode(buses, channels, &mut out)?;
    Ok(out[..len].to_vec())
}

fn plain(kind: ChannelKind) -> Channel {
    let options = Options::default();
    Channel { kind, options }
}

/// What `text` is refused with.
fn check(text: &str, expected: &RoleError) {
    assert_eq!(Role::decode(&unhex(text)).as_ref(), Err(expected), "{text}");
}

#[test]
fn a_role_has_the_bytes_that_are_written_down() {
    let buses = Buses {
        i2c: Some((Pin::number(6), Pin::number(7))),
        uart: Some((Pin::parse("PC13").expect("a pin"), None)),
    };
    let keys = Options {
        debounce_ms: Some(5),
        rows: Pins::new([1, 2].map(Pin::number)).expect("two"),
        columns: Pins::new([3].map(Pin::number)).expect("one"),
        first_key: Some(36),
        ..Options::default()
    };
    let lamp = Options {
        when_lost: Fallback::Off,
        gamma: Some(2.5),
        pin: Some(Pin::number(4)),
        ..Options::default()
    };
    let channels = [
        Channel {
            kind: ChannelKind::Keyboard,
            options: keys,
        },
        Channel {
            kind: ChannelKind::Dimmer,
            options: lamp,
        },
        plain(ChannelKind::Midi),
    ];
    let bytes = encode(&buses, &channels).expect("a role");
    assert_eq!(
        hex(&bytes),
        "8301a200820607018219012df683\
         8208a40705168201021781031818182482\
         01a30101040409fa40200000\
         8209a0"
            .replace(char::is_whitespace, "")
    );
    let role = Role::decode(&bytes).expect("it was written");
    assert_eq!(role.buses(), buses);
    assert_eq!(role.channels().collect::<Vec<_>>(), channels);
}

#[test]
fn sixty_four_channels_fit_and_one_more_does_not() {
    let lamp = Options {
        at_boot: Fallback::On,
        when_lost: Fallback::Off,
        report_every_ms: Some(u32::MAX),
        report_change: Some(0.1),
        pin: Some(Pin::number(200)),
        invert: true,
        pwm_hz: Some(u32::MAX),
        gamma: Some(2.2),
        min: Some(5.0),
        max: Some(90.0),
        ..Options::default()
    };
    let lamp = Channel {
        kind: ChannelKind::Dimmer,
        options: lamp,
    };
    let bytes = encode(&Buses::default(), &[lamp; 64]).expect("they fit");
    assert_eq!(Role::decode(&bytes).map(|role| role.len()), Ok(64));
    let what = "the channels";
    let many = encode(&Buses::default(), &[plain(ChannelKind::Switch); 65]);
    assert_eq!(many, Err(RoleError::Limit { what }));
    // 65 channels that somebody wrote all the same.
    check(
        &format!("8301a09841{}", "8200a0".repeat(65)),
        &RoleError::Limit { what },
    );
}

#[test]
fn what_takes_more_than_four_parts_is_refused_both_ways() {
    let pins = Pins::new([Pin::from_code(300); 16].map(|pin| pin.expect("a port's")));
    let rows = pins.expect("sixteen");
    let options = Options {
        rows,
        columns: rows,
        ..Options::default()
    };
    let wide = Channel {
        kind: ChannelKind::Keyboard,
        options,
    };
    assert_eq!(encode(&Buses::default(), &[wide; 64]), Err(RoleError::Room));
    let what = "the bytes of the role";
    assert_eq!(
        Role::decode(&[0; ROLE_LEN_MAX + 1]),
        Err(RoleError::Limit { what })
    );
}

#[test]
fn what_is_of_a_later_release_is_named() {
    check("8302a080", &RoleError::Layout { found: 2 });
    check(
        "8301a0828200a08213a0",
        &RoleError::Kind {
            channel: 1,
            found: 19,
        },
    );
    check(
        "8301a0818200a1181c00",
        &RoleError::Option {
            channel: 0,
            found: 28,
        },
    );
    check("8301a1020080", &RoleError::Bus);
}

#[test]
fn options_come_once_and_in_order_with_a_value_that_they_take() {
    let option = |found| RoleError::Option { channel: 0, found };
    check("8301a0818200a204010402", &option(4));
    check("8301a0818200a204010101", &option(1));
    let value = |option| RoleError::Value { channel: 0, option };
    check("8301a0818200a10003", &value(0));
    check("8301a0818200a10603", &value(6));
    check("8301a0818200a10419ffff", &value(4));
    check("8301a0818200a109f97c00", &value(9));
    check("8301a0818200a11680", &value(22));
    check(
        &format!("8301a0818200a11691{}", "01".repeat(17)),
        &value(22),
    );
    check("8301a0818200a105f6", &RoleError::Cbor);
    check("8301a20182010200820102", &RoleError::Bus);
    check("8301a100820102", &RoleError::Cbor);
    check("8301a1008201f680", &RoleError::Bus);
}

#[test]
fn nothing_may_follow_and_nothing_may_lack() {
    let bytes = encode(&Buses::default(), &[plain(ChannelKind::Buzzer); 3]).expect("a role");
    for len in 0..bytes.len() {
        assert_eq!(Role::decode(&bytes[..len]), Err(RoleError::Cbor), "{len}");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(Role::decode(&longer), Err(RoleError::Trailing));
    // Lengths that are not said, or that nobody could fill.
    check("8301a09fff", &RoleError::Cbor);
    check("8301a0818200bfff", &RoleError::Cbor);
    check("8301a0818200bbffffffffffffffff", &RoleError::Cbor);
}

#[test]
fn a_number_that_is_none_is_not_written() {
    let options = Options {
        gamma: Some(f64::NAN),
        ..Options::default()
    };
    let lamp = Channel {
        kind: ChannelKind::Dimmer,
        options,
    };
    let value = RoleError::Value {
        channel: 0,
        option: 9,
    };
    assert_eq!(encode(&Buses::default(), &[lamp]), Err(value));
}

fn pin() -> impl Strategy<Value = Pin> {
    (0_u16..672).prop_filter_map("a pin", Pin::from_code)
}

fn pins() -> impl Strategy<Value = Pins> {
    prop::collection::vec(pin(), 0..=16).prop_filter_map("up to 16", Pins::new)
}

fn fallback() -> impl Strategy<Value = Fallback> {
    prop::sample::select(vec![Fallback::Keep, Fallback::Off, Fallback::On])
}

fn number() -> impl Strategy<Value = Option<f64>> {
    prop::option::of(prop_oneof![
        -1e9..1e9_f64,
        (-100_i32..100).prop_map(f64::from),
        Just(0.1),
    ])
}

prop_compose! {
    fn behaviour()(
        at_boot in fallback(),
        when_lost in fallback(),
        report_every_ms: Option<u32>,
        report_change in number(),
        debounce_ms: Option<u16>,
        pwm_hz: Option<u32>,
        gamma in number(),
        min in number(),
        max in number(),
        travel_ms: Option<u32>,
        pixels: Option<u16>,
    ) -> Options {
        Options {
            at_boot, when_lost, report_every_ms, report_change, debounce_ms, pwm_hz, gamma, min, max,
            travel_ms, pixels, ..Options::default()
        }
    }
}

prop_compose! {
    fn options()(
        behaviour in behaviour(),
        single in prop::array::uniform10(prop::option::of(pin())),
        rows in pins(),
        columns in pins(),
        bytes: [Option<u8>; 3],
        pull in prop::option::of(prop::sample::select(vec![Pull::Up, Pull::Down, Pull::None])),
        invert: bool,
    ) -> Options {
        let [pin, red, green, blue, white, up, down, a, b, one_wire] = single;
        let [first_key, keys, i2c] = bytes;
        Options {
            pin, red, green, blue, white, up, down, a, b, one_wire, rows, columns, first_key, keys,
            i2c, pull, invert, ..behaviour
        }
    }
}

fn channel() -> impl Strategy<Value = Channel> {
    let kind = prop::sample::select(ChannelKind::ALL.to_vec());
    (kind, options()).prop_map(|(kind, options)| Channel { kind, options })
}

fn buses() -> impl Strategy<Value = Buses> {
    let i2c = prop::option::of((pin(), pin()));
    let uart = prop::option::of((pin(), prop::option::of(pin())));
    (i2c, uart).prop_map(|(i2c, uart)| Buses { i2c, uart })
}

proptest! {
    #[test]
    fn whatever_is_written_is_read_again(buses in buses(), channels in prop::collection::vec(channel(), 0..12)) {
        let bytes = encode(&buses, &channels).expect("twelve fit");
        let role = Role::decode(&bytes).expect("it was written");
        prop_assert_eq!(role.buses(), buses);
        prop_assert_eq!(role.len() as usize, channels.len());
        prop_assert_eq!(role.channels().collect::<Vec<_>>(), channels);
    }

    #[test]
    fn damaged_roles_are_refused_or_read_whole(
        channels in prop::collection::vec(channel(), 1..6),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = encode(&Buses::default(), &channels).expect("six fit");
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(role) = Role::decode(&bytes) {
            prop_assert_eq!(role.channels().count(), usize::from(role.len()));
        }
    }
}
