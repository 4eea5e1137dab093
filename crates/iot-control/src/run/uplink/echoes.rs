//! Our own messages, which a broker of MQTT 3.1.1 sends back to us: on which topics, and how often, to tell them from
//! those of others. Only topics and payloads in and a verdict out.
//!
//! What rules do on a virtual device is said on the topics on which others may speak for it. Were an echo of it taken for
//! a report, the house would answer itself.

use std::collections::VecDeque;

/// Messages that are expected back; of more the oldest are forgotten.
const EXPECTED_MAX: usize = 1_024;

/// What is expected back.
#[derive(Debug, Default)]
pub(super) struct Echoes(VecDeque<(String, Vec<u8>)>);

impl Echoes {
    /// Notes that this was published and will come back.
    pub(super) fn expect(&mut self, topic: &str, payload: &[u8]) {
        if self.0.len() == EXPECTED_MAX {
            self.0.pop_front();
        }
        self.0.push_back((topic.to_owned(), payload.to_vec()));
    }

    /// Whether what came is one of ours; each comes back once.
    pub(super) fn take(&mut self, topic: &str, payload: &[u8]) -> bool {
        let is_it = |(of, said): &(String, Vec<u8>)| of == topic && said == payload;
        let place = self.0.iter().position(is_it);
        place.and_then(|place| self.0.remove(place)).is_some()
    }

    /// The broker forgot us, and all that it had for us.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_of_ours_is_taken_for_ours_once() {
        let mut echoes = Echoes::default();
        echoes.expect("iot/alarm/bell/event", b"ring");
        echoes.expect("iot/alarm/bell/event", b"ring");
        assert!(!echoes.take("iot/alarm/bell/event", b"stop"));
        assert!(!echoes.take("iot/alarm/lamp/event", b"ring"));
        assert!(echoes.take("iot/alarm/bell/event", b"ring"));
        assert!(echoes.take("iot/alarm/bell/event", b"ring"));
        assert!(!echoes.take("iot/alarm/bell/event", b"ring"));
    }

    #[test]
    fn no_more_are_kept_than_the_limit() {
        let mut echoes = Echoes::default();
        for number in 0..=EXPECTED_MAX {
            echoes.expect("a", number.to_string().as_bytes());
        }
        assert!(!echoes.take("a", b"0"), "the oldest is forgotten");
        assert!(echoes.take("a", b"1"));
        echoes.forget();
        assert!(!echoes.take("a", b"2"));
    }
}
