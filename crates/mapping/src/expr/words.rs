//! The words of the expression language, for people: what editors complete and explain.

/// A word that can stand in an expression.
#[derive(Clone, Copy, Debug)]
pub struct Word {
    /// As it is written.
    pub name: &'static str,
    /// How it is used.
    pub form: &'static str,
    /// One line for people.
    pub about: &'static str,
}

const fn word(name: &'static str, form: &'static str, about: &'static str) -> Word {
    Word { name, form, about }
}

/// Their names.
pub(super) fn names(words: &[Word]) -> impl Iterator<Item = &str> + Clone {
    words.iter().map(|word| word.name)
}

/// What a name begins with, beside names of devices and groups.
pub static ROOTS: &[Word] = &[
    word(
        "event",
        "event.FIELD",
        "a field of the event that the rule waits for",
    ),
    word("state", "state.DEVICE.CHANNEL", "what was reported"),
    word("target", "target.DEVICE.CHANNEL", "what is desired"),
    word("var", "var.NAME", "a variable"),
    word("sun", "sun.is_down", "where the sun stands"),
    word("now", "now.hour", "local time at home"),
];

/// Functions of values and of reported state.
pub static FUNCTIONS: &[Word] = &[
    word(
        "between",
        "between(x, low, high)",
        "whether x lies between both, ends included",
    ),
    word("min", "min(a, b)", "the smallest"),
    word("max", "max(a, b)", "the largest"),
    word("abs", "abs(x)", "x without its sign"),
    word(
        "round",
        "round(x)",
        "the nearest whole number; half away from zero",
    ),
    word(
        "clamp",
        "clamp(x, low, high)",
        "x, but not below low nor above high",
    ),
    word(
        "startsWith",
        "startsWith(text, part)",
        "whether the text begins with the part",
    ),
    word(
        "contains",
        "contains(text, part)",
        "whether the part stands in the text",
    ),
    word(
        "has",
        "has(state.DEVICE.CHANNEL)",
        "whether it was reported, and is not stale",
    ),
    word(
        "age",
        "age(state.DEVICE.CHANNEL)",
        "seconds since it was reported",
    ),
];

/// What groups can be asked.
pub static OF_GROUPS: &[Word] = &[
    word(
        "all",
        "GROUP.all(x, x.on)",
        "whether it is true of each member",
    ),
    word(
        "exists",
        "GROUP.exists(x, x.on)",
        "whether it is true of some member",
    ),
    word(
        "count",
        "GROUP.count(x, x.on)",
        "of how many members it is true",
    ),
];

/// What can be asked of the sun.
pub static OF_SUN: &[Word] = &[
    word(
        "is_down",
        "sun.is_down",
        "whether the sun is below the horizon",
    ),
    word("is_up", "sun.is_up", "whether the sun is above the horizon"),
    word("elevation", "sun.elevation", "degrees above the horizon"),
];

/// What can be asked of the time.
pub static OF_NOW: &[Word] = &[
    word("hour", "now.hour", "0 to 23"),
    word("minute", "now.minute", "0 to 59"),
    word("weekday", "now.weekday", "1 is Monday, 7 Sunday"),
    word("date", "now.date", "a text: 2026-03-28"),
];
