//! Lists of names in sentences for people: as many as somebody reads, and how many more there are.

use std::fmt::Display;

/// `hall, desk and 12 more`: the first `max` of `all`.
#[must_use]
pub fn some_of(all: impl IntoIterator<Item = impl Display>, max: usize) -> String {
    let mut all = all.into_iter();
    let first = all.by_ref().take(max).map(|name| name.to_string());
    let first = first.collect::<Vec<_>>().join(", ");
    match all.count() {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_ends_where_nobody_reads_on() {
        assert_eq!(some_of(["a", "b"], 2), "a, b");
        assert_eq!(some_of(["a", "b", "c", "d"], 2), "a, b and 2 more");
    }
}
