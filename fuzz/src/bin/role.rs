//! A device's role: any bytes. What is read has as many channels as it says, and is written again as it was meant.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::Role;

fuzz_target!(|bytes: &[u8]| {
    let Ok(role) = Role::decode(bytes) else {
        return;
    };
    let channels: Vec<_> = role.channels().collect();
    assert_eq!(channels.len(), usize::from(role.len()));
    let mut out = [0; wire::ROLE_LEN_MAX];
    let len = Role::encode(&role.buses(), &channels, &mut out).expect("it came in one");
    let again = Role::decode(&out[..len]).expect("it was written");
    assert_eq!(again.buses(), role.buses());
    assert_eq!(again.channels().collect::<Vec<_>>(), channels);
});
