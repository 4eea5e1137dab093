//! The sealed link over MQTT: frames come on `ic1/SITE/up/HANDLE` and go on `ic1/SITE/dn/HANDLE`, a last will comes on
//! `ic1/SITE/w/HANDLE`. At an external broker they are the same; on their way there they have a topic of their own inside.

use std::sync::Arc;

use broker::{Admission, Message, Outbox, Refusal};
use dispatcher::{Dispatcher, Sides};
use link::{Address, Broker};
use types::Now;
use wire::{Handle, Site, Topic, Will};

use super::{
    Sealed,
    cages::{self, PREFIX},
    millis,
};

/// What the topics of frames begin with that are on their way to an external broker.
const OUTSIDE: &str = "ic1/external/";

/// What a message on a topic of the link is.
pub(in crate::run) enum Brought {
    /// A frame of this device.
    Frame(Address),
    /// Its last will, or what passes for it.
    Will(Address, Handle),
}

/// Where a frame for a device goes inside.
fn topic_to(site: Site, broker: Broker, device: Handle) -> Arc<str> {
    match broker {
        Broker::Own => Topic::Down(device).text(site).as_str().into(),
        Broker::External => {
            let topic = Topic::Down(device).text(site);
            format!("{OUTSIDE}{}", without_prefix(topic.as_str())).into()
        }
    }
}

impl Sealed {
    /// Whether who logs in by this name comes over the sealed link; if so, whether it may.
    pub(in crate::run) fn admit(&mut self, user: &str, house: &Dispatcher) -> Option<Admission> {
        let handle = cages::handle_of(user)?;
        let site = self.own.map(|(_, site)| site);
        let known = site.zip(self.rows.get(&handle));
        let Some((site, row)) = known else {
            return Some(Admission::Refuse(Refusal::NotAuthorized));
        };
        let is_blocked = |device| house.blocked(device) == Sides::BOTH;
        if row.device.is_some_and(is_blocked) {
            return Some(Admission::Refuse(Refusal::Banned));
        }
        Some(Admission::Accept(self.cages.access(handle, site)))
    }

    /// What a message is for the link; `None`: nothing, for `of` may not say it. `of`: the device whose topics the sender has at
    /// our own broker; who has none is the external broker.
    pub(in crate::run) fn brought(&self, topic: &str, of: Option<Handle>) -> Option<Brought> {
        let (_, site) = self.own?;
        let from = |device: Handle| match of {
            Some(own) => (own == device).then_some(Address::Mqtt(Broker::Own, device)),
            None => Some(Address::Mqtt(Broker::External, device)),
        };
        match Topic::parse(topic, site)? {
            Topic::Up(device) => Some(Brought::Frame(from(device)?)),
            Topic::Will(device) => Some(Brought::Will(from(device)?, device)),
            Topic::Down(_) | Topic::Epoch => None,
        }
    }

    /// Somebody left a last will in this device's name: it is asked.
    pub(in crate::run) fn hint(&mut self, now: Now, (on, device): (Address, Handle), will: &[u8]) {
        if let (Ok(will), Some(link)) = (Will::decode(will), self.link_mut()) {
            link.will_hint(on, device, Some(will.boot_id), millis(now));
            self.is_restless = true;
        }
    }

    /// A connection to our own broker on which a device spoke is over: it is asked.
    pub(super) fn lost(&mut self, now: Now, device: Handle) {
        if let Some(link) = self.link_mut() {
            let on = Address::Mqtt(Broker::Own, device);
            link.will_hint(on, device, None, millis(now));
            self.is_restless = true;
        }
    }

    /// What crosses over to an external broker: what is heard there, and what is told.
    pub(in crate::run) fn outside(&self) -> Option<([String; 2], String)> {
        let (_, site) = self.own?;
        let epoch = Topic::Epoch.text(site);
        let below = epoch.as_str().trim_end_matches("epoch");
        let heard = ["up", "w"].map(|kind| format!("{below}{kind}/+"));
        Some((heard, format!("{OUTSIDE}{}dn/+", without_prefix(below))))
    }

    /// Hands the letters out; they are not kept for who is not there.
    pub(in crate::run) fn post(&mut self, out: &mut Outbox) {
        self.flush();
        for (topic, frame) in self.letters.drain(..) {
            out.send(Message::trusted(topic, frame));
        }
    }

    /// Puts a frame among what [`Self::post`] hands out.
    pub(super) fn write_to(&mut self, broker: Broker, device: Handle, frame: Vec<u8>) {
        let Some((_, site)) = self.own else { return };
        self.letters.push((topic_to(site, broker, device), frame));
    }
}

fn without_prefix(topic: &str) -> &str {
    topic.strip_prefix(PREFIX).unwrap_or(topic)
}

/// Where a frame that is on its way to an external broker goes there; `None`: it is none.
pub(in crate::run) fn outside_topic(topic: &str) -> Option<String> {
    Some(format!("{PREFIX}{}", topic.strip_prefix(OUTSIDE)?))
}

/// Whether only the link has a say on this topic.
pub(in crate::run) fn is_of_link(topic: &str) -> bool {
    topic.starts_with(PREFIX)
}
