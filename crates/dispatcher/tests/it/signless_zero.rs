//! -0.0 is 0, whichever way it comes in and whatever is computed: a journal says 0, and a replay must come to the same.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use dispatcher::{Config, Dispatcher, Effects, Input, Mark, Outputs, Publisher, Said, Subject};
use types::DeviceId;
use wire::{Event, Fields, RoleId, State};

use crate::house::{Rig, program};

const YARD: &str = r#"
format = 1

[device.yard]
id = 1
io.temp = { kind = "temperature" }
io.vane = { kind = "servo", min = -90, max = 90 }
io.key  = { kind = "button" }

[device.cellar]
id = 2
io.temp = { kind = "temperature" }

[device.attic]
id = 3
mqtt = { state = "z2m/attic" }
io.temp = { kind = "temperature", from = "/climate/temperature" }

[var]
x = { kind = "number", start = -0.0 }
y = { kind = "number", start = 0 }

[rule.follow]
when = ["yard.temp.changed", "cellar.temp.changed", "attic.temp.changed"]
do   = [{ set = "yard.vane", angle = "${event.temperature}" }, { var = "x", to = "${-event.temperature}" }]

[rule.computed]
when = "yard.key.press"
do   = [
  { var = "y", to = "${var.x * -1}" }, { set = "yard.vane", angle = "${-var.x}" },
  { var = "x", to = "${0 * -1}" }, { var = "x", to = "${round(var.x - 0.3)}" }, { var = "y", to = "${-0.0}" },
  { set = "yard.vane", angle = "${var.x % -1}" }, { set = "yard.vane", angle = -0.0 },
]
"#;

fn rig() -> Rig {
    let mut rig = Rig::of(program(YARD), Config::default());
    rig.dispatcher
        .seal(BTreeSet::from([Subject::Id(DeviceId(2))]));
    for device in ["yard", "cellar"] {
        rig.connect(device);
    }
    rig.pass(Duration::from_secs(10));
    rig
}

fn takes(rig: &mut Rig, way: &str, input: Option<Input>) {
    let input = input.unwrap_or_else(|| panic!("{way} is taken"));
    let said = format!("{input:?}");
    assert!(!said.contains("-0.0"), "{way}: {said}");
    let mut effects = Effects::default();
    rig.take(input, &mut effects);
    let came = format!("{effects:?}");
    assert!(!came.contains("-0.0"), "{way}: {came}");
}

#[test]
fn zero_has_no_sign_whichever_way_it_comes_in_and_a_replay_comes_to_the_same() {
    let mut rig = rig();
    let (snapshot, from) = (rig.dispatcher.state(), rig.journal.len());
    let then = rig.now;
    let yard = Publisher::Device(rig.device("yard"));
    let attic = Publisher::Device(rig.device("attic"));
    let anna = Publisher::Person("anna".into());
    let event = r#"{"event":"changed","temperature":-0.0}"#;
    for (from, topic, payload) in [
        (&yard, "iot/yard/temp/event", event),
        (&yard, "iot/yard/temp/event", &event.replace("-0.0", "-0")),
        (&yard, "iot/yard/temp/event", &event.replace("-0.0", "-0e3")),
        (&yard, "iot/yard/temp/state", r#"{"temperature":-0.0}"#),
        (&yard, "iot/yard/vane/state", "-0.0"),
        (&attic, "z2m/attic", r#"{"climate":{"temperature":-0.0}}"#),
        (&anna, "iot/yard/vane/set", "-0.0"),
        (&anna, "iot/yard/vane/set", r#"{"angle":-0.0}"#),
        (&yard, "iot/yard/key/event", "press"),
    ] {
        let way = format!("{topic} {payload}");
        let admitted = rig.admit(from, topic, payload);
        let admitted = admitted.unwrap_or_else(|refusal| panic!("{way}: {refusal}"));
        takes(&mut rig, &way, admitted.input);
        rig.pass(Duration::from_secs(1));
    }
    let fields = [("temperature", wire::Value::Number(-0.0))];
    let fields = Fields::new(&fields).expect("they are few");
    let state = State {
        rev: 1,
        role: RoleId::default(),
        channel: 0,
        fields,
    };
    let event = Event {
        seq: 1,
        role: RoleId::default(),
        channel: 0,
        name: "changed",
        fields,
        t_ms: 12,
    };
    let cellar = rig.channel("cellar.temp");
    for said in [Said::State(state), Said::Event { event, boot: 7 }] {
        let admitted = rig.dispatcher.admit_sealed(rig.now, cellar, &said);
        takes(&mut rig, "sealed", admitted.expect("it is taken"));
    }

    let restored =
        Dispatcher::restore(Arc::clone(&rig.program), Config::default(), &snapshot, then);
    let (mut again, _) = restored.expect("it is a snapshot");
    for ((now, record), hash) in rig.journal.iter().zip(&rig.hashes).skip(from) {
        let input = Input::decode(&rig.program, record).expect("it is an input");
        let (mut effects, mut outputs) = (Effects::default(), Outputs::default());
        again.apply(*now, input.clone(), &mut effects);
        outputs.take(&effects, Mark::default());
        assert_eq!(outputs.finish(), *hash, "{input:?}");
    }
    assert!(again.state() == rig.dispatcher.state());
}
