//! What was used last, and no more of it than memory is given for.

/// Pairs of key and value, the one used last at the end.
#[derive(Debug)]
pub(crate) struct Recent<K, V> {
    all: Vec<(K, V)>,
    max: usize,
}

impl<K: PartialEq, V: Clone> Recent<K, V> {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            all: Vec::new(),
            max,
        }
    }

    pub(crate) fn get(&mut self, key: &K) -> Option<V> {
        let at = self.all.iter().rposition(|(known, _)| known == key)?;
        let found = self.all.remove(at);
        let value = found.1.clone();
        self.all.push(found);
        Some(value)
    }

    /// Adds what is not there yet; what was not used for longest goes where it is one too many.
    pub(crate) fn add(&mut self, key: K, value: V) {
        if self.all.len() == self.max {
            self.all.remove(0);
        }
        self.all.push((key, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let mut recent = Recent::new(2);
        recent.add("a", 1);
        recent.add("b", 2);
        assert_eq!(recent.get(&"a"), Some(1));
        recent.add("c", 3);
        let all = ["a", "b", "c"].map(|key| recent.get(&key));
        assert_eq!(all, [Some(1), None, Some(3)]);
    }
}
