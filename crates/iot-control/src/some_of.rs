//! Lists of names in sentences for people: as many as somebody reads, and how many more there are.

use std::fmt::Display;

/// `hall, desk and 12 more`: the first `max` of `all`.
pub(crate) fn some_of(all: impl IntoIterator<Item = impl Display>, max: usize) -> String {
    let mut all = all.into_iter();
    let first = all.by_ref().take(max).map(|name| name.to_string());
    let first = first.collect::<Vec<_>>().join(", ");
    match all.count() {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

/// Names that are told where none of them is like the one that was asked for.
const OTHERS_MAX: usize = 8;

/// What else there is, for whoever asked for what is not there: the name that was meant, else some of all.
pub(crate) fn instead(
    asked: &str,
    all: impl IntoIterator<Item = impl AsRef<str> + Display> + Clone,
) -> Option<String> {
    let names: Vec<_> = all.clone().into_iter().collect();
    if names.is_empty() {
        return None;
    }
    let near = mapping::suggest::closest(asked, names.iter().map(AsRef::as_ref));
    Some(match near {
        Some(near) => format!("; did you mean {near}?"),
        None => format!("; it has {}", some_of(all, OTHERS_MAX)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_ends_where_nobody_reads_on() {
        assert_eq!(some_of(["a", "b"], 2), "a, b");
        assert_eq!(some_of(["a", "b", "c", "d"], 2), "a, b and 2 more");
        let many: Vec<String> = (0..1_000).map(|of| format!("n{of}")).collect();
        let instead = |asked| instead(asked, many.iter());
        let said = instead("temperature").expect("there are some");
        assert_eq!(said, "; it has n0, n1, n2, n3, n4, n5, n6, n7 and 992 more");
        assert_eq!(instead("N999").as_deref(), Some("; did you mean n999?"));
    }
}
