//! The house's end of the sealed link: sessions of devices that have a key, between datagrams or topics of a broker and the
//! dispatcher.
//!
//! Owned by [`super::app`], on the hot thread; nothing here waits. Knows keys and sessions, places of channels in roles and
//! sockets and topics to answer on; what anything means is the dispatcher's. Sessions are never written down.

pub(crate) mod cages;
pub(super) mod mqtt;
mod row;
pub(super) mod udp;

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::{SocketAddr, UdpSocket},
    sync::Arc,
};

use broker::{Client, ClientKey};
use dispatcher::{Dispatcher, Sides, Subject, Tell, Token, role};
use link::{Address, Limits, Millis, Own, ResetKey, SendError, Told};
use mapping::{Program, program::DeviceIx};
use store::{HouseKeys, SealedDevice};
use types::{InputNo, Instant, Now};
use wire::{Body, Config, Handle, PART_LEN_MAX, PublicKey, Site};

use crate::{acl, kernel::Kernel};
use cages::Cages;
use row::Row;

/// An event whose acknowledgement waits for the journal.
struct Unacked {
    input: InputNo,
    device: Handle,
    boot_id: u64,
    seq: u32,
}

/// All devices that have a key.
#[derive(Default)]
pub(super) struct Sealed {
    /// `None`: the house has no keys, for nobody needed any.
    link: Option<link::Dispatcher>,
    /// Who the house is for devices.
    own: Option<(PublicKey, Site)>,
    rows: BTreeMap<Handle, Row>,
    handles: BTreeMap<DeviceIx, Handle>,
    sockets: Vec<UdpSocket>,
    /// Connections of devices to our own broker.
    pub(super) cages: Cages,
    /// Frames for topics of a broker, which nobody could take yet.
    letters: Vec<(Arc<str>, Vec<u8>)>,
    unacked: VecDeque<Unacked>,
    /// When the link wants to be called; `None`: to be asked again.
    deadline: Cell<Option<Millis>>,
    /// The link was called where nobody could hear what it told.
    is_restless: bool,
}

/// The link's time is the house's.
fn millis(now: Now) -> Millis {
    Millis(now.at.0 / 1_000)
}

impl Sealed {
    /// The devices of `house`.
    pub(super) fn new(
        house: Option<&HouseKeys>,
        devices: impl IntoIterator<Item = SealedDevice>,
        now: Now,
    ) -> Self {
        let mut sealed = Self::default();
        if let Some(house) = house {
            sealed.begin(house, now);
        }
        for device in devices {
            sealed.put(&device, now);
        }
        sealed
    }

    /// From now on the house has keys.
    fn begin(&mut self, house: &HouseKeys, now: Now) {
        let own = Own::new(house.secret.clone());
        self.own = Some((own.public(), house.site));
        let resets = ResetKey::new(house.resets.clone());
        let at = millis(now);
        let link = link::Dispatcher::new(own, resets, Limits::default(), at, &mut Kernel);
        self.link = Some(link);
        self.deadline.set(None);
    }

    /// From now on this socket answers, and what comes to it is given to [`Self::handle`].
    pub(super) fn answer_from(&mut self, socket: UdpSocket) {
        self.sockets.push(socket);
    }

    /// Whether devices can reach it.
    pub(super) fn is_listening(&self) -> bool {
        !self.sockets.is_empty()
    }

    /// Lets a device in, in place of one that had another key.
    pub(super) fn add(
        &mut self,
        now: Now,
        device: &SealedDevice,
        house: &HouseKeys,
        before: Option<PublicKey>,
    ) {
        if self.link.is_none() {
            self.begin(house, now);
        }
        self.drop_key(before);
        self.put(device, now);
    }

    /// Who the house is for devices; `None`: it has no keys.
    pub(super) fn own(&self) -> Option<(PublicKey, Site)> {
        self.own
    }

    /// Lets a device in for as long as this process lives, in place of one that had another key.
    pub(super) fn lend(&mut self, now: Now, device: &SealedDevice, before: Option<PublicKey>) {
        self.drop_key(before);
        self.put(device, now);
    }

    fn drop_key(&mut self, key: Option<PublicKey>) {
        let Some(key) = key else { return };
        self.rows.remove(&Handle::of(&key));
        if let Some(link) = self.link_mut() {
            link.revoke(key);
        }
        self.is_restless = true;
    }

    fn put(&mut self, device: &SealedDevice, now: Now) {
        let handle = Handle::of(&device.key);
        if let Some(link) = self.link_mut() {
            link.register(device.key, device.psk.clone(), millis(now));
        }
        self.rows.insert(handle, Row::new(device));
    }

    fn link_mut(&mut self) -> Option<&mut link::Dispatcher> {
        self.deadline.set(None);
        self.link.as_mut()
    }

    /// Whom it speaks with, for [`Dispatcher::seal`].
    pub(super) fn subjects(&self) -> BTreeSet<Subject> {
        self.rows.values().map(Row::subject).collect()
    }

    /// Looks everybody up in the mapping in force; `before` is the one until now. Gives the devices with a session that
    /// bear a name which they did not have.
    pub(super) fn recognise(&mut self, before: &Program, house: &Dispatcher) -> Vec<DeviceIx> {
        let mut came = Vec::new();
        self.handles.clear();
        for (handle, row) in &mut self.rows {
            if row.recognise(before, house) {
                came.extend(row.device.filter(|_| row.is_here));
            }
            if let Some(device) = row.device {
                self.handles.insert(device, *handle);
            }
        }
        for (device, handle) in self.handles.clone() {
            self.block_handle(handle, house.blocked(device));
        }
        came
    }

    /// The public key of a device; `None`: it is not on the sealed link.
    pub(super) fn key_of(&self, device: DeviceIx) -> Option<PublicKey> {
        let handle = self.handles.get(&device)?;
        Some(self.rows.get(handle)?.key)
    }

    /// What a device is called in public.
    pub(super) fn handle_of(&self, device: DeviceIx) -> Option<Handle> {
        self.handles.get(&device).copied()
    }

    /// By which way a device is there; `None`: it has no session.
    pub(super) fn way_of(&self, device: DeviceIx) -> Option<&'static str> {
        let link = self.link.as_ref()?;
        Some(match link.address(self.handle_of(device)?)? {
            Address::Udp(_) => "udp",
            Address::Mqtt(link::Broker::Own, _) => "mqtt",
            Address::Mqtt(link::Broker::External, _) => "external-broker",
        })
    }

    /// The devices of the mapping in force that have a key.
    pub(super) fn known(&self) -> acl::Sealed {
        let site = self.own.map(|(_, site)| site);
        let handles = self.handles.iter();
        handles
            .filter_map(|(device, handle)| Some((*device, (site?, *handle))))
            .collect()
    }

    /// The device with this handle.
    pub(super) fn row(&mut self, handle: Handle) -> Option<&mut Row> {
        self.rows.get_mut(&handle)
    }

    /// Takes a frame; [`Self::poll_told`] then says what came of it. Gives whether it is a device's word of now.
    pub(super) fn handle(&mut self, now: Now, from: Address, frame: &[u8]) -> bool {
        // A clock that nobody set is told to nobody.
        let unix_ms = now.wall.0.max(0) as u64 / 1_000;
        let unix_ms = if now.synced { unix_ms } else { 0 };
        let link = self.link_mut();
        link.is_some_and(|link| link.handle(millis(now), from, frame, unix_ms, &mut Kernel))
    }

    /// A client of our own broker came; gives the user of a connection that has to go for it.
    pub(super) fn came(&mut self, now: Now, client: &Client<'_>) -> Option<Arc<str>> {
        self.cages.came(client, now.at)
    }

    /// A client of our own broker left. Where a device spoke there, it is asked whether it is there by another way.
    pub(super) fn left(&mut self, now: Now, client: ClientKey) {
        if let Some(device) = self.cages.left(client) {
            self.lost(now, device);
        }
    }

    /// Lets the link do what fell due.
    pub(super) fn tick(&mut self, now: Now) {
        let is_due = self.due().is_some_and(|due| due <= millis(now));
        if let Some(link) = self.link_mut().filter(|_| is_due) {
            link.handle_timeout(millis(now), &mut Kernel);
        }
        self.is_restless = false;
    }

    fn due(&self) -> Option<Millis> {
        let link = self.link.as_ref()?;
        let due = self.deadline.get().unwrap_or_else(|| link.deadline());
        self.deadline.set(Some(due));
        Some(due)
    }

    /// When [`Self::tick`] is wanted.
    pub(super) fn next_deadline(&self, now: Now) -> Option<Instant> {
        let due = self.due()?;
        if self.is_restless || !self.letters.is_empty() {
            return Some(now.at);
        }
        let due = Instant(due.0.saturating_mul(1_000));
        let cages = self.cages.next_deadline();
        Some(cages.map_or(due, |overdue| overdue.min(due)))
    }

    /// The next thing that happened.
    pub(super) fn poll_told(&mut self) -> Option<Told> {
        self.link.as_mut()?.poll_told()
    }

    /// A device lost this.
    pub(super) fn block(&mut self, device: DeviceIx, sides: Sides) {
        if let Some(handle) = self.handles.get(&device).copied() {
            self.block_handle(handle, sides);
        }
    }

    /// What a blocked device says is the dispatcher's to count and to leave unheard; nothing is told to a blocked
    /// consumer, and who is blocked both ways has no session.
    fn block_handle(&mut self, handle: Handle, sides: Sides) {
        if let Some(link) = self.link_mut() {
            link.block(handle, sides == Sides::BOTH, sides.consumer);
            self.is_restless = true;
        }
    }

    /// Tells a device something. One that is away is told all when its session begins.
    pub(super) fn tell(&mut self, now: Now, house: &Dispatcher, tell: &Tell) {
        let program = house.program();
        let device = match tell {
            Tell::Role(device) | Tell::SyncEnd(device) => Some(*device),
            other => other.channel().map(|channel| program[channel].device),
        };
        let Some(handle) = device.and_then(|device| self.handle_of(device)) else {
            return;
        };
        let told = match (tell, device) {
            (Tell::Role(device), _) => self.tell_role(now, handle, program, *device),
            (Tell::SyncEnd(_), _) => self.end_sync(now, handle),
            _ => self.tell_channel(now, handle, program, tell),
        };
        match told {
            // Its session begins with all of it; or people want it so.
            Ok(()) | Err(SendError::Offline | SendError::Blocked | SendError::Unknown) => {}
            Err(why) => {
                let name = device.map(|device| &program[device].name);
                tracing::warn!(device = ?name, %why, "can't tell a device over the sealed link");
            }
        }
    }

    fn tell_role(
        &mut self,
        now: Now,
        handle: Handle,
        program: &Program,
        device: DeviceIx,
    ) -> Result<(), SendError> {
        let (Some(row), Some(link)) = (self.rows.get_mut(&handle), &mut self.link) else {
            return Err(SendError::Unknown);
        };
        if !link.is_online(handle) {
            return Err(SendError::Offline);
        }
        let bytes = match role::encode(program, device) {
            Ok(bytes) => bytes,
            Err(why) => {
                let device = &program[device].name;
                tracing::warn!(%device, "gets no role over the sealed link: {why}");
                return Ok(());
            }
        };
        self.deadline.set(None);
        row.begin_role();
        let parts = bytes.chunks(PART_LEN_MAX);
        let count = parts.len() as u8;
        for (part, bytes) in (0..).zip(parts) {
            let config = Config {
                rev: row.rev,
                part,
                parts: count,
                bytes,
            };
            link.send(handle, &Body::Config(config), millis(now))?;
        }
        Ok(())
    }

    fn end_sync(&mut self, now: Now, handle: Handle) -> Result<(), SendError> {
        let (Some(row), Some(link)) = (self.rows.get(&handle), &mut self.link) else {
            return Err(SendError::Unknown);
        };
        self.deadline.set(None);
        let body = Body::SyncEnd {
            config_rev: row.rev,
            sets: row.awaits.len().try_into().unwrap_or(u16::MAX),
        };
        link.send(handle, &body, millis(now))
    }

    fn tell_channel(
        &mut self,
        now: Now,
        handle: Handle,
        program: &Program,
        tell: &Tell,
    ) -> Result<(), SendError> {
        let (Some(row), Some(link)) = (self.rows.get_mut(&handle), &mut self.link) else {
            return Err(SendError::Unknown);
        };
        let Some((role, place)) = tell.channel().and_then(|channel| row.place_of(channel)) else {
            // It has no role, and people were told why.
            return Ok(());
        };
        let Some(set) = tell.set(program, (role, place)).map_err(SendError::Body)? else {
            return Ok(());
        };
        self.deadline.set(None);
        let is_command = set.command.is_some();
        let rev = link.set(handle, set, millis(now))?;
        if let Some(token) = tell.token() {
            row.awaits.insert((place, is_command), (rev, token));
        }
        Ok(())
    }

    /// The device took this SET: what to tell the dispatcher.
    pub(super) fn taken(&mut self, handle: Handle, rev: u32) -> Option<(DeviceIx, Token)> {
        let row = self.rows.get_mut(&handle)?;
        let (place, (_, token)) = { row.awaits.iter() }.find(|(_, (told, _))| *told == rev)?;
        let (place, token) = (*place, *token);
        row.awaits.remove(&place);
        Some((row.device?, token))
    }

    /// The journal holds this event once it has the input.
    pub(super) fn await_journal(&mut self, input: InputNo, device: Handle, boot_id: u64, seq: u32) {
        self.unacked.push_back(Unacked {
            input,
            device,
            boot_id,
            seq,
        });
    }

    /// The device may forget this event.
    pub(super) fn journalled(&mut self, now: Now, device: Handle, boot_id: u64, seq: u32) {
        if let Some(link) = self.link_mut() {
            link.journalled(device, boot_id, seq, millis(now));
        }
    }

    /// All inputs up to this one are kept.
    pub(super) fn reached(&mut self, now: Now, input: InputNo) {
        while let Some(kept) = self.unacked.pop_front_if(|kept| kept.input <= input) {
            self.journalled(now, kept.device, kept.boot_id, kept.seq);
        }
    }

    /// Sends what is to be sent, and writes the letters for [`Self::post`]. A socket that takes no more loses it: it is said
    /// again.
    pub(super) fn flush(&mut self) {
        while let Some((to, bytes)) = self.link.as_mut().and_then(link::Dispatcher::poll_transmit) {
            match to {
                Address::Udp(to) => {
                    if let Some(socket) = socket_for(&self.sockets, to)
                        && let Err(error) = socket.send_to(&bytes, to)
                    {
                        tracing::debug!(%to, %error, "a datagram did not leave");
                    }
                }
                Address::Mqtt(broker, device) => self.write_to(broker, device, bytes),
            }
        }
    }

    /// Says goodbye to whom datagrams reach: they look for the next start at once, and not when they miss it. Others see that
    /// their connection is over, or ask again.
    pub(super) fn say_goodbye(&mut self, now: Now) {
        let handles: Vec<Handle> = self.rows.keys().copied().collect();
        if let Some(link) = self.link_mut() {
            for handle in handles {
                // Nobody is told who is not there.
                let _ = link.send(handle, &Body::Bye { reason: 0 }, millis(now));
            }
        }
        self.flush();
    }

    /// What was refused, by name.
    pub(super) fn counters(&self) -> Option<link::Counters> {
        Some(self.link.as_ref()?.counters())
    }

    /// How many devices have a session.
    pub(super) fn sessions(&self) -> usize {
        self.rows.values().filter(|row| row.is_here).count()
    }
}

/// A socket of the same kind of address.
fn socket_for(sockets: &[UdpSocket], to: SocketAddr) -> Option<&UdpSocket> {
    let fits = |socket: &&UdpSocket| {
        let own = socket.local_addr();
        own.is_ok_and(|own| own.is_ipv4() == to.is_ipv4())
    };
    sockets.iter().find(fits)
}
