//! The blocklist's file: any text. It is a list or complaints, and one more block is added to what was read.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mapping::blocklist;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let read = blocklist::parse("blocklist.toml", text);
    let _ = mapping::render(&read.sources, &read.diagnostics, false);
    let blocks = read.blocks.unwrap_or_default();
    let Some(first) = blocks.first() else {
        return;
    };
    if let Ok(text) = blocklist::add(text, first) {
        let again = blocklist::parse("blocklist.toml", &text);
        assert!(again.blocks.expect("it reads").contains(first), "{text}");
        let left = blocklist::remove(&text, std::slice::from_ref(&first.subject));
        if let Ok(Some(text)) = left {
            let left = blocklist::parse("blocklist.toml", &text);
            let mut left = left.blocks.expect("it reads").into_iter();
            assert!(!left.any(|block| block.subject == first.subject), "{text}");
        }
    }
});
