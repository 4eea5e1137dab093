//! Carries texts to people: to their phone by ntfy, to a program by a webhook, by mail.
//!
//! [`Carriers`] has a bounded queue and a thread for each carrier. Whoever hands a text over never waits: it
//! is queued, or left out and counted. The thread delivers one after the other, tries again with longer and
//! longer pauses what was not taken, lets others pass meanwhile, and gives up after a day.
//!
//! Called by the binary, with what its settings say. Must not know the house, the mapping, MQTT or tokio.
//! Texts come from rules and through them from anybody: [`text`] makes them harmless. Secrets are a type of
//! their own that does not print.

mod carriers;
mod http;
mod late;
mod mail;
mod queue;
mod retry;
mod secret;
pub mod text;

use std::sync::Arc;

pub use carriers::{Carriers, Handed};
pub use http::{Ntfy, Webhook};
pub use mail::{Mail, Security};
pub use secret::Secret;

/// Somebody who carries texts.
#[derive(Clone, Debug, PartialEq)]
pub struct Carrier {
    /// As rules call it.
    pub name: Arc<str>,
    /// How.
    pub way: Way,
}

/// How a text gets to people.
#[derive(Clone, Debug, PartialEq)]
pub enum Way {
    /// An ntfy server, which pushes to phones.
    Ntfy(Ntfy),
    /// A POST of JSON to whoever listens.
    Webhook(Webhook),
    /// Mail through an SMTP server.
    Mail(Mail),
}

/// Why a text was not delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The other side is away or busy: later may be better.
    Passing(String),
    /// The other side will not take it, however often it is asked.
    Lasting(String),
}

/// What delivers one text.
pub(crate) type Deliver = Box<dyn FnMut(&str) -> Result<(), Failure> + Send>;

impl Way {
    /// Makes it ready to deliver.
    ///
    /// # Errors
    /// What about it can't be used: a certificate that is none, an address that is none.
    pub(crate) fn open(&self) -> Result<Deliver, String> {
        match self {
            Self::Ntfy(ntfy) => http::ntfy(ntfy),
            Self::Webhook(webhook) => http::webhook(webhook),
            Self::Mail(mail) => mail::open(mail),
        }
    }

    /// Whether it could be used.
    ///
    /// # Errors
    /// As a person may read it, without any secret.
    pub fn check(&self) -> Result<(), String> {
        self.open().map(drop)
    }
}
