//! Why a message was not taken: typed, counted per device and reason, printed as a sentence that says
//! what came, on which topic, from whom, and what would fit.

use std::{collections::BTreeMap, fmt, sync::Arc};

use mapping::program::DeviceIx;

use crate::explain;

/// A message that was not taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// Who published it: a device's name or a user's.
    pub who: Arc<str>,
    /// The device it is counted with: who sent it, or whose topic it is.
    pub device: Option<Arc<str>>,
    /// On which topic.
    pub topic: Box<str>,
    /// Why not.
    pub reason: Reason,
}

/// Why a message was not taken.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// The topic belongs to another device.
    NotYours {
        /// Whose topic it is.
        owner: Arc<str>,
    },
    /// The topic belongs to a device on the sealed link, for which nobody else may speak.
    Sealed {
        /// Whose topic it is.
        owner: Arc<str>,
    },
    /// A topic that only the dispatcher writes.
    DispatchersOwn,
    /// A topic below `iot/` that the mapping does not declare.
    Undeclared,
    /// `set` on a channel that takes no targets.
    TakesNoTarget,
    /// Longer than the limit.
    TooLong {
        /// Its length in bytes.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// Not JSON, and not a bare value either.
    NotJson {
        /// What the JSON reader said.
        detail: String,
    },
    /// A bare value where the channel has several fields.
    Bare {
        /// The channel's fields.
        fields: Vec<Arc<str>>,
    },
    /// An object without any field, or an empty payload that deletes nothing.
    Empty,
    /// An event payload without `"event"`.
    NoEvent {
        /// The channel's events.
        known: Vec<Arc<str>>,
    },
    /// An event that the channel does not have.
    UnknownEvent {
        /// What came.
        name: String,
        /// The channel's events.
        known: Vec<Arc<str>>,
    },
    /// A command that the channel does not have.
    UnknownCommand {
        /// What came.
        name: String,
        /// The channel's commands.
        known: Vec<Arc<str>>,
    },
    /// A field that is not declared.
    UnknownField {
        /// What came.
        name: String,
        /// What is declared.
        known: Vec<Arc<str>>,
    },
    /// A field that stands there twice.
    DoubleField {
        /// Which.
        name: String,
    },
    /// A field without which the event means nothing.
    MissingField {
        /// Which.
        name: Arc<str>,
    },
    /// A field that only the device itself can change.
    NotSettable {
        /// Which.
        name: Arc<str>,
    },
    /// A value that does not fit.
    Value {
        /// Of which field.
        field: Arc<str>,
        /// What is wrong with it.
        refusal: types::Refusal,
    },
    /// An object, list or null where a plain value belongs.
    NotPlain {
        /// Of which field.
        field: String,
    },
    /// `boot`, `seq`, `t_ms` or `hold` that can't be read.
    Stamp {
        /// Which.
        field: &'static str,
        /// What it takes.
        takes: &'static str,
    },
    /// A message of a foreign device that holds nothing where its channels read. It is passed on all the same.
    NothingAt {
        /// Where the first of them reads.
        place: Arc<str>,
    },
    /// A word other than online and offline.
    Availability {
        /// What came.
        word: String,
    },
}

impl Reason {
    /// A short stable word for counters and metrics.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotYours { .. } => "not-yours",
            Self::Sealed { .. } => "sealed",
            Self::DispatchersOwn => "dispatchers-own",
            Self::Undeclared => "undeclared",
            Self::TakesNoTarget => "takes-no-target",
            Self::TooLong { .. } => "too-long",
            Self::NotJson { .. } => "not-json",
            Self::Bare { .. } => "bare-value",
            Self::Empty => "empty",
            Self::NoEvent { .. } => "no-event",
            Self::UnknownEvent { .. } => "unknown-event",
            Self::UnknownCommand { .. } => "unknown-command",
            Self::UnknownField { .. } => "unknown-field",
            Self::DoubleField { .. } => "double-field",
            Self::MissingField { .. } => "missing-field",
            Self::NotSettable { .. } => "not-settable",
            Self::Value { .. } => "value",
            Self::NotPlain { .. } => "not-plain",
            Self::Stamp { .. } => "stamp",
            Self::NothingAt { .. } => "nothing-there",
            Self::Availability { .. } => "availability",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let topic = Shown(&self.topic);
        // A device may be called as those without a login are.
        let is_device = self.device.as_ref() == Some(&self.who);
        let who = Shown(if is_device {
            &self.who
        } else {
            explain::asker(&self.who)
        });
        write!(f, "{topic} from {who}: {}", self.reason)
    }
}

impl std::error::Error for Refusal {}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotYours { owner } => write!(
                f,
                "the topic belongs to '{owner}'; a device speaks only for itself"
            ),
            Self::Sealed { owner } => write!(
                f,
                "'{owner}' has a key and speaks over the sealed link; nobody else may speak for it"
            ),
            Self::DispatchersOwn => f.write_str(
                "only the dispatcher writes here; ask for a target on the channel's `set`",
            ),
            Self::Undeclared => f.write_str(
                "the mapping declares no such device or channel; add it, or correct the topic",
            ),
            Self::TakesNoTarget => {
                f.write_str("the channel only reports; no target can be set on it")
            }
            Self::TooLong { bytes, bytes_max } => {
                write!(f, "{bytes} bytes, more than the limit of {bytes_max}")
            }
            Self::NotJson { detail } => write!(f, "not JSON: {}", Shown(detail)),
            Self::Bare { fields } => write!(
                f,
                "a bare value where the channel has several fields; send an object with some of {}",
                List(fields)
            ),
            Self::Empty => f.write_str("says nothing"),
            Self::NoEvent { known } => {
                write!(f, "the key \"event\" is missing; one of {}", List(known))
            }
            Self::UnknownEvent { name, known } => {
                write!(f, "no event '{}'; one of {}", Shown(name), List(known))
            }
            Self::UnknownCommand { name, known } => {
                write!(f, "no command '{}'; one of {}", Shown(name), List(known))
            }
            Self::UnknownField { name, known } => {
                write!(f, "no field '{}'; one of {}", Shown(name), List(known))
            }
            Self::DoubleField { name } => write!(f, "'{}' stands there twice", Shown(name)),
            Self::MissingField { name } => write!(f, "the field '{name}' is missing"),
            Self::NotSettable { name } => {
                write!(f, "'{name}' is only reported, it can't be set")
            }
            Self::Value { field, refusal } => {
                write!(f, "'{field}' {}", Shown(&refusal.to_string()))
            }
            Self::NotPlain { field } => write!(
                f,
                "'{}' is an object, a list or null where a plain value belongs",
                Shown(field)
            ),
            Self::Stamp { field, takes } => write!(f, "'{field}' takes {takes}"),
            Self::NothingAt { place } => write!(
                f,
                "nothing stands at `{place}`, where the mapping's `from` reads"
            ),
            Self::Availability { word } => {
                write!(f, "'{}' is neither online nor offline", Shown(word))
            }
        }
    }
}

/// At most 120 characters of a text from outside, as it may be printed.
struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const CHARS_MAX: usize = 120;
        match self.0.char_indices().nth(CHARS_MAX) {
            Some((end, _)) => write!(f, "{}..", types::Shown(&self.0[..end])),
            None => types::Shown(self.0).fmt(f),
        }
    }
}

struct List<'a>(&'a [Arc<str>]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        f.write_str(&self.0.join(", "))
    }
}

/// How often what was refused or dropped. Since the start of the process; not part of a snapshot.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    counts: BTreeMap<(Option<DeviceIx>, &'static str), u64>,
}

impl Counters {
    pub(crate) fn count(&mut self, device: Option<DeviceIx>, code: &'static str) {
        *self.counts.entry((device, code)).or_default() += 1;
    }

    /// Device (`None`: nobody's), code and count, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Option<DeviceIx>, &'static str, u64)> {
        self.counts
            .iter()
            .map(|((device, code), count)| (*device, *code, *count))
    }

    /// The count of one code over all devices.
    #[must_use]
    pub fn total(&self, code: &str) -> u64 {
        self.iter()
            .filter(|(_, known, _)| *known == code)
            .map(|(_, _, count)| count)
            .sum()
    }

    /// The count of one code of one device.
    #[must_use]
    pub fn of(&self, device: DeviceIx, code: &str) -> u64 {
        self.iter()
            .find(|(known, word, _)| *known == Some(device) && *word == code)
            .map_or(0, |(_, _, count)| count)
    }

    /// The same counts after a reload: `place` says where a device stands now, `None` drops its counts.
    pub(crate) fn moved(&self, place: impl Fn(DeviceIx) -> Option<DeviceIx>) -> Self {
        let mut moved = Self::default();
        for ((device, code), count) in &self.counts {
            let device = match device {
                Some(device) => match place(*device) {
                    Some(device) => Some(device),
                    None => continue,
                },
                None => None,
            };
            moved.counts.insert((device, code), *count);
        }
        moved
    }
}
