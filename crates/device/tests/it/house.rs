//! A dispatcher's end of the link and two modules on virtual time, with whatever the network does in between. The tests
//! are the house's mapping.

use std::collections::{BTreeMap, VecDeque};

use device::{Drive, Runtime, Sample, record_len};
use link::{Address, Dispatcher, Limits, Millis, Own, ResetKey, Told};
use proptest::{
    prelude::Rng,
    test_runner::{RngAlgorithm, TestRng},
};
use rand_core::{CryptoRng, RngCore};
use wire::{
    Body, Buses, Channel, ChannelKind, Config, Fallback, Handle, HelloFlags, HelloPayload,
    Identity, Kind, Options, PART_LEN_MAX, PublicKey, Role, RoleId, Secret, Set, Site, Value,
};

use crate::stage::channel;

/// The tests' random numbers, as the link takes them.
pub(crate) struct Dice(TestRng);

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

pub(crate) fn cut(_: &mut Dice) -> usize {
    0
}

/// Loses a fifth, doubles a twentieth.
pub(crate) fn bad(dice: &mut Dice) -> usize {
    match dice.next_u32() % 20 {
        0..4 => 0,
        4 => 2,
        _ => 1,
    }
}

/// Room for as many channels as any of the tests has.
pub(crate) type Module = Runtime<64>;

/// The module with the button, and the one with the lamps.
pub(crate) const TASTER: usize = 0;
pub(crate) const LAMPS: usize = 1;

/// What of a target is kept, to be told again when a session begins.
#[derive(Clone)]
pub(crate) struct Wish {
    pub(crate) fields: Vec<(&'static str, Value<'static>)>,
    pub(crate) fade_ms: Option<u32>,
    pub(crate) for_ms: Option<u32>,
}

pub(crate) struct House {
    pub(crate) now: Millis,
    pub(crate) dice: Dice,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) modules: [Module; 2],
    pub(crate) network: Network,
    /// Nothing gets to the modules; what they say is heard.
    pub(crate) is_deaf: bool,
    /// Nothing gets from the modules.
    pub(crate) is_mute: bool,
    pub(crate) roles: [Vec<u8>; 2],
    /// A role that targets are meant for already, and that is not told yet.
    late: [Vec<u8>; 2],
    pub(crate) config_rev: u32,
    pub(crate) wishes: BTreeMap<(usize, u8), Wish>,
    /// What modules said, with its time: `0/press`.
    pub(crate) events: Vec<(u64, String)>,
    /// The role that each of them was said under.
    pub(crate) said_under: Vec<RoleId>,
    /// States that came: module, channel, revision, `on=true`.
    pub(crate) states: Vec<(usize, u8, u32, String)>,
    pub(crate) onlines: [usize; 2],
    /// What the pins of each module's channels are, and how often that changed.
    pub(crate) pins: BTreeMap<(usize, u8), Drive>,
    pub(crate) changes: Vec<(u64, usize, u8, Drive)>,
    /// What each module's flash holds.
    pub(crate) flash: [Vec<u8>; 2],
    pub(crate) writes: Vec<u64>,
    boots: [u32; 2],
    under_way: VecDeque<(Millis, Option<usize>, usize, Vec<u8>)>,
}

fn address(of: usize) -> Address {
    Address::Udp(([10, 0, 0, of as u8], 5_000).into())
}

fn identity(of: usize) -> Identity {
    let secret = [of as u8 + 1; 32];
    Identity {
        flags: 0,
        device_secret: Secret::new(secret),
        device_public: Own::new(Secret::new(secret)).public(),
        dispatcher: Own::new(Secret::new([0xD1; 32])).public(),
        dispatcher_next: None,
        psk: Secret::new([of as u8 + 100; 32]),
        site: Site([1; 8]),
        seed: Secret::new([0; 32]),
        ota_key: PublicKey([0; 32]),
    }
}

pub(crate) fn handle(of: usize) -> Handle {
    Handle::of(&identity(of).device_public)
}

fn boot(of: usize, count: u32, flash: &[u8], now: Millis) -> Module {
    let about = HelloPayload {
        version_min: 1,
        version_max: 1,
        flags: HelloFlags::UDP,
        boot_id: u64::from(count) * 1_000 + of as u64,
        boot_count: count,
        firmware_version: 1,
        firmware_hash: [0; 8],
        config_hash: 0,
    };
    Runtime::new(&identity(of), about, flash, now)
}

fn dispatcher(now: Millis, dice: &mut Dice) -> Dispatcher {
    let own = Own::new(Secret::new([0xD1; 32]));
    let resets = ResetKey::new(Secret::new([0xE1; 32]));
    let mut dispatcher = Dispatcher::new(own, resets, Limits::default(), now, dice);
    for of in [TASTER, LAMPS] {
        let identity = identity(of);
        dispatcher.register(identity.device_public, identity.psk, now);
    }
    dispatcher
}

pub(crate) fn role(channels: &[Channel]) -> Vec<u8> {
    let mut out = [0; wire::ROLE_LEN_MAX];
    let len = Role::encode(&Buses::default(), channels, &mut out).expect("a role");
    out[..len].to_vec()
}

/// As `on=true brightness=40`.
fn words(fields: &wire::Fields<'_>) -> String {
    let words = fields.iter().map(|(name, value)| match value {
        Value::Bool(is) => format!("{name}={is}"),
        Value::Number(number) => format!("{name}={number}"),
        Value::Text(text) => format!("{name}={text}"),
    });
    words.collect::<Vec<_>>().join(" ")
}

impl House {
    /// Both modules have just booted.
    pub(crate) fn new(taster: &[Channel], lamps: &[Channel]) -> Self {
        let now = Millis(1_000);
        let mut dice = Dice(TestRng::deterministic_rng(RngAlgorithm::ChaCha));
        Self {
            now,
            dispatcher: dispatcher(now, &mut dice),
            dice,
            modules: [TASTER, LAMPS].map(|of| boot(of, 1, &[], now)),
            network: reliable,
            is_deaf: false,
            is_mute: false,
            roles: [role(taster), role(lamps)],
            late: [vec![], vec![]],
            config_rev: 1,
            wishes: BTreeMap::new(),
            events: Vec::new(),
            said_under: Vec::new(),
            states: Vec::new(),
            onlines: [0; 2],
            pins: BTreeMap::new(),
            changes: Vec::new(),
            flash: [vec![], vec![]],
            writes: Vec::new(),
            boots: [1; 2],
            under_way: VecDeque::new(),
        }
    }

    /// Both are up and play their roles.
    pub(crate) fn up(taster: &[Channel], lamps: &[Channel]) -> Self {
        let mut house = Self::new(taster, lamps);
        house.run(1_000);
        assert!(house.modules.iter().all(Runtime::is_up));
        assert!(house.modules.iter().all(|module| module.role().is_some()));
        house
    }

    pub(crate) fn restart_dispatcher(&mut self) {
        self.dispatcher = dispatcher(self.now, &mut self.dice);
    }

    /// The power of a module is cut and comes back.
    pub(crate) fn reboot(&mut self, of: usize) {
        self.boots[of] += 1;
        self.modules[of] = boot(of, self.boots[of], &self.flash[of], self.now);
        self.pins.retain(|(module, _), _| *module != of);
    }

    /// Wishes something of a module's output, now and whenever its session begins.
    pub(crate) fn wish(&mut self, of: usize, channel: u8, wish: Wish) {
        self.tell(of, channel, &wish);
        self.wishes.insert((of, channel), wish);
    }

    pub(crate) fn on(&mut self, of: usize, channel: u8, on: bool) {
        let fields = vec![("on", Value::Bool(on))];
        self.wish(
            of,
            channel,
            Wish {
                fields,
                fade_ms: None,
                for_ms: None,
            },
        );
    }

    /// Says it in the session that there is, if there is one.
    pub(crate) fn tell(&mut self, of: usize, channel: u8, wish: &Wish) {
        let set = Set {
            rev: 0,
            role: self.role_id(of),
            channel,
            command: None,
            fields: wire::Fields::new(&wish.fields).expect("eight at most"),
            fade_ms: wish.fade_ms,
            for_ms: wish.for_ms,
        };
        let _ = self.dispatcher.set(handle(of), set, self.now);
    }

    /// Which role targets are meant for.
    pub(crate) fn role_id(&self, of: usize) -> RoleId {
        let roles = [&self.roles[of], &self.late[of]];
        let role = roles.into_iter().find(|role| !role.is_empty());
        RoleId::of(role.map_or(&[], Vec::as_slice))
    }

    /// The role is told later than its targets.
    pub(crate) fn withhold_role(&mut self, of: usize) {
        self.late[of] = std::mem::take(&mut self.roles[of]);
    }

    /// Tells the role that was withheld.
    pub(crate) fn send_late_role(&mut self, of: usize) {
        self.roles[of] = std::mem::take(&mut self.late[of]);
        self.send_role(of);
    }

    /// A role in its parts.
    pub(crate) fn send_role(&mut self, of: usize) {
        let role = self.roles[of].clone();
        let parts = role.chunks(PART_LEN_MAX).len() as u8;
        for (part, bytes) in (0..).zip(role.chunks(PART_LEN_MAX)) {
            let rev = self.config_rev;
            let config = Body::Config(Config {
                rev,
                part,
                parts,
                bytes,
            });
            self.dispatcher
                .send(handle(of), &config, self.now)
                .expect("online");
        }
    }

    fn online(&mut self, of: usize) {
        self.onlines[of] += 1;
        self.send_all(of);
    }

    /// The role and the whole desired state, as where a session begins or a role is another.
    pub(crate) fn send_all(&mut self, of: usize) {
        self.send_role(of);
        let wishes: Vec<_> = self.wishes.clone().into_iter().collect();
        let wishes = wishes.iter().filter(|((module, _), _)| *module == of);
        let mut sets = 0;
        for ((_, channel), wish) in wishes {
            self.tell(of, *channel, wish);
            sets += 1;
        }
        let end = Body::SyncEnd {
            config_rev: self.config_rev,
            sets,
        };
        self.dispatcher
            .send(handle(of), &end, self.now)
            .expect("online");
    }

    /// Something happens at a module's input.
    pub(crate) fn sample(&mut self, of: usize, channel: u8, sample: Sample<'_>) {
        self.modules[of]
            .sample(channel, sample, self.now)
            .expect("it has such an input");
    }

    /// Lets so many milliseconds go by, each of them.
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
            let modules = self.modules.iter().map(Runtime::deadline);
            let under_way = self.under_way.iter().map(|(at, ..)| *at);
            let due = modules.chain(under_way).min().unwrap_or(Millis::NEVER);
            let due = due.min(self.dispatcher.deadline());
            self.now = due.max(self.now.after(1)).min(end);
        }
    }

    fn step(&mut self) {
        for (at, to, from, bytes) in std::mem::take(&mut self.under_way) {
            if at > self.now {
                self.under_way.push_back((at, to, from, bytes));
            } else if let Some(to) = to {
                self.modules[to].handle(self.now, &bytes, &mut self.dice);
            } else {
                self.dispatcher
                    .handle(self.now, address(from), &bytes, 0, &mut self.dice);
                self.drain();
            }
        }
        if self.dispatcher.deadline() <= self.now {
            self.dispatcher.handle_timeout(self.now, &mut self.dice);
        }
        for of in [TASTER, LAMPS] {
            self.look(of);
        }
        self.drain();
    }

    /// What the firmware of a module does.
    fn look(&mut self, of: usize) {
        let module = &mut self.modules[of];
        if module.deadline() <= self.now {
            module.handle_timeout(self.now);
        }
        if module.poll_role() {
            self.pins.retain(|(known, _), _| *known != of);
        }
        while let Some((channel, drive)) = module.poll_drive() {
            self.pins.insert((of, channel), drive);
            self.changes.push((self.now.0, of, channel, drive));
        }
        let mut record = vec![0; record_len(64)];
        if let Some(len) = module.poll_store(self.now, &mut record) {
            self.flash[of] = record[..len].to_vec();
            self.writes.push(self.now.0);
        }
        let mut out = [0; wire::FRAME_LEN_MAX];
        while let Some(len) = self.modules[of].poll_transmit(self.now, &mut self.dice, &mut out) {
            self.send(None, of, &out[..len]);
        }
    }

    fn drain(&mut self) {
        while let Some(told) = self.dispatcher.poll_told() {
            self.told(told);
        }
        while let Some((to, bytes)) = self.dispatcher.poll_transmit() {
            if let Some(to) = [TASTER, LAMPS].into_iter().find(|of| address(*of) == to) {
                self.send(Some(to), 0, &bytes);
            }
        }
    }

    fn told(&mut self, told: Told) {
        let of = |device| {
            if device == handle(TASTER) {
                TASTER
            } else {
                LAMPS
            }
        };
        match told {
            Told::Online { device, .. } => self.online(of(device)),
            Told::Event {
                device,
                boot_id,
                seq,
                body,
            } => {
                let Ok(Body::Event(events)) = Body::decode(Kind::Event, &body) else {
                    panic!("{body:?}");
                };
                for event in events.iter() {
                    let text = format!("{}/{} {}", event.channel, event.name, words(&event.fields));
                    self.events.push((self.now.0, text.trim_end().to_owned()));
                    self.said_under.push(event.role);
                }
                self.dispatcher.journalled(device, boot_id, seq, self.now);
            }
            Told::Message {
                device,
                kind: Kind::State,
                body,
            } => {
                let Ok(Body::State(state)) = Body::decode(Kind::State, &body) else {
                    panic!("{body:?}");
                };
                let fields = words(&state.fields);
                self.states
                    .push((of(device), state.channel, state.rev, fields));
            }
            _ => {}
        }
    }

    fn send(&mut self, to: Option<usize>, from: usize, bytes: &[u8]) {
        if self.is_deaf && to.is_some() || self.is_mute && to.is_none() {
            return;
        }
        for _ in 0..(self.network)(&mut self.dice) {
            let at = self.now.after(2 + u64::from(self.dice.next_u32() % 9));
            self.under_way.push_back((at, to, from, bytes.to_vec()));
        }
    }

    /// The last state that came of a channel.
    pub(crate) fn state(&self, of: usize, channel: u8) -> Option<&str> {
        let mut states = self.states.iter().rev();
        let (.., state) = states.find(|(known, place, ..)| (*known, *place) == (of, channel))?;
        Some(state)
    }
}

pub(crate) fn plain(kind: ChannelKind) -> Channel {
    channel(kind, Options::default())
}

pub(crate) fn button() -> Channel {
    plain(ChannelKind::Button)
}

pub(crate) fn lamp(when_lost: Fallback) -> Channel {
    channel(
        ChannelKind::Switch,
        Options {
            when_lost,
            ..Options::default()
        },
    )
}

pub(crate) fn bright(percent: f64) -> Wish {
    let fields = vec![("brightness", Value::Number(percent))];
    Wish {
        fields,
        fade_ms: None,
        for_ms: None,
    }
}

/// A house with a button and a lamp.
pub(crate) fn usual() -> House {
    House::up(&[button()], &[lamp(Fallback::Keep)])
}
