//! What was refused: the newest for each device, for `device show`, and log lines at a bounded rate.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use broker::Denied;
use dispatcher::Refusal;
use types::{Instant, Now};

/// One log line in this time for each sender; the rest is counted.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// Whoever could not log in.
const STRANGERS: &str = "strangers";

/// Senders that are remembered; beyond it the longest silent one is forgotten.
const SENDERS_MAX: usize = 1_024;

/// The newest refusals by sender.
#[derive(Default)]
pub(super) struct Refusals {
    senders: BTreeMap<Arc<str>, Sender>,
}

struct Sender {
    newest: String,
    logged: Option<Instant>,
    at: Instant,
    unlogged: u64,
}

impl Refusals {
    /// A message that the dispatcher could not use. Says whether it was logged: often enough for a record.
    pub(super) fn note(&mut self, now: Now, refusal: &Refusal) -> bool {
        self.add(now, &refusal.who, refusal.to_string())
    }

    /// Something that the broker refused; `is_known` says whether a name is a user's.
    pub(super) fn denied(&mut self, now: Now, what: &Denied<'_>, is_known: impl Fn(&str) -> bool) {
        match what {
            Denied::Connect {
                peer,
                client_id,
                user,
                reason,
            } => {
                // A stranger may claim a new name each time: all of them share one line.
                let user = user.unwrap_or("nobody");
                let text = format!(
                    "login as '{}' from {peer} (client id '{}'): {reason}",
                    user.escape_debug(),
                    client_id.escape_debug()
                );
                let who = if is_known(user) { user } else { STRANGERS };
                self.add(now, who, text);
            }
            Denied::Publish {
                client,
                topic,
                reason,
            } => {
                let text = format!("publish on '{}': {reason}", topic.escape_debug());
                self.add(now, client.user, text);
            }
            Denied::Subscribe {
                client,
                filter,
                reason,
            } => {
                let text = format!("subscription to '{}': {reason}", filter.escape_debug());
                self.add(now, client.user, text);
            }
            Denied::Protocol {
                peer,
                client,
                reason,
            } => {
                let user = client.map_or("nobody", |client| client.user);
                self.add(
                    now,
                    user,
                    format!("connection from {peer} broke the protocol: {reason}"),
                );
            }
            _ => {}
        }
    }

    /// The newest refusal of `sender`.
    pub(super) fn newest(&self, sender: &str) -> Option<&str> {
        self.senders
            .get(sender)
            .map(|sender| sender.newest.as_str())
    }

    fn add(&mut self, now: Now, who: &str, text: String) -> bool {
        if !self.senders.contains_key(who) && self.senders.len() >= SENDERS_MAX {
            let silent = self.senders.iter().min_by_key(|(_, sender)| sender.at);
            if let Some(name) = silent.map(|(name, _)| Arc::clone(name)) {
                self.senders.remove(&name);
            }
        }
        let sender = self.senders.entry(who.into()).or_insert_with(|| Sender {
            newest: String::new(),
            logged: None,
            at: now.at,
            unlogged: 0,
        });
        sender.at = now.at;
        let due = sender
            .logged
            .is_none_or(|logged| now.at.since(logged) >= LOG_EVERY);
        if due {
            let unlogged = std::mem::take(&mut sender.unlogged);
            tracing::warn!(who, unlogged, "refused: {text}");
            sender.logged = Some(now.at);
        } else {
            sender.unlogged += 1;
        }
        sender.newest = text;
        due
    }
}
