//! A dispatcher and devices on virtual time, with whatever the network does in between.

use std::collections::VecDeque;

use link::{Address, Device, Dispatcher, Limits, Millis, Own, ResetKey, Told};
use proptest::prelude::Rng;
use rand_core::{CryptoRng, RngCore};
use wire::{
    Body, Event, Fields, Handle, HelloFlags, HelloPayload, Identity, Kind, PublicKey, RoleId,
    Secret, Site,
};

/// The tests' random numbers, as the link takes them.
pub(crate) struct Dice(pub(crate) proptest::test_runner::TestRng);

impl RngCore for Dice {
    fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }
    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }
    fn fill_bytes(&mut self, out: &mut [u8]) {
        self.0.fill_bytes(out);
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), rand_core::Error> {
        self.0.fill_bytes(out);
        Ok(())
    }
}

impl CryptoRng for Dice {}

/// What the network does to one datagram: how often it arrives.
pub(crate) type Network = fn(&mut Dice) -> usize;

pub(crate) fn reliable(_: &mut Dice) -> usize {
    1
}

/// Loses a fifth, doubles a twentieth.
pub(crate) fn bad(dice: &mut Dice) -> usize {
    match dice.next_u32() % 20 {
        0..4 => 0,
        4 => 2,
        _ => 1,
    }
}

pub(crate) struct House {
    pub(crate) now: Millis,
    pub(crate) dice: Dice,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) devices: Vec<Device>,
    pub(crate) told: Vec<Told>,
    pub(crate) bodies: Vec<(usize, Vec<u8>, Kind)>,
    pub(crate) ups: usize,
    /// Datagrams of devices, for those who listen.
    pub(crate) captured: Vec<Vec<u8>>,
    pub(crate) network: Network,
    /// Whether events are kept as soon as they come.
    pub(crate) journal: bool,
    under_way: VecDeque<(Millis, Option<usize>, Vec<u8>)>,
}

pub(crate) fn address(of: usize) -> Address {
    Address::Udp(([10, 0, 0, of as u8], 5_000).into())
}

pub(crate) fn identity(of: u8) -> Identity {
    let own = Own::new(Secret::new([of; 32]));
    Identity {
        flags: 0,
        device_secret: Secret::new([of; 32]),
        device_public: own.public(),
        dispatcher: Own::new(Secret::new([0xD1; 32])).public(),
        dispatcher_next: None,
        psk: Secret::new([of + 100; 32]),
        site: Site([1; 8]),
        seed: Secret::new([0; 32]),
        ota_key: PublicKey([0; 32]),
    }
}

pub(crate) fn about(boot: u32) -> HelloPayload {
    HelloPayload {
        version_min: 1,
        version_max: 1,
        flags: HelloFlags::UDP.with(HelloFlags::PRODUCER),
        boot_id: u64::from(boot) * 1_000,
        boot_count: boot,
        firmware_version: 1,
        firmware_hash: [0; 8],
        config_hash: 0,
    }
}

pub(crate) fn press() -> Event<'static> {
    Event {
        seq: 0,
        role: RoleId::default(),
        channel: 0,
        name: "press",
        fields: Fields::default(),
        t_ms: 0,
    }
}

fn dispatcher(limits: Limits, now: Millis, dice: &mut Dice) -> Dispatcher {
    let own = Own::new(Secret::new([0xD1; 32]));
    let resets = ResetKey::new(Secret::new([0xE1; 32]));
    Dispatcher::new(own, resets, limits, now, dice)
}

impl House {
    /// With one device, number 1, registered and just booted.
    pub(crate) fn new() -> Self {
        Self::with(Limits::default())
    }

    pub(crate) fn with(limits: Limits) -> Self {
        let (now, mut dice) = (Millis(1_000), Dice(crate::rng()));
        let mut house = Self {
            now,
            dispatcher: dispatcher(limits, now, &mut dice),
            dice,
            devices: Vec::new(),
            told: Vec::new(),
            bodies: Vec::new(),
            ups: 0,
            captured: Vec::new(),
            network: reliable,
            journal: true,
            under_way: VecDeque::new(),
        };
        house.register();
        house.devices.push(Device::new(&identity(1), about(1), now));
        house
    }

    /// A house whose device is up.
    pub(crate) fn up() -> Self {
        let mut house = Self::new();
        house.run(500);
        assert!(house.devices[0].is_up() && house.dispatcher.is_online(handle()));
        house
    }

    fn register(&mut self) {
        let identity = identity(1);
        self.dispatcher
            .register(identity.device_public, identity.psk, self.now);
    }

    pub(crate) fn restart_dispatcher(&mut self) {
        self.dispatcher = dispatcher(Limits::default(), self.now, &mut self.dice);
        self.register();
    }

    /// Lets so many milliseconds go by.
    pub(crate) fn run(&mut self, ms: u64) {
        for _ in 0..ms {
            self.step();
            self.now = self.now.after(1);
        }
    }

    /// As long, a step for each deadline.
    pub(crate) fn skip(&mut self, ms: u64) {
        let end = self.now.after(ms);
        while self.now < end {
            self.step();
            let due = self
                .devices
                .iter()
                .map(Device::deadline)
                .min()
                .unwrap_or(Millis::NEVER);
            let due = due.min(self.dispatcher.deadline());
            let under_way = self.under_way.iter().map(|(at, ..)| *at).min();
            let next = due.min(under_way.unwrap_or(Millis::NEVER));
            self.now = next.max(self.now.after(1)).min(end);
        }
    }

    fn step(&mut self) {
        let mut later = VecDeque::new();
        while let Some((at, to, bytes)) = self.under_way.pop_front() {
            if at > self.now {
                later.push_back((at, to, bytes));
            } else {
                self.arrive(to, &bytes);
            }
        }
        self.under_way = later;
        if self.dispatcher.deadline() <= self.now {
            self.dispatcher.handle_timeout(self.now, &mut self.dice);
        }
        for from in 0..self.devices.len() {
            let mut out = [0; wire::FRAME_LEN_MAX];
            while let Some(len) =
                self.devices[from].poll_transmit(self.now, &mut self.dice, &mut out)
            {
                self.captured.push(out[..len].to_vec());
                let mut bytes = vec![from as u8];
                bytes.extend(&out[..len]);
                self.send(None, &bytes);
            }
        }
        self.drain();
    }

    fn arrive(&mut self, to: Option<usize>, bytes: &[u8]) {
        let Some(to) = to else {
            let from = address(bytes[0].into());
            self.dispatcher
                .handle(self.now, from, &bytes[1..], 0, &mut self.dice);
            return self.drain();
        };
        let mut room = [0; wire::PLAIN_LEN_MAX];
        let received = self.devices[to].handle(self.now, bytes, &mut room, &mut self.dice);
        self.ups += usize::from(received.up);
        if let Some(body) = received.body {
            let mut out = [0; wire::BODY_LEN_MAX];
            let len = body.encode(&mut out).expect("it came");
            self.bodies.push((to, out[..len].to_vec(), body.kind()));
        }
    }

    fn drain(&mut self) {
        while let Some(told) = self.dispatcher.poll_told() {
            if let Told::Event {
                device,
                boot_id,
                seq,
                ..
            } = &told
                && self.journal
            {
                self.dispatcher
                    .journalled(*device, *boot_id, *seq, self.now);
            }
            self.told.push(told);
        }
        while let Some((to, bytes)) = self.dispatcher.poll_transmit() {
            let to = (0..self.devices.len()).find(|device| address(*device) == to);
            if to.is_some() {
                self.send(to, &bytes);
            }
        }
    }

    fn send(&mut self, to: Option<usize>, bytes: &[u8]) {
        for _ in 0..(self.network)(&mut self.dice) {
            let at = self.now.after(2 + u64::from(self.dice.next_u32() % 9));
            self.under_way.push_back((at, to, bytes.to_vec()));
        }
    }

    /// Somebody sends this to the dispatcher; what it answers.
    pub(crate) fn inject(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        self.dispatcher
            .handle(self.now, address(99), bytes, 0, &mut self.dice);
        let mut answers = Vec::new();
        while let Some((_, bytes)) = self.dispatcher.poll_transmit() {
            answers.push(bytes);
        }
        answers
    }

    /// A frame that the device seals and that gets lost.
    pub(crate) fn stolen(&mut self) -> Vec<u8> {
        let now = self.now;
        self.devices[0].event(press(), now).expect("it fits");
        let mut out = [0; wire::FRAME_LEN_MAX];
        let len = self.devices[0].poll_transmit(now, &mut self.dice, &mut out);
        out[..len.expect("an event is due")].to_vec()
    }

    pub(crate) fn events(&self) -> Vec<u32> {
        let seq = |told: &Told| match told {
            Told::Event { seq, body, .. } => {
                assert!(matches!(
                    Body::decode(Kind::Event, body),
                    Ok(Body::Event(_))
                ));
                Some(*seq)
            }
            _ => None,
        };
        self.told.iter().filter_map(seq).collect()
    }

    pub(crate) fn count(&self, which: fn(&Told) -> bool) -> usize {
        self.told.iter().filter(|told| which(told)).count()
    }
}

/// The handle of device 1.
pub(crate) fn handle() -> Handle {
    Handle::of(&identity(1).device_public)
}
