//! A module from boot on: it drives the device's end of the link, takes its role, and is then producer and consumer of
//! it. Called by a board's firmware, which owns sockets, pins, the clock and the random numbers. Must not know them,
//! nor what anything is for.

mod config;
mod record;

use link::{Device, Millis};
use rand_core::CryptoRngCore;
use wire::{
    Body, BodyError, Event, Fields, HelloFlags, HelloPayload, Identity, Role, RoleId, Set, State,
};

use crate::{
    input::{Happened, Input, Misfit, Sample},
    output::{Drive, Order, Output, Refused},
};
pub use config::RoleFault;
use config::{Came, Roles};
use record::Record;
pub use record::record_len;

/// A dispatcher that was not heard for so long is lost, as it takes a module for offline that it did not hear.
pub const LOST_MS: u64 = 90_000;

/// A channel's machine.
#[expect(
    clippy::large_enum_variant,
    reason = "one for each channel, and there is no allocator to box it"
)]
enum Slot {
    Empty,
    Output(Output),
    Input(Input),
}

/// What was left out, since the boot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// SETs that were not done; those that a newer one overtook are none.
    pub refused: u32,
    /// Why the last one was not, and of which channel.
    pub last_refused: Option<(u8, Refused)>,
    /// Roles that were not played.
    pub refused_roles: u32,
    /// Why the last one was not.
    pub last_fault: Option<RoleFault>,
    /// Events that found no room, and were older than all that are kept.
    pub dropped: u32,
    /// Events that nobody took for ten seconds.
    pub expired: u32,
    /// Keys that a matrix could not tell from others.
    pub ghosts: u32,
    /// How often the dispatcher was lost.
    pub lost: u32,
}

/// A module with room for `N` channels, 64 at the most.
///
/// Sans-io. After each call that takes `now`, and at [`Runtime::deadline`] ([`Runtime::handle_timeout`]), drain
/// [`Runtime::poll_role`], [`Runtime::poll_drive`] and [`Runtime::poll_transmit`] to `None`, and ask
/// [`Runtime::poll_store`]. `now` never goes back; `rng` is cryptographic and seeded. Nothing happens between calls.
///
/// ```
/// use device::Runtime;
/// use link::Millis;
/// use rand_core::CryptoRngCore;
///
/// /// One turn of a firmware's loop: at a datagram, an interrupt, or when the deadline comes. Gives when that is.
/// fn turn<const N: usize>(
///     module: &mut Runtime<N>,
///     now: Millis,
///     came: Option<&[u8]>,
///     rng: &mut dyn CryptoRngCore,
///     send: &mut dyn FnMut(&[u8]),
/// ) -> Millis {
///     if let Some(datagram) = came {
///         module.handle(now, datagram, rng);
///     }
///     if module.deadline() <= now {
///         module.handle_timeout(now);
///     }
///     if module.poll_role() {
///         // Pins are set up as `module.role()` says.
///     }
///     while let Some((_channel, _drive)) = module.poll_drive() {
///         // The pins of the channel are driven.
///     }
///     let mut out = [0; wire::FRAME_LEN_MAX];
///     while let Some(len) = module.poll_transmit(now, rng, &mut out) {
///         send(&out[..len]);
///     }
///     module.deadline()
/// }
/// # #[derive(Clone)]
/// # struct Rng(u64);
/// # impl rand_core::RngCore for Rng {
/// #     fn next_u32(&mut self) -> u32 { self.next_u64() as u32 }
/// #     fn next_u64(&mut self) -> u64 { self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1); self.0 >> 16 }
/// #     fn fill_bytes(&mut self, out: &mut [u8]) { out.iter_mut().for_each(|byte| *byte = self.next_u64() as u8) }
/// #     fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), rand_core::Error> { self.fill_bytes(out); Ok(()) }
/// # }
/// # impl rand_core::CryptoRng for Rng {}
/// # let own = link::Own::new(wire::Secret::new([3; 32]));
/// # let identity = wire::Identity { flags: 0, device_secret: wire::Secret::new([3; 32]), device_public: own.public(),
/// #     dispatcher: link::Own::new(wire::Secret::new([1; 32])).public(), dispatcher_next: None, psk: wire::Secret::new([4; 32]),
/// #     site: wire::Site([0; 8]), seed: wire::Secret::new([5; 32]), ota_key: wire::PublicKey([0; 32]) };
/// # let about = wire::HelloPayload { version_min: 1, version_max: 1, flags: wire::HelloFlags::UDP, boot_id: 7, boot_count: 1,
/// #     firmware_version: 1, firmware_hash: [0; 8], config_hash: 0 };
///
/// let mut module: Runtime<16> = Runtime::new(&identity, about, &[], Millis(0));
/// let mut sent = Vec::new();
/// let due = turn(&mut module, Millis(0), None, &mut Rng(1), &mut |frame| sent.push(frame.len()));
/// assert_eq!(sent, [wire::HELLO_LEN]);
/// assert!(due > Millis(0));
/// ```
pub struct Runtime<const N: usize> {
    link: Device,
    boot: Millis,
    roles: Roles,
    is_new_role: bool,
    slots: [Slot; N],
    /// Targets that came before the role that they are of.
    held: [Option<(RoleId, Order)>; N],
    heard: Millis,
    is_lost: bool,
    record: Record<N>,
    counters: Counters,
}

impl<const N: usize> core::fmt::Debug for Runtime<N> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Runtime")
            .field("link", &self.link)
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}

impl<const N: usize> Runtime<N> {
    /// Begins with a boot; the first HELLO is due at once. `about.boot_id` has to be random; that it needs a role is
    /// added. `stored` is what [`Runtime::poll_store`] gave before, or anything else.
    #[must_use]
    pub fn new(identity: &Identity, about: HelloPayload, stored: &[u8], now: Millis) -> Self {
        const { assert!(N <= wire::CHANNELS_MAX as usize) };
        let about = HelloPayload {
            flags: about.flags.with(HelloFlags::NEED_CONFIG),
            config_hash: 0,
            ..about
        };
        Self {
            link: Device::new(identity, about, now),
            boot: now,
            roles: Roles::new(),
            is_new_role: false,
            slots: [const { Slot::Empty }; N],
            held: [None; N],
            heard: now,
            is_lost: false,
            record: Record::read(stored),
            counters: Counters::default(),
        }
    }

    /// Whether the dispatcher is known to hear.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.link.is_up() && !self.is_lost
    }

    /// Which role it plays.
    #[must_use]
    pub fn role_id(&self) -> RoleId {
        self.roles.id()
    }

    /// The role that it plays; `None`: none since the boot.
    #[must_use]
    pub fn role(&self) -> Option<Role<'_>> {
        self.roles.role()
    }

    /// What was left out.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let ghosts = self.slots.iter().map(|slot| match slot {
            Slot::Input(input) => input.ghosts(),
            Slot::Empty | Slot::Output(_) => 0,
        });
        Counters {
            dropped: self.link.dropped(),
            expired: self.link.expired(),
            ghosts: ghosts.fold(0, u32::saturating_add),
            ..self.counters
        }
    }

    /// Takes one datagram. Whatever is not genuine changes nothing.
    pub fn handle(&mut self, now: Millis, datagram: &[u8], rng: &mut dyn CryptoRngCore) {
        let mut room = [0; wire::PLAIN_LEN_MAX];
        let received = self.link.handle(now, datagram, &mut room, rng);
        self.heard = self.link.heard_at().unwrap_or(self.heard).max(self.heard);
        if received.up {
            self.begin();
        }
        match received.body {
            Some(Body::Set(set)) => self.set(&set, now),
            Some(Body::Config(config)) => match self.roles.part(&config, N) {
                Ok(Came::More) => {}
                Ok(Came::Same) => self.do_held(now),
                Ok(Came::New) => {
                    self.change_over(now);
                    self.do_held(now);
                }
                Err(fault) => {
                    self.counters.refused_roles = self.counters.refused_roles.saturating_add(1);
                    self.counters.last_fault = Some(fault);
                }
            },
            _ => {}
        }
        self.note(now);
    }

    /// A session begins: all is told again, both ways.
    fn begin(&mut self) {
        self.is_lost = false;
        self.roles.begin();
        self.held = [None; N];
        for slot in &mut self.slots {
            match slot {
                Slot::Output(output) => output.begin(),
                Slot::Input(input) => input.begin(),
                Slot::Empty => {}
            }
        }
    }

    /// Another role is played: channels that stay as they were go on, others begin.
    fn change_over(&mut self, now: Millis) {
        let RoleId(hash) = self.roles.id();
        let mut changes = self.roles.changes();
        for (place, slot) in self.slots.iter_mut().enumerate() {
            let (before, after) = changes.next().unwrap_or_default();
            if before != after {
                let kept = self.record.kept(hash, place);
                let output = || Output::new(&after?, kept, now).map(Slot::Output);
                let input = || Input::new(&after?, now).map(Slot::Input);
                *slot = output().or_else(input).unwrap_or(Slot::Empty);
            } else if let Slot::Output(output) = slot {
                output.drive_again();
            }
        }
        self.record.begin(hash);
        self.is_new_role = true;
    }

    fn set(&mut self, set: &Set<'_>, now: Millis) {
        let order = match Order::read(set) {
            Ok(order) => order,
            Err(why) => return self.refuse(set.channel, why),
        };
        // It may be of the role that is on its way, or of one that was: here its place is another channel.
        if set.role != self.roles.id() {
            let held = self.held.get_mut(usize::from(set.channel));
            if let Some(held) = held
                && order.is_target()
            {
                *held = Some((set.role, order));
            }
            return;
        }
        self.take(set.channel, &order, now);
    }

    fn take(&mut self, channel: u8, order: &Order, now: Millis) {
        let done = match self.slots.get_mut(usize::from(channel)) {
            Some(Slot::Output(output)) => output.take(order, now),
            Some(Slot::Input(input)) if order.is_reset() => {
                { input.reset() }.then_some(()).ok_or(Refused::Command)
            }
            _ => Err(Refused::Channel),
        };
        if let Err(why) = done {
            self.refuse(channel, why);
        }
    }

    fn do_held(&mut self, now: Millis) {
        for channel in 0..N.min(u8::MAX.into()) {
            if let Some((role, order)) = self.held.get_mut(channel).and_then(Option::take)
                && role == self.roles.id()
            {
                self.take(channel as u8, &order, now);
            }
        }
    }

    fn refuse(&mut self, channel: u8, why: Refused) {
        if why != Refused::Old {
            self.counters.refused = self.counters.refused.saturating_add(1);
            self.counters.last_refused = Some((channel, why));
        }
    }

    /// Takes what the hardware of a channel says.
    ///
    /// # Errors
    /// [`Misfit`]: nothing changes.
    pub fn sample(&mut self, channel: u8, sample: Sample<'_>, now: Millis) -> Result<(), Misfit> {
        let Some(Slot::Input(input)) = self.slots.get_mut(usize::from(channel)) else {
            return Err(Misfit::Sample);
        };
        let (link, boot, role) = (&mut self.link, self.boot, self.roles.id());
        input.sample(sample, now, &mut |happened| {
            tell(link, (role, channel), happened, boot, now);
        })
    }

    /// Tells an event that no input here makes: of hardware that this crate has no driver for, or of none.
    ///
    /// # Errors
    /// It is beyond a limit of the link.
    pub fn event(
        &mut self,
        channel: u8,
        name: &str,
        fields: Fields<'_>,
        now: Millis,
    ) -> Result<(), BodyError> {
        let event = Event {
            seq: 0,
            role: self.roles.id(),
            channel,
            name,
            fields,
            t_ms: now.since(self.boot) as u32,
        };
        self.link.event(event, now).map(|_| ())
    }

    /// Reports what no input here knows; a newer report of the channel replaces it.
    ///
    /// # Errors
    /// It is beyond a limit of the link, or more channels wait than there is room for.
    pub fn state(&mut self, channel: u8, fields: Fields<'_>, now: Millis) -> Result<(), BodyError> {
        let state = State {
            rev: 0,
            role: self.roles.id(),
            channel,
            fields,
        };
        self.link.state(&state, now)
    }

    /// Does what fell due.
    pub fn handle_timeout(&mut self, now: Millis) {
        let (link, boot, role) = (&mut self.link, self.boot, self.roles.id());
        for (channel, slot) in (0..).zip(&mut self.slots) {
            match slot {
                Slot::Output(output) => output.handle_timeout(now),
                Slot::Input(input) => input.handle_timeout(now, &mut |happened| {
                    tell(link, (role, channel), happened, boot, now);
                }),
                Slot::Empty => {}
            }
        }
        if !self.is_lost && now.since(self.heard) >= LOST_MS {
            self.lose(now);
        }
        self.note(now);
    }

    fn lose(&mut self, now: Millis) {
        self.is_lost = true;
        self.counters.lost = self.counters.lost.saturating_add(1);
        for slot in &mut self.slots {
            if let Slot::Output(output) = slot {
                output.lose(now);
            }
        }
    }

    /// What outputs are after a power cut, where that changed.
    fn note(&mut self, now: Millis) {
        for (place, slot) in self.slots.iter().enumerate() {
            if let Slot::Output(output) = slot {
                self.record.note(place, output.kept(), now);
            }
        }
    }

    /// When [`Runtime::handle_timeout`] is due, where nothing comes before. May be in the past.
    #[must_use]
    pub fn deadline(&self) -> Millis {
        let lost = if self.is_lost {
            Millis::NEVER
        } else {
            self.heard.after(LOST_MS)
        };
        let own = self.link.deadline().min(lost).min(self.record.due());
        self.slots.iter().fold(own, |at, slot| match slot {
            Slot::Output(output) => at.min(output.deadline()),
            Slot::Input(input) => at.min(input.deadline()),
            Slot::Empty => at,
        })
    }

    /// Whether it plays another role than at the last call: its pins are to be set up anew, by [`Runtime::role`].
    pub fn poll_role(&mut self) -> bool {
        core::mem::take(&mut self.is_new_role)
    }

    /// What the pins of a channel should be, where that is another thing than before.
    pub fn poll_drive(&mut self) -> Option<(u8, Drive)> {
        (0..)
            .zip(&mut self.slots)
            .find_map(|(channel, slot)| match slot {
                Slot::Output(output) => Some((channel, output.poll_drive()?)),
                Slot::Empty | Slot::Input(_) => None,
            })
    }

    /// What is to be sent, at the start of `out` ([`wire::FRAME_LEN_MAX`] bytes): its length, or `None`.
    pub fn poll_transmit(
        &mut self,
        now: Millis,
        rng: &mut dyn CryptoRngCore,
        out: &mut [u8],
    ) -> Option<usize> {
        // What an output does while the dispatcher is lost is nobody's wish: it is told in the next session.
        if self.is_up() {
            self.report(now);
        }
        self.link.poll_transmit(now, rng, out)
    }

    /// The states that changed go to the link, which keeps the newest of each channel until it is heard.
    fn report(&mut self, now: Millis) {
        for (channel, slot) in (0..).zip(&mut self.slots) {
            let wanted = match slot {
                Slot::Output(output) => output.poll_report(),
                Slot::Input(input) => input.poll_report(),
                Slot::Empty => false,
            };
            if !wanted {
                continue;
            }
            let (rev, fields) = match slot {
                Slot::Output(output) => (output.rev(), output.state()),
                Slot::Input(input) => (0, input.state(now)),
                Slot::Empty => continue,
            };
            if fields.iter().next().is_none() {
                continue;
            }
            let state = State {
                rev,
                role: self.roles.id(),
                channel,
                fields,
            };
            if self.link.state(&state, now).is_err() {
                // So many wait already: again when some of them were heard.
                match slot {
                    Slot::Output(output) => output.report_again(),
                    Slot::Input(input) => input.report_again(),
                    Slot::Empty => {}
                }
                return;
            }
        }
    }

    /// What should be written to flash now, at the start of `out` ([`record_len`] bytes): its length, or `None`. Once a
    /// minute at the most.
    pub fn poll_store(&mut self, now: Millis, out: &mut [u8]) -> Option<usize> {
        self.record.poll(now, out)
    }

    /// The dispatcher says (on a topic that anybody may write) that it started again.
    pub fn epoch_hint(&mut self, now: Millis, rng: &mut dyn CryptoRngCore) {
        self.link.epoch_hint(now, rng);
    }

    /// The connection to the dispatcher is another one: it is asked at once whether it is there.
    pub fn reconnected(&mut self, now: Millis) {
        self.link.reconnected(now);
    }

    /// Ends the session for good: writes a last frame into `out`. Without a session there is nothing to say.
    pub fn bye(&mut self, reason: u8, now: Millis, out: &mut [u8]) -> Option<usize> {
        self.link.bye(reason, now, out)
    }
}

fn tell(
    link: &mut Device,
    (role, channel): (RoleId, u8),
    happened: Happened,
    boot: Millis,
    now: Millis,
) {
    let event = Event {
        seq: 0,
        role,
        channel,
        name: happened.name(),
        fields: happened.fields(),
        // Gestures are measured by differences: that it begins anew after 49 days does not matter.
        t_ms: now.since(boot) as u32,
    };
    // A name that is one, a channel below 64 and two small fields: it is within every limit.
    let _ = link.event(event, now);
}
