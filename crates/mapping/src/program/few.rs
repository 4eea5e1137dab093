//! Lists that mostly hold one thing. What an event makes the engine read of a rule then stands in the rule's own row,
//! and not behind a pointer each.

use std::{fmt, ops};

/// A list that takes no memory of its own where it holds one thing. Read as a slice; made from an iterator, an array or
/// a `Vec`.
#[derive(Clone, PartialEq)]
pub struct Few<T>(List<T>);

#[derive(Clone, PartialEq)]
enum List<T> {
    One([T; 1]),
    /// Any number but one.
    Other(Box<[T]>),
}

impl<T> ops::Deref for Few<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match &self.0 {
            List::One(one) => one,
            List::Other(items) => items,
        }
    }
}

impl<T> ops::DerefMut for Few<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        match &mut self.0 {
            List::One(one) => one,
            List::Other(items) => items,
        }
    }
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self(List::Other(Box::default()))
    }
}

impl<T> FromIterator<T> for Few<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut items = items.into_iter();
        let Some(first) = items.next() else {
            return Self::default();
        };
        Self(match items.next() {
            None => List::One([first]),
            Some(second) => List::Other([first, second].into_iter().chain(items).collect()),
        })
    }
}

impl<T> From<Vec<T>> for Few<T> {
    fn from(items: Vec<T>) -> Self {
        Self(match <[T; 1]>::try_from(items) {
            Ok(one) => List::One(one),
            Err(items) => List::Other(items.into()),
        })
    }
}

impl<T, const N: usize> From<[T; N]> for Few<T> {
    fn from(items: [T; N]) -> Self {
        items.into_iter().collect()
    }
}

impl<'a, T> IntoIterator for &'a Few<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a, T> IntoIterator for &'a mut Few<T> {
    type Item = &'a mut T;
    type IntoIter = std::slice::IterMut<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}

impl<T: fmt::Debug> fmt::Debug for Few<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_any_length_holds_what_it_was_made_from() {
        for length in 0..5 {
            let items: Vec<usize> = (0..length).collect();
            let collected: Few<usize> = items.iter().copied().collect();
            assert_eq!(*collected, *items);
            assert_eq!(Few::from(items), collected);
            assert_eq!(matches!(collected.0, List::One(_)), length == 1);
        }
    }

    #[test]
    fn what_can_be_one_of_several_costs_nothing_in_the_list() {
        use crate::program::{Action, Trigger};
        assert_eq!(size_of::<Few<Trigger>>(), size_of::<Trigger>());
        assert_eq!(size_of::<Few<Action>>(), size_of::<Action>());
    }
}
