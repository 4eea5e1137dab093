//! What the broker kept: any bytes are facts or an error, and what was read is written and read again as it was.

#![no_main]

use broker::Kept;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut kept = Kept::default();
    // What stands before the fact at fault counts.
    let _ = kept.apply(bytes);
    let mut again = Kept::default();
    assert_eq!(again.apply(&kept.facts()), Ok(()));
    assert_eq!(again, kept);
});
