//! What people write for a moment or a span: any text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use replay::When;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let zone = fuzz::house_with("").expect("it checks").home.zone();
    match When::parse(text, fuzz::now(0).wall, &zone) {
        Ok(_) => {}
        Err(why) => assert!(!why.to_string().is_empty()),
    }
    let _ = mapping::duration(text);
});
