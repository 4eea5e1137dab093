//! Texts for people: to the carriers of the settings, and onto a topic of the broker. Called on the hot
//! thread, where nothing waits: a carrier has its own thread and queue.

use std::{collections::BTreeSet, io, sync::Arc, time::Duration};

use broker::{Message, Outbox, Qos};
use dispatcher::{ALL, Notify};
use notify::{Carriers, text};

use crate::settings;

/// Carries texts.
#[derive(Default)]
pub(super) struct Teller {
    carriers: Carriers,
    /// Names and topics of those on the broker.
    topics: Vec<(Arc<str>, Arc<str>)>,
}

impl Teller {
    /// Starts all carriers.
    ///
    /// # Errors
    /// A carrier that can't be used.
    pub(super) fn start(settings: &settings::Notify) -> io::Result<Self> {
        let topic = |name: &Arc<str>| {
            let topic = format!("iot/dispatcher/notify/{name}");
            (Arc::clone(name), topic.into())
        };
        Ok(Self {
            carriers: Carriers::start(&settings.carriers)?,
            topics: settings.mqtt.iter().map(topic).collect(),
        })
    }

    /// Tells people. What becomes of it, the dispatcher has said already.
    pub(super) fn tell(&self, notification: &Notify, out: &mut Outbox) {
        let text = text::body(&notification.text);
        let is_meant = |name: &str| *notification.to == *ALL || *notification.to == *name;
        for name in self.carriers.names().filter(|name| is_meant(name)) {
            self.carriers.hand(name, &text);
        }
        for (_, topic) in self.topics.iter().filter(|(name, _)| is_meant(name)) {
            let message = Message::trusted(Arc::clone(topic), text.clone());
            out.send(message.qos(Qos::AtLeastOnce));
        }
    }

    /// Writes down in the log what people are told.
    pub(super) fn log(notification: &Notify) {
        let text = text::body(&notification.text);
        tracing::info!(to = %notification.to, text, "notify");
    }

    /// Where texts are published.
    pub(super) fn topics(&self) -> impl Iterator<Item = &Arc<str>> {
        self.topics.iter().map(|(_, topic)| topic)
    }

    /// Waits a little for what has not left yet.
    pub(super) fn finish(self, patience: Duration) {
        if !self.carriers.finish(patience) {
            tracing::warn!("some texts for people have not left yet and are lost");
        }
    }
}

/// The names that rules may tell people by.
pub(super) fn names(settings: &settings::Notify) -> BTreeSet<Arc<str>> {
    let carriers = settings.carriers.iter().map(|carrier| &carrier.name);
    carriers.chain(&settings.mqtt).cloned().collect()
}
