//! Which event makes which command, for both brokers: topics, payloads, and who is concerned. Called by the
//! generator and its ledger, which check what comes by it, and by the side that writes the house.

use super::packet::Login;

/// Modules that send events.
pub(crate) const PRODUCERS: usize = 8;
/// Modules that get commands.
pub(crate) const CONSUMERS: usize = 4;
/// Values of a MIDI control, and controls of one channel: 0..=127.
pub(crate) const MIDI: usize = 128;
/// Servos of one consumer; with few rules each has its own.
const SERVOS_MAX: usize = 100;

/// How events become commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// One hop: a consumer hears the event itself.
    Relay,
    /// Through a rule: a consumer gets a target.
    Rules,
}

/// One rule: the event it waits for and the command it sends.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) producer: usize,
    pub(crate) consumer: usize,
    /// Where the event goes.
    pub(crate) event_topic: Vec<u8>,
    /// Payload of the event up to its value.
    pub(crate) event_start: Vec<u8>,
    /// Where the command comes.
    pub(crate) command_topic: Vec<u8>,
}

/// All rules, and who speaks which topics.
#[derive(Debug)]
pub(crate) struct Route {
    way: Way,
    pub(crate) rules: Vec<Rule>,
    /// Empty where anybody may come in.
    pub(crate) producer_logins: Vec<Login>,
    pub(crate) consumer_logins: Vec<Login>,
}

/// What follows the value in an event.
pub(crate) const EVENT_END: &[u8] = b"}";

impl Route {
    /// One hop: consumers listen to the producers' own topics.
    pub(crate) fn relay(rules: usize) -> Self {
        Self::new(Way::Relay, rules)
    }

    /// Through rules: consumers listen to their targets.
    pub(crate) fn rules(rules: usize) -> Self {
        Self::new(Way::Rules, rules)
    }

    fn new(way: Way, rules: usize) -> Self {
        Self {
            way,
            rules: (0..rules).map(|ix| Rule::new(way, ix)).collect(),
            producer_logins: Vec::new(),
            consumer_logins: Vec::new(),
        }
    }

    /// What a consumer subscribes to.
    pub(crate) fn filters(&self, consumer: usize) -> Vec<String> {
        match self.way {
            Way::Relay => (consumer..PRODUCERS)
                .step_by(CONSUMERS)
                .map(|producer| format!("iot/{}/+/event", producer_name(producer)))
                .collect(),
            Way::Rules => vec![format!("iot/{}/+/target", consumer_name(consumer))],
        }
    }

    /// What a rule adds to its event's value: so its command tells which rule sent it, and for which event.
    pub(crate) fn base(&self, rule: usize) -> usize {
        rule * MIDI
    }

    /// MIDI channels of one producer.
    pub(crate) fn keyboards(&self) -> usize {
        self.rules.len().div_ceil(PRODUCERS * MIDI)
    }

    /// Servos of one consumer.
    pub(crate) fn servos(&self) -> usize {
        self.rules.len().div_ceil(CONSUMERS).min(SERVOS_MAX)
    }

    /// The rule and the event's value behind a message, where this consumer should get it at this topic.
    pub(crate) fn identify(
        &self,
        consumer: usize,
        topic: &[u8],
        payload: &[u8],
    ) -> Option<(usize, u8)> {
        let (number, value) = match self.way {
            Way::Relay => {
                let (start, value) = last_number(payload)?;
                let (_, number) = last_number(start.strip_suffix(b",\"value\":")?)?;
                (keyboard_rule(topic, number)?, value)
            }
            Way::Rules => {
                let (_, angle) = last_number(payload)?;
                (angle / MIDI, angle % MIDI)
            }
        };
        let rule = self.rules.get(number)?;
        let right = rule.consumer == consumer && rule.command_topic == topic && value < MIDI;
        right.then_some((number, u8::try_from(value).ok()?))
    }
}

impl Rule {
    fn new(way: Way, ix: usize) -> Self {
        let (producer, consumer) = (ix % PRODUCERS, ix % CONSUMERS);
        let (keyboard, control) = place(ix);
        let (player, keys) = (producer_name(producer), keyboard_name(keyboard));
        let event_topic = format!("iot/{player}/{keys}/event").into_bytes();
        let servo = || {
            format!(
                "iot/{}/{}/target",
                consumer_name(consumer),
                servo_name(servo(ix))
            )
        };
        Self {
            producer,
            consumer,
            event_start: format!("{{\"event\":\"control\",\"number\":{control},\"value\":")
                .into_bytes(),
            command_topic: match way {
                Way::Relay => event_topic.clone(),
                Way::Rules => servo().into_bytes(),
            },
            event_topic,
        }
    }
}

/// MIDI channel of its producer, and control, of a rule.
pub(crate) fn place(rule: usize) -> (usize, usize) {
    let place = rule / PRODUCERS;
    (place / MIDI, place % MIDI)
}

/// The servo of its consumer that a rule moves.
pub(crate) fn servo(rule: usize) -> usize {
    rule / CONSUMERS % SERVOS_MAX
}

pub(crate) fn producer_name(producer: usize) -> String {
    format!("player{producer}")
}

pub(crate) fn consumer_name(consumer: usize) -> String {
    format!("stage{consumer}")
}

pub(crate) fn keyboard_name(keyboard: usize) -> String {
    format!("keys{keyboard}")
}

pub(crate) fn servo_name(servo: usize) -> String {
    format!("servo{servo}")
}

/// The rule of a control at `iot/player1/keys2/event`.
fn keyboard_rule(topic: &[u8], control: usize) -> Option<usize> {
    let (device, keyboard) = last_number(topic.strip_suffix(b"/event")?)?;
    let (_, producer) = last_number(device.strip_suffix(b"/keys")?)?;
    Some((keyboard * MIDI + control) * PRODUCERS + producer)
}

/// The whole number that ends some bytes, and what stands before it: an event, a target in any form it may take
/// (`{"angle":17}`, `{"angle":17.0}`, `17`), or a part of a topic.
fn last_number(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let bytes = bytes.strip_suffix(b"}").unwrap_or(bytes);
    let bytes = bytes.strip_suffix(b".0").unwrap_or(bytes);
    let digits = bytes
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let (before, digits) = bytes.split_at(bytes.len() - digits);
    let strange = before
        .last()
        .is_some_and(|byte| matches!(byte, b'.' | b'-' | b'+' | b'e'));
    if digits.is_empty() || digits.len() > 9 || strange {
        return None;
    }
    let digit = |number, digit: &u8| number * 10 + usize::from(digit - b'0');
    Some((before, digits.iter().fold(0, digit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_brings_every_event_to_the_consumer_of_its_rule() {
        let route = Route::relay(10_000);
        for (ix, rule) in route.rules.iter().enumerate() {
            let payload = [&rule.event_start, &b"99"[..], EVENT_END].concat();
            let found = route.identify(rule.consumer, &rule.event_topic, &payload);
            assert_eq!(found, Some((ix, 99)));
            let payload = [&rule.event_start, &b"200"[..], EVENT_END].concat();
            let found = route.identify(rule.consumer, &rule.event_topic, &payload);
            assert_eq!(found, None, "no control has this value");
            let payload = [&rule.event_start, &b"99"[..], EVENT_END].concat();
            assert_eq!(
                route.identify(rule.consumer + 1, &rule.event_topic, &payload),
                None
            );
        }
        assert_eq!(
            route.filters(1),
            ["iot/player1/+/event", "iot/player5/+/event"]
        );
    }

    #[test]
    fn a_target_tells_its_rule_and_the_value_of_its_event() {
        let route = Route::rules(10_000);
        let (rule, value) = (4_177, 5);
        let angle = rule * MIDI + value;
        let found = Some((rule, 5));
        for payload in [
            format!("{{\"angle\":{angle}}}"),
            format!("{{\"angle\": {angle}.0}}"),
            angle.to_string(),
        ] {
            assert_eq!(
                route.identify(1, b"iot/stage1/servo44/target", payload.as_bytes()),
                found,
                "{payload}"
            );
            assert_eq!(
                route.identify(1, b"iot/stage1/servo45/target", payload.as_bytes()),
                None
            );
        }
        for payload in [
            "",
            "{}",
            "on",
            "{\"angle\":17.5}",
            "{\"angle\":-17}",
            "{\"angle\":999999999}",
        ] {
            assert_eq!(
                route.identify(1, b"iot/stage1/servo44/target", payload.as_bytes()),
                None,
                "{payload}"
            );
        }
    }

    #[test]
    fn few_rules_have_a_servo_each_and_many_share() {
        let sizes = |rules| {
            (
                Route::rules(rules).keyboards(),
                Route::rules(rules).servos(),
            )
        };
        assert_eq!(sizes(10), (1, 3));
        assert_eq!(sizes(1_000), (1, 100));
        assert_eq!(sizes(10_000), (10, 100));
    }
}
