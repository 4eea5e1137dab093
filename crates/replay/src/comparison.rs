//! What a replay puts out against the hashes of what was put out then.

use std::fmt;

use dispatcher::{Effects, Mark, Outputs, OutputsHash, VERSION};
use store::Record;
use types::InputNo;

/// Compares stretch by stretch: from one hash in the journal to the next.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    outputs: Outputs,
    /// The first input since the last hash.
    first: Option<InputNo>,
    /// Inputs are missing: nothing is to be compared any more.
    given_up: bool,
    differing: Option<Differing>,
}

/// Inputs that put out something else in a replay than when they were taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differing {
    /// The first input of the first stretch that differs.
    pub from: InputNo,
    /// Its last one.
    pub to: InputNo,
    /// Version of the program that took them.
    pub binary: String,
    /// How many later stretches differ too.
    pub more: u64,
}

impl Comparison {
    /// Takes what an input put out: what `effects` got since `before`.
    pub(crate) fn take(&mut self, no: InputNo, effects: &Effects, before: Mark) {
        self.first.get_or_insert(no);
        self.outputs.take(effects, before);
    }

    /// The process that wrote the inputs so far ended before it wrote their hash.
    pub(crate) fn start_again(&mut self) {
        self.first = None;
        self.outputs.finish();
    }

    pub(crate) fn give_up(&mut self) {
        self.given_up = true;
    }

    /// The house is again what it was.
    pub(crate) fn go_on(&mut self) {
        self.start_again();
        self.given_up = false;
    }

    /// Compares with the hash in the journal.
    pub(crate) fn compare(&mut self, record: &Record) {
        let hash = self.outputs.finish();
        let Some(from) = self.first.take().filter(|_| !self.given_up) else {
            return;
        };
        let then = match OutputsHash::decode(&record.body) {
            Some(then) if then.hash != hash => then,
            _ => return,
        };
        match &mut self.differing {
            Some(differing) => differing.more += 1,
            None => {
                self.differing = Some(Differing {
                    from,
                    to: record.no,
                    binary: then.binary,
                    more: 0,
                });
            }
        }
    }

    pub(crate) fn differing(&self) -> Option<&Differing> {
        self.differing.as_ref()
    }
}

impl fmt::Display for Differing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            from,
            to,
            binary,
            more,
        } = self;
        write!(
            f,
            "replayed, inputs {from} to {to} lead to something else than when they came: iot-control {binary} took them"
        )?;
        if binary == VERSION {
            f.write_str(", as this is; please report it")?;
        } else {
            write!(f, ", this is {VERSION}: old inputs ran through new code")?;
        }
        match more {
            0 => Ok(()),
            1 => f.write_str("; so does 1 later stretch"),
            more => write!(f, "; so do {more} later stretches"),
        }
    }
}

#[cfg(test)]
mod tests {
    use dispatcher::Effects;
    use store::Class;
    use types::Now;

    use super::*;

    fn take(comparison: &mut Comparison, no: u64) {
        comparison.take(InputNo(no), &Effects::default(), Mark::default());
    }

    /// The record of a hash over so many inputs that put out nothing.
    fn hash(no: u64, inputs: u64) -> Record {
        let mut outputs = Outputs::default();
        for _ in 0..inputs {
            outputs.take(&Effects::default(), Mark::default());
        }
        let mut body = Vec::new();
        OutputsHash::encode(outputs.finish(), &mut body);
        Record {
            no: InputNo(no),
            now: Now::default(),
            class: Class::OutputsHash,
            body,
        }
    }

    #[test]
    fn stretches_that_differ_are_counted_and_the_first_is_named() {
        let mut comparison = Comparison::default();
        for no in 1..=3 {
            take(&mut comparison, no);
        }
        comparison.compare(&hash(3, 3));
        assert_eq!(comparison.differing(), None);
        for (no, inputs) in [(4, 2), (5, 1), (6, 7), (7, 8)] {
            take(&mut comparison, no);
            comparison.compare(&hash(no, inputs));
        }
        let differing = comparison.differing().cloned();
        let expected = Differing {
            from: InputNo(4),
            to: InputNo(4),
            binary: VERSION.to_owned(),
            more: 2,
        };
        assert_eq!(differing, Some(expected));
        let text = differing.map(|it| it.to_string()).unwrap_or_default();
        assert!(
            text.contains("inputs 4 to 4 lead to something else"),
            "{text}"
        );
        assert!(
            text.ends_with("as this is; please report it; so do 2 later stretches"),
            "{text}"
        );
    }

    #[test]
    fn inputs_whose_process_was_killed_before_their_hash_are_not_counted_to_the_next() {
        let mut comparison = Comparison::default();
        take(&mut comparison, 1);
        comparison.start_again();
        take(&mut comparison, 2);
        comparison.compare(&hash(2, 1));
        assert_eq!(comparison.differing(), None);
    }

    #[test]
    fn what_can_not_be_compared_is_not() {
        let mut comparison = Comparison::default();
        // A snapshot was taken right before the hash.
        comparison.compare(&hash(1, 5));
        take(&mut comparison, 2);
        let rubbish = Record {
            body: b"short".to_vec(),
            ..hash(2, 5)
        };
        comparison.compare(&rubbish);
        comparison.give_up();
        take(&mut comparison, 4);
        comparison.compare(&hash(4, 9));
        assert_eq!(comparison.differing(), None);
    }
}
