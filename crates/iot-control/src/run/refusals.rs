//! What was refused: the newest for each sender, for `device show`, and log lines at a bounded pace.
//! A sender's refusals share a line only where they have the same reason: a second mistake is not
//! hidden behind the first one that comes all the time.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use broker::{Denied, Reason, Refused};
use dispatcher::{Refusal, explain::asker};
use types::{Instant, Now};

use super::sealed::cages::PREFIX;

/// One log line in this time for each sender and reason; the rest is counted, and told after it.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// A sender's refusals of one kind are put into words once in this time: one that is refused as fast as it can
/// send must not take the time of all others. What lies between is counted.
const WORDS_EVERY: Duration = Duration::from_millis(100);

/// Whoever could not log in. Nobody else may be called so.
pub(super) const STRANGERS: &str = "strangers";

/// Senders whose newest refusal is kept; beyond it the one silent longest is evicted.
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
    Retain,
    Subscription(Reason),
    Protocol(Reason),
    Wrap,
    Other,
}

struct Newest {
    text: String,
    at: Instant,
}

struct Line {
    logged: Instant,
    worded: Instant,
    /// Refusals since.
    unlogged: u64,
    /// What the newest says that was put into words.
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

/// Connections with the same handle are one sender, though each is a user of its own.
fn sender(user: &str) -> &str {
    let (handle, _) = match user.strip_prefix(PREFIX) {
        Some(below) => below.split_once('/').unwrap_or((below, "")),
        None => return user,
    };
    &user[..PREFIX.len() + handle.len()]
}

impl Refusals {
    /// A message that the dispatcher could not use. Says whether it got a line of the log.
    pub(super) fn note(&mut self, now: Now, refusal: &Refusal) -> bool {
        let why = Why::Message(refusal.reason.code());
        let device = refusal.device.as_ref();
        let other = device.filter(|device| **device != refusal.who);
        self.add(now, (&refusal.who, other), why, || refusal.to_string())
    }

    /// Something that the broker refused; `is_known` says whether a name is a user's.
    pub(super) fn denied(&mut self, now: Now, what: &Denied<'_>, is_known: impl Fn(&str) -> bool) {
        let (who, why) = match what {
            Denied::Accept { reason, .. } => (STRANGERS, Why::Connection(*reason)),
            Denied::Connect { user, reason, .. } => {
                // A stranger may claim a new name each time: all of them share one line.
                let user = user.filter(|user| is_known(user));
                (user.unwrap_or(STRANGERS), Why::Login(*reason))
            }
            Denied::Publish { client, reason, .. } => (sender(client.user), Why::Publish(*reason)),
            Denied::Retain { client, .. } => (sender(client.user), Why::Retain),
            Denied::Subscribe { client, reason, .. } => {
                (sender(client.user), Why::Subscription(*reason))
            }
            Denied::Protocol { client, reason, .. } => {
                let who = client.map_or(STRANGERS, |client| sender(client.user));
                (who, Why::Protocol(*reason))
            }
            Denied::Wrap { .. } => (STRANGERS, Why::Wrap),
            _ => (STRANGERS, Why::Other),
        };
        self.add(now, (who, None), why, || in_words(what));
    }

    /// The newest refusal of any of `senders`; a device is one, whoever spoke for it.
    pub(super) fn newest_of<'s>(&self, senders: impl Iterator<Item = &'s str>) -> Option<&str> {
        let known = senders.filter_map(|sender| self.newest.get(sender));
        let newest = known.max_by_key(|newest| newest.at);
        newest.map(|newest| newest.text.as_str())
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
                who = asker(&who),
                "refused {unlogged} more of the same kind within {} s; the newest: {text}",
                LOG_EVERY.as_secs()
            );
        }
    }

    /// `device`: whom else it is about.
    fn add(
        &mut self,
        now: Now,
        (who, device): (&str, Option<&Arc<str>>),
        why: Why,
        text: impl FnOnce() -> String,
    ) -> bool {
        let who: Arc<str> = who.into();
        if self.is_flooding(now, &who, why) {
            return false;
        }
        let text = text();
        let due = self.due(now, &who, why, &text);
        if let Some(Due { who, unlogged, .. }) = &due {
            let unlogged = (*unlogged > 0).then_some(*unlogged);
            tracing::warn!(who = asker(who), unlogged, "refused: {text}");
        }
        if let Some(device) = device {
            self.remember(now, Arc::clone(device), text.clone());
        }
        self.remember(now, who, text);
        due.is_some()
    }

    fn remember(&mut self, now: Now, who: Arc<str>, text: String) {
        make_room(&mut self.newest, &who, SENDERS_MAX, |newest| newest.at);
        self.newest.insert(who, Newest { text, at: now.at });
    }

    /// Counts a refusal where one of its kind was put into words just now.
    fn is_flooding(&mut self, now: Now, who: &Arc<str>, why: Why) -> bool {
        let line = self.lines.get_mut(&(Arc::clone(who), why));
        let line = line.filter(|line| now.at.since(line.worded) < WORDS_EVERY);
        line.is_some_and(|line| {
            line.unlogged += 1;
            true
        })
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
            line.worded = now.at;
            if now.at.since(line.logged) < LOG_EVERY {
                line.unlogged += 1;
                text.clone_into(&mut line.text);
                return None;
            }
            line.logged = now.at;
            text.clone_into(&mut line.text);
            return Some(due(std::mem::take(&mut line.unlogged)));
        }
        make_room(&mut self.lines, &key, LINES_MAX, |line| line.logged);
        let line = Line {
            logged: now.at,
            worded: now.at,
            unlogged: 0,
            text: text.to_owned(),
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
                    text: line.text.clone(),
                    unlogged: std::mem::take(&mut line.unlogged),
                }
            })
            .collect()
    }
}

/// What was refused, for people.
fn in_words(what: &Denied<'_>) -> String {
    match what {
        Denied::Accept { peer, reason } => format!("connection from {}: {reason}", peer.ip()),
        Denied::Connect {
            peer,
            client_id,
            user,
            reason,
        } => {
            let login = match user {
                Some(user) => format!("login as '{}'", user.escape_debug()),
                None => "login without a user".to_owned(),
            };
            let client_id = client_id.escape_debug();
            format!("{login} from {peer} (client id '{client_id}'): {reason}")
        }
        Denied::Publish { topic, reason, .. } => {
            format!("publish on '{}': {reason}", topic.escape_debug())
        }
        Denied::Retain { topic, .. } => format!(
            "keeping '{}' for later subscribers: this login retains as much as one may, or all of them do",
            topic.escape_debug()
        ),
        Denied::Subscribe { filter, reason, .. } => {
            format!("subscription to '{}': {reason}", filter.escape_debug())
        }
        Denied::Protocol { peer, reason, .. } => {
            format!("connection from {peer} broke the protocol: {reason}")
        }
        Denied::Wrap { peer, reason } => format!("connection from {}: {reason}", peer.ip()),
        other => format!("{other:?}"),
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
    fn a_flood_is_counted_and_put_into_words_now_and_then() {
        let mut refusals = Refusals::default();
        let mut worded = 0;
        for millisecond in 0..1_000 {
            let now = Now {
                at: Instant(millisecond * 1_000),
                ..at(0)
            };
            refusals.add(now, ("hall", None), Why::Other, || {
                worded += 1;
                format!("number {millisecond}")
            });
        }
        assert_eq!(worded, 10);
        assert_eq!(refusals.newest_of(["hall"].into_iter()), Some("number 900"));
        let told = Due {
            who: hall(),
            text: "number 900".into(),
            unlogged: 999,
        };
        assert_eq!(refusals.counted(at(10)), [told]);
    }

    #[test]
    fn what_is_only_counted_is_told_in_the_words_of_the_one_that_was_logged() {
        let mut refusals = Refusals::default();
        for _ in 0..3 {
            refusals.add(at(0), ("hall", None), Why::Other, || "no JSON".into());
        }
        let told = Due {
            who: hall(),
            text: "no JSON".into(),
            unlogged: 2,
        };
        assert_eq!(refusals.counted(at(10)), [told]);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_newest_stays() {
        let mut refusals = Refusals::default();
        for number in 0..5_000 {
            let who = format!("user-{number}");
            refusals.add(at(number), (&who, None), Why::Other, || "text".into());
        }
        assert_eq!(refusals.newest.len(), SENDERS_MAX);
        assert_eq!(refusals.lines.len(), LINES_MAX);
        let newest = |who: &'static str| refusals.newest_of([who].into_iter());
        assert_eq!(newest("user-4999"), Some("text"));
        assert_eq!(newest("user-1"), None);
    }
}
