//! Devices on the sealed link at our own broker: who comes in as `ic1/HANDLE`, without a password, comes into a cage, where
//! there are its own three topics and nothing else.
//!
//! Whoever knows a handle can come in; what is sealed is all that counts. So each connection is a user of its own, which
//! takes over no other, none of it outlives it, and one that proves nothing goes after a while, or where too many are there.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use broker::{Access, Client, ClientKey, Filter};
use types::Instant;
use wire::{Handle, Site, Topic};

/// What topics of the link begin with, and users of it.
pub(crate) const PREFIX: &str = "ic1/";

/// A connection on which the device said nothing sealed by then is not the device's.
const PROOF_WITHIN: Duration = Duration::from_secs(10);

/// Connections of one handle. A device has one, and what is left of those before it.
const OF_ONE_MAX: usize = 8;

/// The connections that there are.
#[derive(Default)]
pub(in crate::run) struct Cages {
    cages: BTreeMap<ClientKey, Cage>,
    /// When those go that proved nothing yet; none of them is told twice.
    waiting: BTreeSet<(Instant, ClientKey)>,
    /// How many there were.
    count: u64,
}

struct Cage {
    handle: Handle,
    user: Arc<str>,
    from: IpAddr,
    /// When it goes unless it proves whose it is; `None`: it did.
    until: Option<Instant>,
    no: u64,
}

/// The handle that a user name of the link says.
pub(super) fn handle_of(user: &str) -> Option<Handle> {
    Handle::parse(user.strip_prefix(PREFIX)?.split('/').next()?)
}

impl Cages {
    /// The rights of another connection with this handle.
    pub(super) fn access(&mut self, handle: Handle, site: Site) -> Access {
        self.count += 1;
        let filters = |topics: &[Topic]| {
            let texts = topics.iter().map(|topic| topic.text(site));
            texts
                .filter_map(|text| Filter::new(text.as_str()).ok())
                .collect()
        };
        Access {
            publish: filters(&[Topic::Up(handle), Topic::Will(handle)]),
            subscribe: filters(&[Topic::Down(handle)]),
            passing: true,
            ..Access::none(&format!("{PREFIX}{handle}/{}", self.count))
        }
    }

    /// A client came; gives the user of the connection that goes for it, where there are too many of its handle.
    pub(super) fn came(&mut self, client: &Client<'_>, now: Instant) -> Option<Arc<str>> {
        let handle = handle_of(client.user)?;
        self.count += 1;
        let cage = Cage {
            handle,
            user: client.user.into(),
            from: client.peer.ip(),
            until: Some(now.after(PROOF_WITHIN)),
            no: self.count,
        };
        let goes = self.one_too_many(handle);
        self.waiting
            .extend(cage.until.map(|until| (until, client.key)));
        self.cages.insert(client.key, cage);
        goes
    }

    /// Whose connection goes: one that proved nothing rather than one that did, of the address that has most of those, the
    /// oldest. So nobody from elsewhere makes room at the cost of a device that just comes.
    fn one_too_many(&self, handle: Handle) -> Option<Arc<str>> {
        let all = || self.cages.values().filter(|cage| cage.handle == handle);
        if all().count() < OF_ONE_MAX {
            return None;
        }
        let strangers = |from: IpAddr| {
            let theirs = all().filter(|cage| cage.until.is_some() && cage.from == from);
            theirs.count()
        };
        let first = |cage: &&Cage| {
            let of_address = cage.until.map_or(0, |_| strangers(cage.from));
            (of_address, std::cmp::Reverse(cage.no))
        };
        all().max_by_key(first).map(|cage| Arc::clone(&cage.user))
    }

    /// The device whose topics this client has; `None`: it is another client.
    pub(in crate::run) fn handle(&self, client: ClientKey) -> Option<Handle> {
        Some(self.cages.get(&client)?.handle)
    }

    /// The device said something sealed there.
    pub(in crate::run) fn proved(&mut self, client: ClientKey) {
        let cage = self.cages.get_mut(&client);
        if let Some(until) = cage.and_then(|cage| cage.until.take()) {
            self.waiting.remove(&(until, client));
        }
    }

    /// A client left; gives the device whose connection it was, where that is proved.
    pub(super) fn left(&mut self, client: ClientKey) -> Option<Handle> {
        let cage = self.cages.remove(&client)?;
        match cage.until {
            Some(until) => {
                self.waiting.remove(&(until, client));
                None
            }
            None => Some(cage.handle),
        }
    }

    /// The users of connections that proved nothing in time; each is told once.
    pub(in crate::run) fn overdue(&mut self, now: Instant) -> Vec<Arc<str>> {
        let mut overdue = Vec::new();
        while let Some((until, client)) = self.waiting.first().copied()
            && until <= now
        {
            self.waiting.pop_first();
            let cage = self.cages.get(&client);
            overdue.extend(cage.map(|cage| Arc::clone(&cage.user)));
        }
        overdue
    }

    /// When [`Self::overdue`] is wanted.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.waiting.first().map(|(until, _)| *until)
    }

    /// The users of all connections with this handle.
    pub(in crate::run) fn users(&self, handle: Handle) -> impl Iterator<Item = &Arc<str>> {
        let of_it = self
            .cages
            .values()
            .filter(move |cage| cage.handle == handle);
        of_it.map(|cage| &cage.user)
    }
}

#[cfg(test)]
mod tests {
    use broker::Version;

    use super::*;

    const DEVICE: Handle = Handle([1; 8]);

    fn came(cages: &mut Cages, key: u32, address: [u8; 4], at: Instant) -> Option<Arc<str>> {
        let access = cages.access(DEVICE, Site([2; 8]));
        let client = Client {
            key: ClientKey(key),
            id: "any",
            user: &access.user,
            peer: (address, 1).into(),
            version: Version::V5,
            siblings: 0,
        };
        cages.came(&client, at)
    }

    #[test]
    fn each_connection_is_a_user_of_its_own_with_three_topics() {
        let mut cages = Cages::default();
        let (one, other) = (
            cages.access(DEVICE, Site([2; 8])),
            cages.access(DEVICE, Site([2; 8])),
        );
        assert_ne!(one.user, other.user);
        assert_eq!(handle_of(&one.user), Some(DEVICE));
        assert!(one.passing && !one.superuser);
        let topic = |topic: Topic| topic.text(Site([2; 8])).as_str().to_owned();
        assert!(one.may_publish(&topic(Topic::Up(DEVICE))));
        assert!(one.may_publish(&topic(Topic::Will(DEVICE))));
        assert!(one.may_receive(&topic(Topic::Down(DEVICE))));
        for none in [Topic::Down(DEVICE), Topic::Up(Handle([9; 8])), Topic::Epoch] {
            assert!(!one.may_publish(&topic(none)), "{none:?}");
        }
        for none in [Topic::Up(DEVICE), Topic::Down(Handle([9; 8]))] {
            assert!(!one.may_receive(&topic(none)), "{none:?}");
        }
    }

    #[test]
    fn strangers_make_room_for_each_other_and_never_for_the_device() {
        let mut cages = Cages::default();
        assert_eq!(came(&mut cages, 0, [10, 0, 0, 1], Instant(0)), None);
        cages.proved(ClientKey(0));
        let mut key = 1;
        while cages.cages.len() < OF_ONE_MAX {
            assert_eq!(came(&mut cages, key, [10, 0, 0, 9], Instant(0)), None);
            key += 1;
        }
        // The device comes again; it takes the place of the oldest stranger.
        let oldest = Arc::clone(&cages.cages[&ClientKey(1)].user);
        assert_eq!(
            came(&mut cages, key, [10, 0, 0, 1], Instant(0)),
            Some(oldest)
        );
        cages.left(ClientKey(1));
        let next = Arc::clone(&cages.cages[&ClientKey(2)].user);
        assert_eq!(
            came(&mut cages, key + 1, [10, 0, 0, 9], Instant(0)),
            Some(next)
        );
    }

    #[test]
    fn who_proves_nothing_goes_after_a_while_and_who_does_stays() {
        let mut cages = Cages::default();
        came(&mut cages, 0, [10, 0, 0, 1], Instant(0));
        came(&mut cages, 1, [10, 0, 0, 1], Instant(0));
        let stranger = Arc::clone(&cages.cages[&ClientKey(1)].user);
        cages.proved(ClientKey(0));
        let due = Instant(0).after(PROOF_WITHIN);
        assert_eq!(cages.next_deadline(), Some(due));
        assert_eq!(cages.overdue(due), [stranger]);
        assert!(cages.overdue(due).is_empty(), "it is told once");
        assert_eq!(cages.left(ClientKey(1)), None, "nobody's");
        assert_eq!(cages.left(ClientKey(0)), Some(DEVICE));
        assert_eq!(cages.next_deadline(), None);
    }
}
