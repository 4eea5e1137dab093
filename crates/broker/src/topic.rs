//! Topic names and filters: what is valid, what matches, what covers and what overlaps what.
//! Called by the codec, the router and [`Access`](crate::Access). MQTT 5 section 4.7.

use std::{fmt, sync::Arc};

/// A valid topic filter, for subscriptions and access lists.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Filter {
    text: Arc<str>,
    wild: bool,
}

/// Why a text is no topic filter.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FilterError {
    /// No character at all.
    Empty,
    /// More than 65,535 bytes; MQTT has no longer strings.
    TooLong,
    /// The character U+0000.
    Null,
    /// A `+` or `#` beside other characters of its level: write `a/+/b`, not `a+/b`.
    WildcardNotAlone,
    /// A `#` that is not the last level.
    HashNotLast,
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "a topic filter needs at least one character",
            Self::TooLong => "a topic filter has at most 65535 bytes",
            Self::Null => "a topic filter can't hold the character U+0000",
            Self::WildcardNotAlone => {
                "'+' and '#' take a whole level: write 'a/+/b' instead of 'a+/b'"
            }
            Self::HashNotLast => "'#' is only allowed as the last level",
        })
    }
}

impl std::error::Error for FilterError {}

impl Filter {
    /// A filter from its text.
    ///
    /// # Errors
    /// The text breaks a rule of MQTT 5 section 4.7.
    pub fn new(text: &str) -> Result<Self, FilterError> {
        Ok(Self {
            wild: check_filter(text)?,
            text: text.into(),
        })
    }

    /// The text it was made from.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// The filter of a subscription: of a shared one, `$share/GROUP/FILTER`, it is valid where both its
    /// group and the filter in it are (MQTT 5 section 4.8.2).
    ///
    /// # Errors
    /// The group is missing, empty or holds a wildcard, or as [`Filter::new`].
    pub(crate) fn of_subscription(text: &str) -> Result<Self, FilterError> {
        if text == "$share" || text.starts_with(SHARE) {
            let (group, inner) = shared(text).ok_or(FilterError::Empty)?;
            if group.is_empty() {
                return Err(FilterError::Empty);
            }
            if group.contains(['+', '#']) {
                return Err(FilterError::WildcardNotAlone);
            }
            check_filter(inner)?;
        }
        Self::new(text)
    }

    /// What a subscription to this filter matches: of a shared one, the filter in it.
    pub(crate) fn inner(&self) -> Self {
        match shared(&self.text) {
            Some((_, inner)) => Self {
                text: inner.into(),
                wild: self.wild,
            },
            None => self.clone(),
        }
    }

    pub(crate) fn is_shared(&self) -> bool {
        self.text.starts_with(SHARE)
    }

    pub(crate) fn is_wild(&self) -> bool {
        self.wild
    }

    /// Whether a message on `topic` is one of those this filter means.
    #[must_use]
    pub fn matches(&self, topic: &str) -> bool {
        if !self.wild {
            return *self.text == *topic;
        }
        if topic.starts_with('$') && !self.text.starts_with('$') {
            return false;
        }
        let (filter, topic) = (self.text.as_bytes(), topic.as_bytes());
        let mut in_topic = 0;
        // By bytes: this runs for every message.
        for (at, byte) in filter.iter().enumerate() {
            match byte {
                b'#' => return true,
                b'+' => {
                    let rest = &topic[in_topic..];
                    in_topic += rest.iter().take_while(|byte| **byte != b'/').count();
                }
                _ if topic.get(in_topic) == Some(byte) => in_topic += 1,
                // "a/#" means "a" too.
                _ => return in_topic == topic.len() && &filter[at..] == b"/#",
            }
        }
        in_topic == topic.len()
    }

    /// Whether every topic that `other` matches is matched by this filter too.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        if other.text.starts_with('$') && !self.text.starts_with('$') {
            return false;
        }
        let mut theirs = other.text.split('/');
        for level in self.text.split('/') {
            match (level, theirs.next()) {
                ("#", _) => return true,
                ("+", Some(their)) if their != "#" => {}
                (level, Some(their)) if level == their => {}
                _ => return false,
            }
        }
        theirs.next().is_none()
    }

    /// Whether there is a topic that both filters match.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        if self.text.starts_with('$') != other.text.starts_with('$') {
            return false;
        }
        let (mut ours, mut theirs) = (self.text.split('/'), other.text.split('/'));
        loop {
            match (ours.next(), theirs.next()) {
                (Some("#"), _) | (_, Some("#")) | (None, None) => return true,
                (Some("+"), Some(_)) | (Some(_), Some("+")) => {}
                (Some(our), Some(their)) if our == their => {}
                _ => return false,
            }
        }
    }
}

/// How the filter of a shared subscription begins.
const SHARE: &str = "$share/";

/// Group and filter of a shared subscription's filter; `None` of any other.
fn shared(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix(SHARE)?.split_once('/')
}

/// Whether `topic` may stand in a PUBLISH.
pub(crate) fn is_name(topic: &str) -> bool {
    !topic.is_empty()
        && !topic
            .as_bytes()
            .iter()
            .any(|byte| matches!(byte, b'+' | b'#' | 0))
}

/// The number of levels of a name or filter.
pub(crate) fn levels(text: &str) -> usize {
    1 + text.bytes().filter(|byte| *byte == b'/').count()
}

/// Whether the filter has wildcards, or why it is none.
fn check_filter(text: &str) -> Result<bool, FilterError> {
    if text.is_empty() {
        return Err(FilterError::Empty);
    }
    if text.len() > usize::from(u16::MAX) {
        return Err(FilterError::TooLong);
    }
    let mut wild = false;
    let mut levels = text.split('/').peekable();
    while let Some(level) = levels.next() {
        if level.contains('\0') {
            return Err(FilterError::Null);
        }
        if !level.contains(['+', '#']) {
            continue;
        }
        wild = true;
        if level.len() != 1 {
            return Err(FilterError::WildcardNotAlone);
        }
        if level == "#" && levels.peek().is_some() {
            return Err(FilterError::HashNotLast);
        }
    }
    Ok(wild)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn filter(text: &str) -> Filter {
        Filter::new(text).unwrap()
    }

    #[test]
    fn filters_match_as_the_specification_says() {
        for (text, topic, expected) in [
            ("sport/tennis/#", "sport/tennis", true),
            ("sport/tennis/#", "sport/tennis/a/b", true),
            ("sport/+", "sport", false),
            ("sport/+", "sport/", true),
            ("+/+", "/finance", true),
            ("/+", "/finance", true),
            ("+", "/finance", false),
            ("#", "$SYS/x", false),
            ("+/x", "$SYS/x", false),
            ("$SYS/#", "$SYS/x", true),
            ("a/b", "a/b", true),
            ("a/b", "a/b/c", false),
            ("a/+/c", "a/b/c/d", false),
        ] {
            assert_eq!(filter(text).matches(topic), expected, "{text} {topic}");
        }
    }

    #[test]
    fn wrong_filters_are_refused() {
        for (text, expected) in [
            ("", FilterError::Empty),
            ("a+", FilterError::WildcardNotAlone),
            ("a/#b", FilterError::WildcardNotAlone),
            ("#/a", FilterError::HashNotLast),
            ("a\0", FilterError::Null),
        ] {
            assert_eq!(Filter::new(text), Err(expected), "{text:?}");
        }
    }

    fn level() -> impl Strategy<Value = &'static str> {
        prop_oneof![Just("a"), Just("b"), Just("+"), Just(""), Just("$c")]
    }

    fn any_filter() -> impl Strategy<Value = String> {
        (proptest::collection::vec(level(), 1..4), any::<bool>())
            .prop_map(|(levels, hash)| {
                let mut text = levels.join("/");
                if hash {
                    text.push_str("/#");
                }
                text
            })
            .prop_filter("not empty", |text| !text.is_empty())
    }

    fn any_topic() -> impl Strategy<Value = String> {
        let name = prop_oneof![Just("a"), Just("b"), Just(""), Just("$c")];
        proptest::collection::vec(name, 1..5)
            .prop_map(|names| names.join("/"))
            .prop_filter("not empty", |text| !text.is_empty())
    }

    proptest! {
        #[test]
        fn matching_by_bytes_agrees_with_matching_by_levels(
            text in "(a|ab|\\+|)(/(a|ab|\\+|)){0,3}(/#)?".prop_filter("not empty", |t| !t.is_empty()),
            topic in "(a|ab|abc|)(/(a|ab|abc|)){0,4}",
        ) {
            let mut names = topic.split('/');
            let mut expected = true;
            let mut ended = false;
            for level in text.split('/') {
                match (level, names.next()) {
                    ("#", _) => { ended = true; break; }
                    ("+", Some(_)) => {}
                    (level, Some(name)) if level == name => {}
                    _ => { expected = false; break; }
                }
            }
            expected &= ended || names.next().is_none();
            prop_assert_eq!(filter(&text).matches(&topic), expected, "{} {}", text, topic);
        }

        #[test]
        fn covers_and_overlaps_agree_with_matches(a in any_filter(), b in any_filter(), topic in any_topic()) {
            let (a, b) = (filter(&a), filter(&b));
            if b.matches(&topic) {
                prop_assert!(!a.covers(&b) || a.matches(&topic));
                prop_assert!(!a.matches(&topic) || a.overlaps(&b));
            }
            prop_assert_eq!(a.overlaps(&b), b.overlaps(&a));
            prop_assert!(!a.covers(&b) || a.overlaps(&b));
        }
    }
}
