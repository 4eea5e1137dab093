//! What became of a name that is nobody's today: its bearer has another one, or was taken out of the mapping.
//!
//! Asked where a name is not found, with the mappings that are archived. Must not replay: of the journal it reads which
//! mapping came into force when.

use dispatcher::Input;
use mapping::Program;
use store::{Class, ReadError};
use types::{InputNo, Now};

use crate::{
    history::{History, Until},
    target::Target,
    trouble::{HistoryError, Trouble},
    way::Way,
};

/// Mappings that are looked through for a name that is nobody's today, the newest first: each is compiled, and most often the
/// name is a slip of the keyboard. Those that do not hold its words are none of them.
const LOOKED_THROUGH_MAX: usize = 50;

/// Events that no mapping writes down.
const PRESENCE: [&str; 2] = ["online", "offline"];

/// What became of a name's last bearer.
pub(crate) enum Fate {
    /// It is called so today, in words that mean nothing else.
    Renamed(String),
    /// It was taken out of the mapping.
    Gone(Gone),
}

/// Something that is no longer in the mapping.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Gone {
    /// The place of the last mapping that had it among those that were in force.
    pub(crate) at: usize,
    /// What it was there.
    pub(crate) target: Target,
    /// Its name there.
    name: String,
    /// The last input under that mapping.
    pub(crate) until: InputNo,
    /// When the next one came into force.
    pub(crate) now: Now,
}

impl Gone {
    /// The end of what can be asked about it: `asked`, or when it was taken out where that is earlier.
    pub(crate) fn until(&self, history: &History, asked: Until) -> Until {
        let is_earlier = match asked {
            Until::End => false,
            Until::No(no) => no < self.until,
            Until::Wall(wall) => history.is_past(self.now, wall),
        };
        if is_earlier {
            asked
        } else {
            Until::No(self.until)
        }
    }

    /// Notes with the answer that it is about something that is gone.
    pub(crate) fn note(&self, history: &History) {
        let removed = Trouble::Removed {
            name: self.name.clone(),
            at: history.at_home(self.now.wall),
        };
        history.trouble(|troubles| troubles.add(removed));
    }

    /// That nothing changed it, or that it did not fire, for people.
    pub(crate) fn unchanged(&self, history: &History, since: &str) -> String {
        let (name, at) = (&self.name, history.at_home(self.now.wall));
        match name.strip_prefix("rule.") {
            Some(rule) => format!(
                "{rule} did not fire before it was taken out of the mapping at {at}: not once {since}. {} says what it waited for",
                history.command(&format!("why-not {rule}"))
            ),
            None => format!(
                "nothing changed {name} before it was taken out of the mapping at {at}: not once {since}"
            ),
        }
    }

    fn text(&self, history: &History) -> String {
        format!(
            "\"{}\" was taken out of the mapping at {}",
            self.name.escape_debug(),
            history.at_home(self.now.wall)
        )
    }
}

impl History {
    /// That nothing is called `text` today; and what it is called now, or when it was taken out, where it had that name.
    #[must_use]
    pub fn unknown(&self, text: &str) -> HistoryError {
        unknown(self, self.program(), text)
    }

    /// What became of what was called `text`, for people: what it is called now, or when it was taken out; `None`: something is
    /// called so today, or nothing ever was.
    #[must_use]
    pub fn became(&self, text: &str) -> Option<String> {
        Some(match self.fate(text)? {
            Fate::Renamed(name) => format!("{} is called {name} now", text.escape_debug()),
            Fate::Gone(gone) => gone.text(self),
        })
    }

    /// What somebody means by `text` who looks at what happens now: that itself, or what it is called now; `None`: it is gone.
    ///
    /// # Errors
    /// Nothing is called so, and nothing ever was; with the nearest name.
    pub fn name_of_today(&self, text: &str) -> Result<Option<String>, HistoryError> {
        match self.fate(text) {
            Some(Fate::Renamed(name)) => Ok(Some(name)),
            Some(Fate::Gone(_)) => Ok(None),
            None => Target::expect(self.program(), text).map(|_| Some(text.to_owned())),
        }
    }

    /// What became of what was called `text` last; `None`: something is called so today, or nothing ever was.
    pub(crate) fn fate(&self, text: &str) -> Option<Fate> {
        if Target::find(self.program(), text).is_some() {
            return None;
        }
        let all = self.mappings().len();
        let (target, last) = self.last_bearer(text)?;
        let mut way = Way::new(&self.mapping(last), target);
        let (mut had, mut is) = (last, way.there().cloned());
        for at in last..all.saturating_sub(1) {
            way.go(&self.step(at));
            if let Some(target) = way.there() {
                (had, is) = (at + 1, Some(target.clone()));
            }
        }
        let target = is?;
        Some(match had + 1 == all {
            true => Fate::Renamed(way.words()),
            false => Fate::Gone(self.gone(had, &self.mapping(had), target)),
        })
    }

    /// What was called `text` last, and where in [`Self::mappings`].
    fn last_bearer(&self, text: &str) -> Option<(Target, usize)> {
        let mut looked_through = 0;
        for at in (0..self.mappings().len()).rev() {
            if !self.may_name(at, text) {
                continue;
            }
            if looked_through == LOOKED_THROUGH_MAX {
                let text = text.to_owned();
                self.trouble(|troubles| troubles.add(Trouble::NotLookedThrough(text)));
                return None;
            }
            looked_through += 1;
            if let Some(target) = Target::find(&self.mapping(at), text) {
                return Some((target, at));
            }
        }
        None
    }

    /// Whether the words of `text` stand in the mapping at this place: only then is it worth compiling.
    fn may_name(&self, at: usize, text: &str) -> bool {
        let (_, hash) = self.mappings()[at];
        let Ok(Some(archived)) = self.past().database().mapping(hash) else {
            return true;
        };
        let mut words = text.trim().splitn(3, '.');
        let (first, second) = (words.next(), words.next());
        let kinds = ["rule", "var", "timer", "group"];
        // Whether a device is there is told by no word of its own.
        let is_written = |word: &&str| !kinds.contains(word) && !PRESENCE.contains(word);
        let mut words = first.into_iter().chain(second).filter(is_written);
        words.all(|word| has(&archived.files, word.as_bytes()))
    }

    fn gone(&self, at: usize, program: &Program, target: Target) -> Gone {
        let (next, now) = self.ended(at);
        Gone {
            at,
            name: target.words(program),
            target,
            until: InputNo(next.0.saturating_sub(1)),
            now,
        }
    }

    /// The input that brought the mapping after the one at this place of [`Self::mappings`], and when it came.
    fn ended(&self, at: usize) -> (InputNo, Now) {
        let (next, _) = self.mappings()[at + 1];
        let hash = self.mappings()[at].1;
        let before = self.snapshot_within(InputNo(0), next).unwrap_or_default();
        let mut last = (before, Now::default());
        for record in self.past().reader(before.next()) {
            let record = match record {
                Ok(record) if record.no <= next => record,
                Err(ReadError::Gap(_)) => continue,
                _ => break,
            };
            last = (record.no, record.now);
            let is_input = record.class == Class::Input;
            let input = is_input.then(|| Input::decode(self.program(), &record.body));
            if let Some(Ok(Input::Reload { hash: other })) = input
                && other != hash.0
            {
                break;
            }
        }
        last
    }
}

/// That nothing of `program` is called `text`; and what it is called now, or when it was taken out, where it had that name.
pub(crate) fn unknown(history: &History, program: &Program, text: &str) -> HistoryError {
    match history.fate(text) {
        Some(Fate::Renamed(name)) => another_name(text, &name),
        Some(Fate::Gone(gone)) => HistoryError::Unknown(gone.text(history)),
        None => match Target::expect(program, text) {
            Err(unknown) => unknown,
            Ok(_) => HistoryError::Unknown(text.to_owned()),
        },
    }
}

/// That what was called `text` has another name now; `None`: nothing was, it is gone, or something still is. Without `kind`, as
/// in `rule.`, where only such things are asked about.
pub(crate) fn renamed(history: &History, text: &str, kind: &str) -> Option<HistoryError> {
    match history.fate(text)? {
        Fate::Renamed(name) => Some(another_name(bare(text, kind), bare(&name, kind))),
        Fate::Gone(_) => None,
    }
}

fn another_name(text: &str, name: &str) -> HistoryError {
    let text = text.escape_debug();
    HistoryError::Unknown(format!("\"{text}\" has another name now: ask about {name}"))
}

fn bare<'t>(text: &'t str, kind: &str) -> &'t str {
    text.strip_prefix(kind).unwrap_or(text)
}

/// Whether `word` stands in `text`; it is no word of more than names are written with.
fn has(text: &[u8], word: &[u8]) -> bool {
    let is_plain = |letter: &u8| letter.is_ascii_alphanumeric() || b"-_".contains(letter);
    let is_name = !word.is_empty() && word.iter().all(is_plain);
    !is_name || text.windows(word.len()).any(|part| part == word)
}
