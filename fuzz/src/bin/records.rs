//! The journal's records: any bytes. What is read can be applied, and is written again as the same bytes mean it.

#![no_main]

use dispatcher::{Blocklist, Config, Dispatcher, Effects, Input, Observed};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let program = fuzz::house_with("").expect("it checks");
    if let Ok(observed) = Observed::decode(&program, bytes) {
        let mut again = Vec::new();
        observed.encode(&program, &mut again);
        assert_eq!(
            Observed::decode(&program, &again).expect("it was written"),
            observed
        );
    }
    let Ok(input) = Input::decode(&program, bytes) else {
        return;
    };
    let mut again = Vec::new();
    input.encode(&program, &mut again);
    assert_eq!(
        Input::decode(&program, &again).expect("it was written"),
        input
    );
    let (config, blocks) = (Config::default(), Blocklist::default());
    let mut dispatcher = Dispatcher::new(program, config, blocks, fuzz::now(0));
    dispatcher.apply(fuzz::now(1), input, &mut Effects::default());
});
