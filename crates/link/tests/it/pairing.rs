//! Pairing: two ends and two persons, somebody in the middle, another Noise, and whoever is no end.

use blake2::{Blake2s256, Digest};
use link::{
    ATTEMPTS_MAX, Code, Granted, Joining, Millis, Own, PairingError, PairingEvent, PairingWindow,
    REVEAL_MS, WINDOW_MS,
};
use proptest::{
    prelude::{ProptestConfig, any, prop, prop_assert, proptest},
    test_runner::{RngAlgorithm, TestRng},
};
use rand_core::RngCore;
use wire::{PublicKey, Secret, Site};

use crate::house::Dice;

const NOW: Millis = Millis(1_000);

fn rng() -> Dice {
    Dice(crate::rng())
}

fn bytes<const N: usize>(rng: &mut Dice) -> [u8; N] {
    crate::bytes(&mut rng.0)
}

fn own(rng: &mut Dice) -> Own {
    Own::new(Secret::new(bytes(rng)))
}

fn window(rng: &mut Dice) -> PairingWindow {
    let psk = Secret::new(bytes(rng));
    let granted = Granted {
        psk,
        site: Site(*b"a house!"),
    };
    PairingWindow::open(own(rng), granted, NOW)
}

fn joining(rng: &mut Dice) -> Joining {
    let own = own(rng);
    Joining::new(&own, NOW, rng).expect("sound keys")
}

fn said(device: &mut Joining, now: Millis) -> Option<Vec<u8>> {
    let mut out = [0; 120];
    let len = device.poll_transmit(now, &mut out)?;
    Some(out[..len].to_vec())
}

fn answered(window: &mut PairingWindow, now: Millis) -> Option<Vec<u8>> {
    let mut out = [0; 120];
    let len = window.poll_transmit(now, &mut out)?;
    Some(out[..len].to_vec())
}

/// Carries frames both ways until nobody has one.
fn carry(device: &mut Joining, window: &mut PairingWindow, now: Millis, rng: &mut Dice) {
    loop {
        let mut quiet = true;
        while let Some(frame) = said(device, now) {
            window.handle(now, &frame, rng);
            quiet = false;
        }
        while let Some(frame) = answered(window, now) {
            device.handle(now, &frame);
            quiet = false;
        }
        if quiet {
            return;
        }
    }
}

fn code(event: Option<PairingEvent>) -> Code {
    match event {
        Some(PairingEvent::Compare(code)) => code,
        other => panic!("{other:?}"),
    }
}

fn paired(event: Option<PairingEvent>) -> (PublicKey, Granted) {
    match event {
        Some(PairingEvent::Paired { peer, granted }) => (peer, granted),
        other => panic!("{other:?}"),
    }
}

fn failed(event: Option<PairingEvent>) -> PairingError {
    match event {
        Some(PairingEvent::Failed(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// Both ends ask their persons.
fn comparing(rng: &mut Dice) -> (Joining, PairingWindow) {
    let (mut device, mut window) = (joining(rng), window(rng));
    carry(&mut device, &mut window, NOW, rng);
    assert_eq!(code(device.poll_event()), code(window.poll_event()));
    (device, window)
}

#[test]
fn two_ends_whose_persons_say_yes_hold_each_others_keys_and_one_secret() {
    let rng = &mut rng();
    for device_first in [true, false] {
        let (device_own, house_own) = (own(rng), own(rng));
        let mut device = Joining::new(&device_own, NOW, rng).expect("sound keys");
        let granted = Granted {
            psk: Secret::new([7; 32]),
            site: Site([8; 8]),
        };
        let mut window = PairingWindow::open(house_own.clone(), granted, NOW);
        carry(&mut device, &mut window, NOW, rng);
        let shown = code(device.poll_event());
        assert_eq!(shown, code(window.poll_event()));
        assert_eq!(shown.to_string().len(), 6);
        if device_first {
            device.answer(NOW, true);
            carry(&mut device, &mut window, NOW, rng);
            window.answer(NOW, true);
        } else {
            window.answer(NOW, true);
            carry(&mut device, &mut window, NOW, rng);
            device.answer(NOW, true);
        }
        carry(&mut device, &mut window, NOW, rng);
        let (house, granted) = paired(device.poll_event());
        assert_eq!(house, house_own.public());
        assert_eq!(
            (granted.psk.expose(), granted.site),
            (&[7; 32], Site([8; 8]))
        );
        let (peer, _) = paired(window.poll_event());
        assert_eq!(peer, device_own.public());
        assert!(!window.is_open());
    }
}

#[test]
fn nothing_is_granted_before_both_persons_said_yes() {
    let rng = &mut rng();
    for (here, there) in [(true, false), (false, true), (false, false)] {
        let (mut device, mut window) = comparing(rng);
        if here {
            window.answer(NOW, true);
        }
        if there {
            device.answer(NOW, true);
        }
        for second in 1..WINDOW_MS / 1_000 {
            carry(&mut device, &mut window, NOW.after(second * 1_000), rng);
        }
        assert!(device.poll_event().is_none() && window.poll_event().is_none());
        let end = NOW.after(WINDOW_MS);
        carry(&mut device, &mut window, end, rng);
        assert_eq!(failed(device.poll_event()), PairingError::Late);
        assert_eq!(failed(window.poll_event()), PairingError::Late);
        assert!(matches!(window.poll_event(), Some(PairingEvent::Closed)));
    }
}

#[test]
fn a_no_at_either_end_is_told_at_both_and_grants_nothing() {
    let rng = &mut rng();
    for here in [true, false] {
        let (mut device, mut window) = comparing(rng);
        if here {
            device.answer(NOW, true);
            window.answer(NOW, false);
        } else {
            window.answer(NOW, true);
            device.answer(NOW, false);
        }
        carry(&mut device, &mut window, NOW, rng);
        let (one, other) = (failed(device.poll_event()), failed(window.poll_event()));
        let (no, refused) = if here { (other, one) } else { (one, other) };
        assert_eq!((no, refused), (PairingError::No, PairingError::Refused));
        // What was said cannot be taken back.
        device.answer(NOW, true);
        window.answer(NOW, true);
        carry(&mut device, &mut window, NOW, rng);
        assert!(device.poll_event().is_none() && window.poll_event().is_none());
    }
}

#[test]
fn somebody_in_the_middle_shows_two_codes() {
    let rng = &mut rng();
    for _ in 0..50 {
        // A window of theirs towards the device, a device of theirs towards the house.
        let (mut device, mut false_window) = (joining(rng), window(rng));
        let (mut false_device, mut house) = (joining(rng), window(rng));
        carry(&mut device, &mut false_window, NOW, rng);
        carry(&mut false_device, &mut house, NOW, rng);
        assert_ne!(code(device.poll_event()), code(house.poll_event()));
    }
}

/// A device that is another Noise, whose shares its test chooses.
struct Snow {
    noise: snow::HandshakeState,
    public: [u8; 32],
}

const HEADER: [u8; 8] = [0x16, 0, 0, 0, 1, 2, 3, 4];

fn frame(kind: u8, step: u8, rest: &[u8]) -> Vec<u8> {
    [&[kind, step, 0, 0, 1, 2, 3, 4], rest].concat()
}

fn committed(public: &[u8; 32], share: &[u8; 16]) -> [u8; 32] {
    let hash = Blake2s256::new().chain_update(b"ic1-commit");
    hash.chain_update(public)
        .chain_update(share)
        .finalize()
        .into()
}

impl Snow {
    fn new(rng: &mut Dice) -> Self {
        let secret = bytes::<32>(rng);
        let public = Own::new(Secret::new(secret)).public().0;
        let prologue = [&b"iot-control pairing v1"[..], &HEADER].concat();
        let params = "Noise_XX_25519_ChaChaPoly_BLAKE2s"
            .parse()
            .expect("a suite");
        let noise = snow::Builder::new(params)
            .local_private_key(&secret)
            .and_then(|noise| noise.prologue(&prologue))
            .and_then(snow::Builder::build_initiator)
            .expect("sound keys");
        Self { noise, public }
    }

    fn write(&mut self, payload: &[u8]) -> Vec<u8> {
        let mut out = [0; 200];
        let len = self.noise.write_message(payload, &mut out).expect("room");
        out[..len].to_vec()
    }

    /// Sends an OFFER that commits to a share, and reads the house's.
    fn offer(&mut self, commit: [u8; 32], house: &mut PairingWindow, rng: &mut Dice) -> Vec<u8> {
        let offer = frame(0x16, 0, &[&self.write(&commit)[..], &[0; 48]].concat());
        assert!(house.handle(NOW, &offer, rng));
        let share = answered(house, NOW).expect("an answer");
        assert!(share.len() <= offer.len() && share[0] == 0x17);
        let mut theirs = [0; 200];
        let len = self
            .noise
            .read_message(&share[8..], &mut theirs)
            .expect("genuine");
        theirs[..len].to_vec()
    }
}

#[test]
fn another_noise_computes_the_same_code() {
    let rng = &mut rng();
    let (mut device, mut house) = (Snow::new(rng), window(rng));
    let share = bytes::<16>(rng);
    let theirs = device.offer(committed(&device.public, &share), &mut house, rng);
    let reveal = frame(0x18, 0, &device.write(&share));
    assert!(house.handle(NOW, &reveal, rng));
    let hash = device.noise.get_handshake_hash().to_vec();
    let sas: [u8; 32] = Blake2s256::new()
        .chain_update(b"ic1-sas")
        .chain_update(&hash)
        .chain_update(share)
        .chain_update(theirs)
        .finalize()
        .into();
    let number = u64::from_le_bytes(sas[..8].try_into().expect("8 bytes")) % 1_000_000;
    assert_eq!(code(house.poll_event()).to_string(), format!("{number:06}"));
}

#[test]
fn a_share_or_a_key_that_was_not_committed_to_is_refused() {
    let rng = &mut rng();
    for other_key in [true, false] {
        let (mut device, mut house) = (Snow::new(rng), window(rng));
        let share = bytes::<16>(rng);
        let commit = if other_key {
            committed(&bytes(rng), &share)
        } else {
            committed(&device.public, &bytes(rng))
        };
        device.offer(commit, &mut house, rng);
        let reveal = frame(0x18, 0, &device.write(&share));
        assert!(!house.handle(NOW, &reveal, rng));
        assert_eq!(failed(house.poll_event()), PairingError::Commitment);
    }
}

#[test]
fn a_share_that_comes_late_is_refused() {
    let rng = &mut rng();
    for (ms, in_time) in [(REVEAL_MS - 1, true), (REVEAL_MS, false)] {
        let (mut device, mut house) = (joining(rng), window(rng));
        let offer = said(&mut device, NOW).expect("an offer");
        house.handle(NOW, &offer, rng);
        device.handle(NOW, &answered(&mut house, NOW).expect("an answer"));
        let reveal = said(&mut device, NOW).expect("its share");
        assert_eq!(house.handle(NOW.after(ms), &reveal, rng), in_time);
        let event = house.poll_event();
        assert_eq!(matches!(event, Some(PairingEvent::Compare(_))), in_time);
        assert_eq!(
            matches!(event, Some(PairingEvent::Failed(PairingError::Late))),
            !in_time
        );
    }
}

#[test]
fn the_window_closes_after_two_minutes() {
    let rng = &mut rng();
    let (mut device, mut house) = (joining(rng), window(rng));
    assert_eq!(house.deadline(), NOW.after(WINDOW_MS));
    let offer = said(&mut device, NOW).expect("an offer");
    assert!(!house.handle(NOW.after(WINDOW_MS), &offer, rng));
    assert!(matches!(house.poll_event(), Some(PairingEvent::Closed)));
    assert!(house.poll_event().is_none() && !house.is_open());
    assert_eq!(house.deadline(), Millis::NEVER);
}

#[test]
fn the_window_closes_after_a_few_attempts_and_after_a_success() {
    let rng = &mut rng();
    let mut house = window(rng);
    for attempt in 1..=ATTEMPTS_MAX {
        let mut device = joining(rng);
        carry(&mut device, &mut house, NOW, rng);
        let _ = code(house.poll_event());
        house.answer(NOW, false);
        assert_eq!(failed(house.poll_event()), PairingError::No);
        assert_eq!(house.is_open(), attempt < ATTEMPTS_MAX);
    }
    assert!(matches!(house.poll_event(), Some(PairingEvent::Closed)));
    let offer = said(&mut joining(rng), NOW).expect("an offer");
    assert!(!house.handle(NOW, &offer, rng));
    // Its last refusal may still leave; nothing else does.
    let _ = answered(&mut house, NOW);
    assert!(answered(&mut house, NOW).is_none());
}

#[test]
fn who_comes_while_another_is_asked_about_is_not_answered_and_changes_nothing() {
    let rng = &mut rng();
    let (mut device, mut house) = comparing(rng);
    let mut second = joining(rng);
    let offer = said(&mut second, NOW).expect("an offer");
    assert!(!house.handle(NOW, &offer, rng));
    assert!(answered(&mut house, NOW).is_none());
    house.answer(NOW, true);
    device.answer(NOW, true);
    carry(&mut device, &mut house, NOW, rng);
    let _ = paired(device.poll_event());
}

#[test]
fn a_window_hears_no_attempt_that_was_recorded_at_another() {
    let rng = &mut rng();
    let (mut device, mut house, mut later) = (joining(rng), window(rng), window(rng));
    let offer = said(&mut device, NOW).expect("an offer");
    house.handle(NOW, &offer, rng);
    device.handle(NOW, &answered(&mut house, NOW).expect("an answer"));
    let reveal = said(&mut device, NOW).expect("its share");
    assert!(house.handle(NOW, &reveal, rng));
    // The offer is in the clear and can be said by anybody; what follows answers one share only.
    assert!(later.handle(NOW, &offer, rng));
    assert!(!later.handle(NOW, &reveal, rng));
    assert!(later.poll_event().is_none());
}

#[test]
fn a_frame_with_any_bit_changed_or_cut_does_nothing() {
    let rng = &mut rng();
    let (mut device, mut house) = (joining(rng), window(rng));
    let offer = said(&mut device, NOW).expect("an offer");
    house.handle(NOW, &offer, rng);
    let share = answered(&mut house, NOW).expect("an answer");
    for bad in spoilt(&share) {
        device.handle(NOW, &bad);
        assert!(device.poll_event().is_none());
    }
    device.handle(NOW, &share);
    let reveal = said(&mut device, NOW).expect("its share");
    for bad in spoilt(&reveal) {
        assert!(!house.handle(NOW, &bad, rng));
    }
    assert!(house.poll_event().is_none());
    assert!(house.handle(NOW, &reveal, rng));
    device.answer(NOW, true);
    let confirm = said(&mut device, NOW).expect("its word");
    for bad in spoilt(&confirm) {
        assert!(!house.handle(NOW, &bad, rng));
    }
    assert!(house.handle(NOW, &confirm, rng));
    house.answer(NOW, true);
    let grant = answered(&mut house, NOW).expect("what is granted");
    let _ = device.poll_event();
    for bad in spoilt(&grant) {
        device.handle(NOW, &bad);
        assert!(device.poll_event().is_none());
    }
    device.handle(NOW, &grant);
    let _ = paired(device.poll_event());
}

fn spoilt(frame: &[u8]) -> Vec<Vec<u8>> {
    let flips = (0..frame.len() * 8).map(|bit| {
        let mut bad = frame.to_vec();
        bad[bit / 8] ^= 1 << (bit % 8);
        bad
    });
    flips
        .chain((0..frame.len()).map(|len| frame[..len].to_vec()))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Lost, doubled and turned-round frames cost time only.
    #[test]
    fn a_network_that_loses_and_doubles_frames_still_pairs(seed in any::<[u8; 32]>()) {
        let mut net = Dice(TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
        let rng = &mut rng();
        let (mut device, mut house) = (joining(rng), window(rng));
        let (mut up, mut down) = (Vec::new(), Vec::new());
        let mut done = (false, false);
        let mut late = false;
        for step in 0..(WINDOW_MS / 250 - 1) {
            let now = NOW.after(step * 250);
            up.extend(std::iter::from_fn(|| said(&mut device, now)));
            down.extend(std::iter::from_fn(|| answered(&mut house, now)));
            for (frames, to_house) in [(&mut up, true), (&mut down, false)] {
                for frame in std::mem::take(frames).into_iter().rev() {
                    let copies = [0, 1, 1, 1, 2][(net.next_u32() % 5) as usize];
                    for _ in 0..copies {
                        if to_house {
                            house.handle(now, &frame, rng);
                        } else {
                            device.handle(now, &frame);
                        }
                    }
                }
            }
            while let Some(event) = device.poll_event() {
                match event {
                    PairingEvent::Compare(_) => device.answer(now, true),
                    PairingEvent::Paired { .. } => done.0 = true,
                    _ => {}
                }
            }
            while let Some(event) = house.poll_event() {
                match event {
                    PairingEvent::Compare(_) => house.answer(now, true),
                    PairingEvent::Paired { .. } => done.1 = true,
                    // The device's share was lost each time, or the house's was.
                    PairingEvent::Failed(PairingError::Late) => late = true,
                    _ => {}
                }
            }
        }
        // A share that was late ends the attempt, and a module that still offers begins another.
        let both = done == (true, true);
        prop_assert!(both || late && done == (false, false), "{done:?}, late: {late}");
    }

    #[test]
    fn any_bytes_change_nothing(frames in prop::collection::vec(
        (prop::option::of(0x16_u8..0x1a), prop::collection::vec(any::<u8>(), 0..130)), 1..20)) {
        let rng = &mut rng();
        let (mut device, mut house) = comparing(rng);
        for (kind, mut bytes) in frames {
            if let (Some(kind), Some(first)) = (kind, bytes.first_mut()) {
                *first = kind;
            }
            device.handle(NOW, &bytes);
            prop_assert!(!house.handle(NOW, &bytes, rng));
        }
        prop_assert!(device.poll_event().is_none() && house.poll_event().is_none());
    }
}
