//! A hash of what inputs put out, kept in the journal beside them: a replay that comes to something else says so.
//!
//! Fed by the binary after each input and by whoever replays. Not cryptographic: it finds mistakes, not
//! enemies. It covers what follows from the journal alone: the engine's wishes, and the messages that
//! depend on no acknowledgement. Places in tables stand for names, so it holds for one program and binary.

use engine::Output;
use types::Value;

use crate::effects::{Effects, Send};

/// A running hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outputs(u64);

/// How much effects held at one moment; by default nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mark {
    outputs: usize,
    sends: usize,
}

impl Mark {
    /// What they hold now.
    #[must_use]
    pub fn of(effects: &Effects) -> Self {
        Self {
            outputs: effects.engine.outputs.len(),
            sends: effects.sends.len(),
        }
    }
}

/// What a record of the journal holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputsHash {
    /// The hash.
    pub hash: u64,
    /// Version of the program that computed it.
    pub binary: String,
}

impl Default for Outputs {
    fn default() -> Self {
        Self(SEED)
    }
}

impl Outputs {
    /// Takes what one input put out: all that [`crate::Dispatcher::apply`] or [`crate::Dispatcher::replace`]
    /// added to `effects` since `before`, and nothing else.
    pub fn take(&mut self, effects: &Effects, before: Mark) {
        let outputs = effects.engine.outputs.get(before.outputs..);
        let outputs = outputs.unwrap_or_default();
        self.word(outputs.len() as u64);
        for output in outputs {
            self.output(output);
        }
        let sends = effects.sends.get(before.sends..).unwrap_or_default();
        for send in sends.iter().filter(|send| send.token.is_none()) {
            self.send(send);
        }
    }

    /// The hash of all that was taken; the next starts anew.
    pub fn finish(&mut self) -> u64 {
        std::mem::take(self).0
    }

    fn output(&mut self, output: &Output) {
        match output {
            Output::Target {
                channel,
                target,
                changed,
                fade,
                bound,
                ..
            } => {
                self.word(u64::from(channel.0) << 2 | u64::from(*changed) << 1);
                for span in [fade, bound] {
                    self.word(span.map_or(0, |span| span.as_millis() as u64 + 1));
                }
                for (slot, value) in target {
                    self.word(u64::from(slot.0));
                    self.value(value);
                }
            }
            Output::Momentary {
                channel,
                command,
                args,
                ..
            } => {
                self.word(u64::from(channel.0) << 2 | 1);
                self.word(u64::from(*command));
                args.iter().for_each(|value| self.value(value));
            }
            Output::Event { event, fields, .. } => {
                self.word(u64::from(event.0) << 2 | 3);
                fields.iter().for_each(|value| self.value(value));
            }
            Output::Notify { to, text, .. } => {
                self.bytes(to.as_bytes());
                self.bytes(text.as_bytes());
            }
        }
    }

    fn send(&mut self, send: &Send) {
        self.bytes(send.topic.as_bytes());
        self.bytes(&send.payload);
        self.word(u64::from(send.retain));
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Bool(is) => self.word(u64::from(*is) << 1 | 1),
            Value::Number(number) => self.word(number.to_bits()),
            Value::Text(text) => self.bytes(text.as_bytes()),
        }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        for piece in bytes.chunks(size_of::<u64>()) {
            let mut word = [0; size_of::<u64>()];
            word[..piece.len()].copy_from_slice(piece);
            self.word(u64::from_le_bytes(word));
        }
    }

    /// As in rustc's FxHash: one multiplication a word.
    fn word(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(FACTOR);
    }
}

/// Any number but 0, which a 0 would leave as it is.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
/// 2^64 divided by pi, odd.
const FACTOR: u64 = 0x517c_c1b7_2722_0a95;

impl OutputsHash {
    /// Appends the record of a hash that this program computed.
    pub fn encode(hash: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(&hash.to_le_bytes());
        out.extend_from_slice(crate::VERSION.as_bytes());
    }

    /// Reads a record; `None` where it is none.
    #[must_use]
    pub fn decode(record: &[u8]) -> Option<Self> {
        let (hash, binary) = record.split_first_chunk()?;
        Some(Self {
            hash: u64::from_le_bytes(*hash),
            binary: String::from_utf8(binary.to_vec()).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mapping::program::{ChannelIx, SlotIx};

    use super::*;
    use crate::effects::{Qos, Token};

    fn target(channel: u32, slot: u32, value: Value) -> Output {
        Output::Target {
            channel: ChannelIx(channel),
            target: vec![(SlotIx(slot), value)],
            changed: true,
            fade: None,
            bound: None,
            decision: 0,
            line: 0,
        }
    }

    fn send(topic: &str, payload: &str, token: Option<Token>) -> Send {
        Send {
            topic: topic.into(),
            payload: payload.into(),
            qos: Qos::AtLeastOnce,
            retain: true,
            expiry_s: None,
            token,
        }
    }

    fn hash(outputs: Vec<Output>, sends: Vec<Send>) -> u64 {
        let mut effects = Effects::default();
        (effects.engine.outputs, effects.sends) = (outputs, sends);
        let mut hash = Outputs::default();
        hash.take(&effects, Mark::default());
        let mut again = Outputs::default();
        again.take(&effects, Mark::of(&effects));
        assert_eq!(again.finish(), hash_of_nothing());
        hash.finish()
    }

    fn hash_of_nothing() -> u64 {
        let mut hash = Outputs::default();
        hash.take(&Effects::default(), Mark::default());
        hash.finish()
    }

    #[test]
    fn whatever_differs_gives_another_hash() {
        let on = || Value::Bool(true);
        let notify = |to: &str, text: &str| Output::Notify {
            to: to.into(),
            text: text.into(),
            decision: 0,
            line: 0,
        };
        let text = |text: &str| Value::Text(Arc::from(text));
        let all = [
            hash(vec![], vec![]),
            hash(vec![target(1, 2, on())], vec![]),
            hash(vec![target(2, 2, on())], vec![]),
            hash(vec![target(1, 3, on())], vec![]),
            hash(vec![target(1, 2, Value::Bool(false))], vec![]),
            hash(vec![target(1, 2, Value::Number(1.0))], vec![]),
            hash(vec![target(1, 2, text("on"))], vec![]),
            hash(vec![target(1, 2, text("onoff"))], vec![]),
            hash(vec![target(1, 2, on()), target(1, 2, on())], vec![]),
            hash(vec![notify("all", "a")], vec![]),
            hash(vec![notify("al", "la")], vec![]),
            hash(vec![], vec![send("iot/a", "b", None)]),
            hash(vec![], vec![send("iot/ab", "", None)]),
            hash(vec![], vec![send("iot/a", "c", None)]),
        ];
        for (place, one) in all.iter().enumerate() {
            assert!(!all[..place].contains(one), "{place}");
        }
        let token = Some(Token(7));
        assert_eq!(all[0], hash(vec![], vec![send("iot/a", "b", token)]));
    }

    #[test]
    fn each_input_counts_and_a_finished_hash_starts_anew() {
        let mut one = Outputs::default();
        one.take(&Effects::default(), Mark::default());
        let mut two = one;
        two.take(&Effects::default(), Mark::default());
        assert_ne!(one, two);
        assert_ne!(two.finish(), one.finish());
        assert_eq!(two, Outputs::default());
    }

    #[test]
    fn a_record_reads_as_it_was_written() {
        let mut record = Vec::new();
        OutputsHash::encode(u64::MAX - 3, &mut record);
        let read = OutputsHash::decode(&record);
        let written = OutputsHash {
            hash: u64::MAX - 3,
            binary: crate::VERSION.to_owned(),
        };
        assert_eq!(read, Some(written));
        assert_eq!(OutputsHash::decode(&record[..7]), None);
        assert_eq!(OutputsHash::decode(&[0xFF; 12]), None);
    }
}
