//! What was refused: the newest for each sender, for `device show`, and log lines at a bounded pace.
//! A sender's refusals share a line only where they have the same reason: a second mistake is not
//! hidden behind the first one that comes all the time.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use broker::{Denied, Reason, Refused};
use dispatcher::Refusal;
use types::{Instant, Now};

/// One log line in this time for each sender and reason; the rest is counted, and told after it.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// Whoever could not log in.
const STRANGERS: &str = "strangers";

/// Senders whose newest refusal is kept; beyond it the longest silent one is forgotten.
const SENDERS_MAX: usize = 1_024;

/// Pairs of sender and reason that are kept apart; likewise.
const LINES_MAX: usize = 4_096;

/// The newest refusals by sender.
#[derive(Default)]
pub(super) struct Refusals {
    newest: BTreeMap<Arc<str>, Newest>,
    lines: BTreeMap<(Arc<str>, Why), Line>,
}

/// What kind of refusal it is: what shares a line of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Why {
    /// By the dispatcher's code for it.
    Message(&'static str),
    Connection(Refused),
    Login(Reason),
    Publish(Reason),
    Subscription(Reason),
    Protocol(Reason),
    Other,
}

struct Newest {
    text: String,
    at: Instant,
}

struct Line {
    logged: Instant,
    /// Refusals since, and what the newest of them says.
    unlogged: u64,
    text: String,
}

/// What is to be logged now.
#[derive(Debug, PartialEq)]
struct Due {
    who: Arc<str>,
    text: String,
    /// Refusals of the same kind since the line before.
    unlogged: u64,
}

impl Refusals {
    /// A message that the dispatcher could not use. Says whether it got a line of the log.
    pub(super) fn note(&mut self, now: Now, refusal: &Refusal) -> bool {
        let why = Why::Message(refusal.reason.code());
        self.add(now, &refusal.who, why, refusal.to_string())
    }

    /// Something that the broker refused; `is_known` says whether a name is a user's.
    pub(super) fn denied(&mut self, now: Now, what: &Denied<'_>, is_known: impl Fn(&str) -> bool) {
        let (who, why, text) = match what {
            Denied::Accept { peer, reason } => {
                let text = format!("connection from {}: {reason}", peer.ip());
                (STRANGERS, Why::Connection(*reason), text)
            }
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
                (who, Why::Login(*reason), text)
            }
            Denied::Publish {
                client,
                topic,
                reason,
            } => {
                let text = format!("publish on '{}': {reason}", topic.escape_debug());
                (client.user, Why::Publish(*reason), text)
            }
            Denied::Subscribe {
                client,
                filter,
                reason,
            } => {
                let text = format!("subscription to '{}': {reason}", filter.escape_debug());
                (client.user, Why::Subscription(*reason), text)
            }
            Denied::Protocol {
                peer,
                client,
                reason,
            } => {
                let who = client.map_or(STRANGERS, |client| client.user);
                let text = format!("connection from {peer} broke the protocol: {reason}");
                (who, Why::Protocol(*reason), text)
            }
            other => (STRANGERS, Why::Other, format!("{other:?}")),
        };
        self.add(now, who, why, text);
    }

    /// The newest refusal of `sender`.
    pub(super) fn newest(&self, sender: &str) -> Option<&str> {
        self.newest.get(sender).map(|newest| newest.text.as_str())
    }

    /// Tells what was counted and not logged, once its time has come; to be called now and then.
    pub(super) fn flush(&mut self, now: Now) {
        for due in self.counted(now) {
            let Due {
                who,
                text,
                unlogged,
            } = due;
            tracing::warn!(
                %who,
                "refused {unlogged} more of the same kind within {} s; the newest: {text}",
                LOG_EVERY.as_secs()
            );
        }
    }

    fn add(&mut self, now: Now, who: &str, why: Why, text: String) -> bool {
        let who: Arc<str> = who.into();
        let due = self.due(now, &who, why, &text);
        if let Some(Due { who, unlogged, .. }) = &due {
            tracing::warn!(%who, unlogged, "refused: {text}");
        }
        make_room(&mut self.newest, &who, SENDERS_MAX, |newest| newest.at);
        self.newest.insert(who, Newest { text, at: now.at });
        due.is_some()
    }

    /// Whether a refusal gets a line of the log; else it is counted.
    fn due(&mut self, now: Now, who: &Arc<str>, why: Why, text: &str) -> Option<Due> {
        let key = (Arc::clone(who), why);
        let due = |unlogged| Due {
            who: Arc::clone(who),
            text: text.to_owned(),
            unlogged,
        };
        if let Some(line) = self.lines.get_mut(&key) {
            if now.at.since(line.logged) < LOG_EVERY {
                line.unlogged += 1;
                text.clone_into(&mut line.text);
                return None;
            }
            line.logged = now.at;
            return Some(due(std::mem::take(&mut line.unlogged)));
        }
        make_room(&mut self.lines, &key, LINES_MAX, |line| line.logged);
        let line = Line {
            logged: now.at,
            unlogged: 0,
            text: String::new(),
        };
        self.lines.insert(key, line);
        Some(due(0))
    }

    /// Takes what was counted longer ago than a line may be late.
    fn counted(&mut self, now: Now) -> Vec<Due> {
        self.lines
            .iter_mut()
            .filter(|(_, line)| line.unlogged > 0 && now.at.since(line.logged) >= LOG_EVERY)
            .map(|((who, _), line)| {
                line.logged = now.at;
                Due {
                    who: Arc::clone(who),
                    text: std::mem::take(&mut line.text),
                    unlogged: std::mem::take(&mut line.unlogged),
                }
            })
            .collect()
    }
}

/// Forgets the entry that is longest ago where `key` would be one too many.
fn make_room<K: Ord + Clone, V>(
    map: &mut BTreeMap<K, V>,
    key: &K,
    max: usize,
    at: impl Fn(&V) -> Instant,
) {
    if map.len() < max || map.contains_key(key) {
        return;
    }
    let longest = map.iter().min_by_key(|(_, value)| at(value));
    if let Some(key) = longest.map(|(key, _)| key.clone()) {
        map.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::UnixTime;

    fn at(seconds: u64) -> Now {
        Now {
            at: Instant(seconds * 1_000_000),
            wall: UnixTime(0),
            synced: true,
        }
    }

    fn hall() -> Arc<str> {
        "hall".into()
    }

    #[test]
    fn another_reason_within_ten_seconds_has_a_line_of_its_own() {
        let mut refusals = Refusals::default();
        let mut unlogged = |seconds, why| {
            let due = refusals.due(at(seconds), &hall(), Why::Message(why), "text");
            due.map(|due| due.unlogged)
        };
        assert_eq!(unlogged(0, "not-json"), Some(0));
        assert_eq!(unlogged(1, "not-json"), None);
        assert_eq!(unlogged(1, "unknown-field"), Some(0));
        assert_eq!(unlogged(9, "not-json"), None);
        assert_eq!(unlogged(9, "unknown-field"), None);
        assert_eq!(unlogged(10, "not-json"), Some(2));
        assert_eq!(unlogged(11, "unknown-field"), Some(1));
    }

    #[test]
    fn what_was_counted_is_told_also_where_nothing_follows() {
        let mut refusals = Refusals::default();
        for number in 0..50 {
            let text = format!("number {number}");
            refusals.due(at(0), &hall(), Why::Login(Reason::Banned), &text);
        }
        assert_eq!(refusals.counted(at(9)), []);
        let told = Due {
            who: hall(),
            text: "number 49".into(),
            unlogged: 49,
        };
        assert_eq!(refusals.counted(at(10)), [told]);
        assert_eq!(refusals.counted(at(20)), []);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_newest_stays() {
        let mut refusals = Refusals::default();
        for number in 0..5_000 {
            let who = format!("user-{number}");
            refusals.add(at(number), &who, Why::Other, "text".into());
        }
        assert_eq!(refusals.newest.len(), SENDERS_MAX);
        assert_eq!(refusals.lines.len(), LINES_MAX);
        assert_eq!(refusals.newest("user-4999"), Some("text"));
        assert_eq!(refusals.newest("user-1"), None);
    }
}
