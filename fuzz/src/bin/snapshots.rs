//! Snapshots: any bytes. A house goes on from what is read, and its own snapshot is read again.

#![no_main]

use dispatcher::{Config, Dispatcher, Effects, Input};
use libfuzzer_sys::fuzz_target;

const RULES: &str = r#"
[rule.on]
when = "hall.motion.start"
do   = ["hall.lamp.on", { start = "off", for = "5m" }]
[rule.off]
when = { timer = "off" }
do   = "hall.lamp.off"
[rule.dark]
when = { holds = "state.hall.lux < 20", for = "1m" }
do   = ["desk.lamp.on", { wait = "3s" }, "desk.lamp.off"]
[rule.early]
when = { at = "06:30" }
do   = "hall.lamp.on"
[rule.twice]
when = { gesture = "double", on = "desk.button" }
do   = "desk.lamp.toggle"
[rule.tune]
when = { chord = "desk.keys.press", key = [1, 2] }
do   = "desk.lamp.on"
"#;

fuzz_target!(|bytes: &[u8]| {
    let program = fuzz::house_with(RULES).expect("it checks");
    let restored = Dispatcher::restore(program.clone(), Config::default(), bytes, fuzz::now(0));
    let Ok((mut dispatcher, _)) = restored else {
        return;
    };
    let mut effects = Effects::default();
    dispatcher.apply(fuzz::now(600), Input::Resumed, &mut effects);
    effects.clear();
    dispatcher.apply(fuzz::now(1_200), Input::Tick, &mut effects);
    let state = dispatcher.state();
    let again = Dispatcher::restore(program, Config::default(), &state, fuzz::now(1_200));
    assert_eq!(again.expect("it was written").0.state(), state);
});
