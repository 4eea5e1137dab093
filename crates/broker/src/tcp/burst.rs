//! Polling through a burst: keys of a chord, a scene whose lamps all report back, a client that asks on as soon as it has
//! its answer.
//!
//! Called by [`super::Server`]. Waking a sleeping thread, on a core with cold caches, takes half the latency of a small
//! message. After two messages less than `pause_max` apart we therefore poll that long for the next one before we sleep,
//! as KVM does for its guests (halt polling). A message alone is never polled for, and no burst is polled through for longer
//! than [`LENGTH_MAX`]: what lasts longer is load, and a core that is never idle is of no use to others.

use std::{cell::Cell, time::Duration};

use tokio::{sync::Notify, task::yield_now};
use types::Instant;

/// How long a burst is polled through. The next burst begins after a longer pause.
const LENGTH_MAX: Duration = Duration::from_secs(1);

/// Whether there is a burst.
#[derive(Debug)]
pub(super) struct Burst {
    /// Messages closer together than this belong to one burst; zero: there are none.
    pause_max: Duration,
    first: Cell<Instant>,
    last: Cell<Option<Instant>>,
    is_polling: Cell<bool>,
    begun: Notify,
}

impl Burst {
    pub(super) fn new(pause_max: Duration) -> Self {
        Self {
            pause_max,
            first: Cell::default(),
            last: Cell::default(),
            is_polling: Cell::default(),
            begun: Notify::new(),
        }
    }

    /// A message came.
    pub(super) fn message_came(&self, now: Instant) {
        let last = self.last.replace(Some(now));
        if last.is_none_or(|last| now.since(last) >= self.pause_max) {
            self.first.set(now);
        } else if !self.is_polling.get() && self.goes_on(now) {
            self.is_polling.set(true);
            self.begun.notify_one();
        }
    }

    /// Whether the next message may still belong to the burst.
    fn goes_on(&self, now: Instant) -> bool {
        let is_close = |last| now.since(last) < self.pause_max;
        self.last.get().is_some_and(is_close) && now.since(self.first.get()) < LENGTH_MAX
    }

    /// While a burst lasts, lets the runtime look for input without sleeping.
    pub(super) async fn poll(&self, clock: impl Fn() -> Instant) {
        loop {
            self.begun.notified().await;
            while self.goes_on(clock()) {
                yield_now().await;
            }
            self.is_polling.set(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        task::{Context, Poll, Waker},
    };

    use super::*;

    const PAUSE_MAX: Duration = Duration::from_micros(300);

    /// How often the clock is asked in turns of the runtime at these microseconds, after messages at those.
    fn polls(pause_max: Duration, messages: &[u64], turns: &[u64]) -> Vec<u32> {
        let burst = Burst::new(pause_max);
        let (now, polls) = (Cell::new(Instant::default()), Cell::new(0));
        let mut poll = pin!(burst.poll(|| {
            polls.set(polls.get() + 1);
            now.get()
        }));
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!(poll.as_mut().poll(&mut cx), Poll::Pending);
        messages
            .iter()
            .for_each(|at| burst.message_came(Instant(*at)));
        let turn = |at: &u64| {
            now.set(Instant(*at));
            polls.set(0);
            assert_eq!(poll.as_mut().poll(&mut cx), Poll::Pending);
            polls.get()
        };
        turns.iter().map(turn).collect()
    }

    #[test]
    fn a_message_alone_is_not_polled_for() {
        assert_eq!(polls(PAUSE_MAX, &[1], &[2, 3]), [0, 0]);
        assert_eq!(polls(PAUSE_MAX, &[1_000, 1_300], &[1_301]), [0]);
    }

    #[test]
    fn a_burst_is_polled_through_until_its_pause_is_over() {
        let polls = polls(PAUSE_MAX, &[1_000, 1_299], &[1_300, 1_598, 1_599, 1_600]);
        assert_eq!(polls, [1, 1, 1, 0]);
    }

    #[test]
    fn what_lasts_longer_than_a_second_is_no_burst_any_more() {
        let load: Vec<u64> = (0..=10_000).map(|message| 1_000 + 200 * message).collect();
        let last = load.last().copied().unwrap();
        assert_eq!(polls(PAUSE_MAX, &load[..5_000], &[1_000_900])[0], 1);
        assert_eq!(
            polls(PAUSE_MAX, &load, &[last, last + 1]),
            [1, 0],
            "it ends"
        );
        let burst = Burst::new(PAUSE_MAX);
        load.iter().for_each(|at| burst.message_came(Instant(*at)));
        assert!(!burst.goes_on(Instant(last)));
        let next = last + 300;
        [next, next + 1]
            .iter()
            .for_each(|at| burst.message_came(Instant(*at)));
        assert!(burst.goes_on(Instant(next + 1)), "the next one begins");
    }

    #[test]
    fn without_a_pause_there_are_no_bursts() {
        assert_eq!(polls(Duration::ZERO, &[1_000, 1_000], &[1_000]), [0]);
    }
}
