//! Which event makes which command, for both brokers: topics, payloads and who is concerned. Called by the
//! generator, which checks what comes by it, and by the side that writes the house.

use super::packet::Login;

/// Modules that send events.
pub(crate) const PRODUCERS: usize = 8;
/// Modules that get commands.
pub(crate) const CONSUMERS: usize = 4;
/// Servos of one consumer; with few rules each has its own.
const CHANNELS_MAX: usize = 100;

/// One rule: the event it waits for and the command it sends.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) producer: usize,
    pub(crate) consumer: usize,
    /// Servo of the consumer.
    pub(crate) channel: usize,
    /// Where the command comes.
    pub(crate) topic: Vec<u8>,
    /// Payload of the event up to its value.
    pub(crate) before: Vec<u8>,
}

/// All rules, and who speaks which topics.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) rules: Vec<Rule>,
    /// Each producer's topic of events.
    pub(crate) events: Vec<String>,
    /// What each consumer subscribes to.
    pub(crate) filters: Vec<Vec<String>>,
    /// Empty where anybody may come in.
    pub(crate) producer_logins: Vec<Login>,
    pub(crate) consumer_logins: Vec<Login>,
}

/// What follows the value in an event.
pub(crate) const AFTER: &[u8] = b"}";

impl Route {
    /// One hop: consumers listen to the producers' own topics.
    pub(crate) fn relay(rules: usize) -> Self {
        let mut route = Self::dispatch(rules);
        for rule in &mut route.rules {
            rule.topic = event_topic(rule.producer).into_bytes();
        }
        let heard = |consumer| (consumer..PRODUCERS).step_by(CONSUMERS).map(event_topic);
        route.filters = (0..CONSUMERS)
            .map(|consumer| heard(consumer).collect())
            .collect();
        route
    }

    /// Through rules: consumers listen to their targets.
    pub(crate) fn dispatch(rules: usize) -> Self {
        let filter = |consumer| vec![format!("iot/{}/+/target", consumer_name(consumer))];
        Self {
            rules: (0..rules).map(Rule::new).collect(),
            events: (0..PRODUCERS).map(event_topic).collect(),
            filters: (0..CONSUMERS).map(filter).collect(),
            producer_logins: Vec::new(),
            consumer_logins: Vec::new(),
        }
    }

    /// Servos that the rules of one consumer move.
    pub(crate) fn channels(&self) -> usize {
        self.rules.len().div_ceil(CONSUMERS).min(CHANNELS_MAX)
    }
}

impl Rule {
    fn new(ix: usize) -> Self {
        let (consumer, channel) = (ix % CONSUMERS, ix / CONSUMERS % CHANNELS_MAX);
        Self {
            producer: ix % PRODUCERS,
            consumer,
            channel,
            topic: format!(
                "iot/{}/{}/target",
                consumer_name(consumer),
                channel_name(channel)
            )
            .into_bytes(),
            before: format!("{{\"event\":\"control\",\"number\":{ix},\"value\":").into_bytes(),
        }
    }
}

pub(crate) fn producer_name(producer: usize) -> String {
    format!("player{producer}")
}

pub(crate) fn consumer_name(consumer: usize) -> String {
    format!("stage{consumer}")
}

pub(crate) fn channel_name(channel: usize) -> String {
    format!("servo{channel}")
}

fn event_topic(producer: usize) -> String {
    format!("iot/{}/keys/event", producer_name(producer))
}

/// The number that ends an event or a target: `..,"value":17}`, `{"angle":17}`, `{"angle":17.0}` or `17`.
pub(crate) fn value(payload: &[u8]) -> Option<u64> {
    let payload = payload.strip_suffix(b"}").unwrap_or(payload);
    let payload = payload.strip_suffix(b".0").unwrap_or(payload);
    let digits = payload
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let (before, digits) = payload.split_at(payload.len() - digits);
    if digits.is_empty()
        || digits.len() > 15
        || before
            .last()
            .is_some_and(|byte| *byte != b':' && *byte != b' ')
    {
        return None;
    }
    Some(
        digits
            .iter()
            .fold(0, |value, digit| value * 10 + u64::from(digit - b'0')),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_has_one_producer_and_one_consumer() {
        let route = Route::dispatch(1_000);
        assert_eq!(route.channels(), 100);
        assert_eq!(Route::dispatch(10).channels(), 3);
        let rule = &route.rules[417];
        assert_eq!((rule.producer, rule.consumer, rule.channel), (1, 1, 4));
        assert_eq!(rule.topic, b"iot/stage1/servo4/target");
    }

    #[test]
    fn a_relay_brings_every_event_to_the_consumer_of_its_rule() {
        let route = Route::relay(1_000);
        for rule in &route.rules {
            let topic = String::from_utf8(rule.topic.clone()).expect("topics are text");
            let hear = |filters: &&Vec<String>| filters.contains(&topic);
            assert_eq!(route.filters.iter().filter(hear).count(), 1);
            assert!(route.filters[rule.consumer].contains(&topic));
        }
    }

    #[test]
    fn values_are_read_in_every_form_that_a_target_takes() {
        for payload in [
            "17",
            "{\"angle\":17}",
            "{\"angle\":17.0}",
            "{\"angle\": 17}",
            "{\"event\":\"control\",\"value\":17}",
        ] {
            assert_eq!(value(payload.as_bytes()), Some(17), "{payload}");
        }
        for payload in ["", "{}", "on", "{\"angle\":17.5}", "{\"angle\":-17}"] {
            assert_eq!(value(payload.as_bytes()), None, "{payload}");
        }
    }
}
