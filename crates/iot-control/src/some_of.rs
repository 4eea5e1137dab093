//! What there is instead of what somebody asked for, in sentences for people.

use std::fmt::Display;

pub(crate) use mapping::some_of;

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
    fn the_name_that_was_meant_or_some_of_all_are_named() {
        let many: Vec<String> = (0..1_000).map(|of| format!("n{of}")).collect();
        let instead = |asked| instead(asked, many.iter());
        let said = instead("temperature").expect("there are some");
        assert_eq!(said, "; it has n0, n1, n2, n3, n4, n5, n6, n7 and 992 more");
        assert_eq!(instead("N999").as_deref(), Some("; did you mean n999?"));
    }
}
