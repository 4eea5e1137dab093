//! What may be a name, and the names that stand for something else already.
//!
//! Used by every reader that declares something. Must not know what is declared.

use crate::{diagnostic::Diagnostic, grammar::Names, read::Key, report::Report};

/// Longest name in bytes.
const BYTES_MAX: usize = 32;

/// Longest name of a test: tests are named as sentences.
const SENTENCE_BYTES_MAX: usize = 100;

/// Names that begin an expression or a topic of the dispatcher's own, and words that are none in an expression.
pub(crate) const RESERVED: &[&str] = &[
    "event",
    "state",
    "target",
    "var",
    "sun",
    "now",
    "dispatcher",
    "online",
    "true",
    "false",
    "in",
];

/// Which letters a name may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Letters {
    /// Devices, channels, groups, variables: they stand in expressions, where `-` is minus.
    Expression,
    /// Rules, timers, scenes: hyphens are fine.
    Hyphens,
    /// Tests: as long as a sentence.
    Sentence,
}

impl Letters {
    fn hyphens(self) -> bool {
        self != Self::Expression
    }

    fn bytes_max(self) -> usize {
        if self == Self::Sentence {
            SENTENCE_BYTES_MAX
        } else {
            BYTES_MAX
        }
    }
}

/// Reports a name that doesn't match `[a-z][a-z0-9_]{0,31}`, or is reserved.
pub(crate) fn check(report: &mut Report, key: &Key<'_>, what: &str, letters: Letters) {
    let name = key.name;
    if !matches(name, letters) {
        let message = format!("`{name}` can't be the name of a {what}");
        let rule = pattern(letters);
        let mut error = Diagnostic::error("bad-name", key.span.clone(), message);
        if let Some(mended) = mended(name, letters) {
            error = error.help(format!("for example `{mended}`"));
        }
        report.push(error.help(rule));
    } else if letters != Letters::Sentence && RESERVED.contains(&name) {
        let message = format!("`{name}` can't be the name of a {what}: it is reserved");
        report.push(Diagnostic::error("reserved-name", key.span.clone(), message).help(reserved()));
    }
}

/// What a name is made of, in a sentence.
fn pattern(letters: Letters) -> String {
    let hyphen = if letters.hyphens() { ", `-`" } else { "" };
    let most = letters.bytes_max();
    format!("a name begins with a letter a-z; then come a-z, 0-9, `_`{hyphen}; at most {most}")
}

fn reserved() -> String {
    let mut words = RESERVED.to_vec();
    words.sort_unstable();
    format!("reserved are {}", crate::read::list(&words))
}

fn letters_of(of: Names) -> Letters {
    match of {
        Names::Rule | Names::Scene | Names::Timer | Names::NewTimer => Letters::Hyphens,
        Names::Test => Letters::Sentence,
        _ => Letters::Expression,
    }
}

/// Why `name` can't be the name of such a thing, and what can be, for people; `None` where it can.
#[must_use]
pub fn why_no_name(of: Names, name: &str) -> Option<String> {
    if is_name(of, name) {
        return None;
    }
    let letters = letters_of(of);
    if matches(name, letters) {
        return Some(format!("it is reserved; {}", reserved()));
    }
    let example = mended(name, letters).filter(|name| is_name(of, name));
    let example = example.map_or_else(String::new, |name| format!(", for example `{name}`"));
    Some(format!("{}{example}", pattern(letters)))
}

/// Whether `name` can be the name of such a thing.
#[must_use]
pub fn is_name(of: Names, name: &str) -> bool {
    let letters = letters_of(of);
    matches(name, letters) && (letters == Letters::Sentence || !RESERVED.contains(&name))
}

/// Whether `name` follows the pattern.
pub(crate) fn matches(name: &str, letters: Letters) -> bool {
    let mut all = name.bytes();
    name.len() <= letters.bytes_max()
        && all.next().is_some_and(|first| first.is_ascii_lowercase())
        && all.all(|letter| {
            letter.is_ascii_lowercase()
                || letter.is_ascii_digit()
                || letter == b'_'
                || (letter == b'-' && letters.hyphens())
        })
}

/// The nearest name that follows the pattern.
fn mended(name: &str, letters: Letters) -> Option<String> {
    let mended: String = name
        .to_lowercase()
        .chars()
        .map(|letter| {
            if letter.is_ascii_alphanumeric() || letter == '-' {
                letter
            } else {
                '_'
            }
        })
        .map(|letter| {
            if letter == '-' && !letters.hyphens() {
                '_'
            } else {
                letter
            }
        })
        .take(letters.bytes_max())
        .collect();
    let mended = mended.trim_matches('_');
    matches(mended, letters).then(|| mended.to_owned())
}
