//! Who may publish and receive what. Given by the application, asked by the core on every publish,
//! subscribe and delivery.

use std::sync::Arc;

use crate::topic::Filter;

/// The rights of one user. Lists allow; what no filter matches is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// The user's name; sessions and connections belong to it.
    pub user: Arc<str>,
    /// Topics it may publish on.
    pub publish: Arc<[Filter]>,
    /// Topics it may receive. A subscription is taken where it overlaps one of them, and delivers
    /// only what one of them matches.
    pub subscribe: Arc<[Filter]>,
    /// Everything is allowed, whatever the lists say.
    pub superuser: bool,
    /// Nothing of a session outlives its connection, whatever the client asks for, and its address counts as one that nobody
    /// has logged in from: for clients that no password vouches for.
    pub passing: bool,
    /// It speaks for many, such as all clients of another broker: no share of the retained messages bounds it.
    pub many: bool,
}

impl Access {
    /// Rights to nothing, to be filled in.
    #[must_use]
    pub fn none(user: &str) -> Self {
        Self {
            user: user.into(),
            publish: Arc::default(),
            subscribe: Arc::default(),
            superuser: false,
            passing: false,
            many: false,
        }
    }

    /// Rights to everything.
    #[must_use]
    pub fn superuser(user: &str) -> Self {
        Self {
            superuser: true,
            ..Self::none(user)
        }
    }

    /// Whether the user may publish on `topic`. Nobody may on topics that start with `$`:
    /// those are the broker's own (MQTT 5 section 4.7.2).
    #[must_use]
    pub fn may_publish(&self, topic: &str) -> bool {
        !topic.starts_with('$')
            && (self.superuser || self.publish.iter().any(|allowed| allowed.matches(topic)))
    }

    /// Whether the user may receive a message on `topic`.
    #[must_use]
    pub fn may_receive(&self, topic: &str) -> bool {
        self.superuser || self.subscribe.iter().any(|allowed| allowed.matches(topic))
    }

    /// Whether a subscription could ever deliver something.
    #[must_use]
    pub fn may_subscribe(&self, filter: &Filter) -> bool {
        self.superuser
            || self
                .subscribe
                .iter()
                .any(|allowed| allowed.overlaps(filter))
    }

    /// Whether all that a subscription could deliver is allowed, so that deliveries need no check.
    pub(crate) fn covers(&self, filter: &Filter) -> bool {
        self.superuser || self.subscribe.iter().any(|allowed| allowed.covers(filter))
    }
}
