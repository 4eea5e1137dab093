//! What modules say: any payload on any topic below `iot/` is an input or a refusal, and an input can be applied.

#![no_main]

use dispatcher::{Blocklist, Config, Dispatcher, Effects, Message, Publisher};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let program = fuzz::house_with("").expect("it checks");
    let mut dispatcher = Dispatcher::new(
        program,
        Config::default(),
        Blocklist::default(),
        fuzz::now(0),
    );
    let mut effects = Effects::default();
    for (second, said) in (1..).zip(bytes.split(|byte| *byte == b'\n').take(8)) {
        let split = said
            .iter()
            .position(|byte| *byte == b' ')
            .unwrap_or(said.len());
        let (topic, payload) = said.split_at(split);
        let Ok(topic) = std::str::from_utf8(topic) else {
            continue;
        };
        for name in ["hall", "desk"] {
            let device = dispatcher.program().device(name).expect("the house has it");
            let message = Message {
                topic: &format!("iot/{name}/{topic}"),
                payload,
                retain: payload.len() % 2 == 0,
                will: (payload.len() % 3 == 0).then_some(dispatcher::Will::Ending),
            };
            let now = fuzz::now(second);
            if let Ok(admitted) = dispatcher.admit(now, &Publisher::Device(device), &message)
                && let Some(input) = admitted.input
            {
                effects.clear();
                dispatcher.apply(now, input, &mut effects);
            }
        }
    }
});
