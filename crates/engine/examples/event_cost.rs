//! What one event costs in the engine from input to output, its decision record included: a house in which
//! each event fires one rule that writes one output. Run with `cargo run --release -p engine --example event_cost`.
#![expect(clippy::print_stdout, reason = "a measurement prints its table")]

use std::{hint::black_box, sync::Arc, time::Instant};

use engine::{Effects, Engine, Input};
use mapping::program::{
    Action, Binary, Carrier, Channel, ChannelIx, Condition, Deliver, Device, DeviceIx, Event,
    EventIx, Expr, Field, Mode, Operand, Origin, Program, Rule, Slot, SlotIx, Trigger,
};
use types::{DeviceId, Now, Type, Value};

const EVENTS: usize = 500_000;
const ROUNDS: usize = 7;

fn main() {
    println!("  rules  channels  ns/event (median of {ROUNDS}, min, max)");
    for rules in [10, 1_000, 10_000, 100_000] {
        for channels in [1, (rules / 10).clamp(1, 1_000)] {
            let mut rounds = measure(rules, channels);
            rounds.sort_by(f64::total_cmp);
            let (median, min, max) = (rounds[ROUNDS / 2], rounds[0], rounds[ROUNDS - 1]);
            println!("{rules:>7} {channels:>9} {median:>9.0} {min:>6.0} {max:>6.0}");
        }
    }
}

fn measure(rules: usize, channels: usize) -> Vec<f64> {
    let mut now = Now::default();
    let mut engine = Engine::new(Arc::new(house(rules, channels)), now);
    // A burst, not a house: the fuse would cut it.
    engine.set_fuse(u32::MAX);
    let mut effects = Effects::default();
    let mut fired = 0;
    let rounds = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        for n in 0..EVENTS {
            now.at.0 += 100;
            now.wall.0 += 100;
            let rule = n * 7_919 % rules;
            let key = (rule / channels) as f64;
            let input = Input::Event {
                event: EventIx((rule % channels) as u32 + 2),
                fields: vec![key.into(), ((n % 100) as f64).into()],
                produced_ms: None,
            };
            effects.clear();
            engine.handle(now, input, &mut effects);
            fired += black_box(&effects).outputs.len();
        }
        start.elapsed().as_secs_f64() * 1e9 / EVENTS as f64
    });
    let rounds = rounds.collect();
    assert_eq!(fired, EVENTS * ROUNDS, "each event fires one rule");
    rounds
}

/// Rule n waits for channel n modulo `channels` and the key n divided by it, and sets one of 100 lamps.
fn house(rules: usize, channels: usize) -> Program {
    let mut program = Program::default();
    program.devices.push(Device {
        name: "d".into(),
        id: DeviceId(1),
        board: None,
        room: None,
        carrier: Carrier::Own,
        channels: Vec::new(),
        online: EventIx(0),
        offline: EventIx(1),
        role: "{}".into(),
        origin: Origin::default(),
    });
    for name in ["online", "offline"] {
        program.events.push(event(name, None));
    }
    for n in 0..channels {
        let mut keys = channel("keyboard");
        keys.events.push(EventIx(n as u32 + 2));
        program.channels.push(keys);
        let mut press = event("press", Some(ChannelIx(n as u32)));
        press.fields = vec![field("key"), field("velocity")];
        program.events.push(press);
    }
    for n in 0..100 {
        let mut lamp = channel("switch");
        let ix = ChannelIx(program.channels.len() as u32);
        lamp.slots.push(SlotIx(n));
        program.channels.push(lamp);
        program.slots.push(Slot {
            channel: ix,
            name: "on".into(),
            ty: Type::Bool,
            settable: true,
        });
    }
    let rule = |n| rule(n, channels);
    program.rules = (0..rules).map(rule).collect();
    program
}

fn rule(n: usize, channels: usize) -> Rule {
    let compare = |operator, field, number: f64| {
        let sides = (Expr::EventField(field), Expr::Const(Value::Number(number)));
        Expr::Binary(operator, Box::new(sides))
    };
    let parts = [
        compare(Binary::Eq, 0, (n / channels) as f64),
        compare(Binary::Ge, 1, 0.0),
    ];
    let lamp = (n % 100) as u32;
    Rule {
        name: "rule".into(),
        origin: Origin::default(),
        enabled: true,
        triggers: [Trigger::Event {
            event: EventIx((n % channels) as u32 + 2),
            fields: [0, 1].into(),
        }]
        .into(),
        condition: Some(Condition {
            expr: Expr::And(parts.into()),
            text: "".into(),
        }),
        actions: [Action::Set {
            channel: ChannelIx(channels as u32 + lamp),
            fields: [(SlotIx(lamp), Operand::Const(n.is_multiple_of(2).into()))].into(),
            fade: None,
            bound: None,
        }]
        .into(),
        limit: None,
        mode: Mode::default(),
        after_downtime: None,
        fingerprint: 0,
    }
}

fn channel(kind: &str) -> Channel {
    Channel {
        name: kind.into(),
        device: DeviceIx(0),
        kind: kind.into(),
        consumer: kind == "switch",
        slots: Vec::new(),
        events: Vec::new(),
        commands: Vec::new(),
        stale_after: None,
        deliver: Deliver::Latest,
        enforce: false,
        codec: None,
        derives_events: false,
    }
}

fn event(name: &str, channel: Option<ChannelIx>) -> Event {
    Event {
        device: DeviceIx(0),
        channel,
        name: name.into(),
        fields: Vec::new(),
        carries: Vec::new(),
    }
}

fn field(name: &str) -> Field {
    Field {
        name: name.into(),
        ty: Type::Int { min: 0.0, max: 1e6 },
        default: None,
    }
}
