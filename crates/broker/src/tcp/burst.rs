//! Staying awake through a burst: keys of a chord, a scene whose lamps all report back, a client that asks on
//! as soon as it has its answer.
//!
//! Called by [`super::Server`]. A thread that sleeps is woken by the kernel, on a processor that has gone to sleep as
//! well and forgot what it knew: for one small message that is half of its way. So who was called twice within a moment
//! looks for a third call that long before it sleeps, as hypervisors do with their guests. A call alone leaves it asleep.

use std::{cell::Cell, time::Duration};

use tokio::{sync::Notify, task::yield_now};
use types::Instant;

/// Whether there is a burst.
#[derive(Debug, Default)]
pub(super) struct Burst {
    /// Calls no further apart than this belong to one burst; zero: there are none.
    pause_max: Cell<Duration>,
    last: Cell<Instant>,
    lasts: Cell<bool>,
    begun: Notify,
}

impl Burst {
    pub(super) fn set_pause_max(&self, pause_max: Duration) {
        self.pause_max.set(pause_max);
    }

    /// A peer sent something.
    pub(super) fn called(&self, now: Instant) {
        let pause = now.since(self.last.replace(now));
        if !self.lasts.get() && pause < self.pause_max.get() {
            self.lasts.set(true);
            self.begun.notify_one();
        }
    }

    /// Whether the next call may still belong to the burst.
    fn goes_on(&self, now: Instant) -> bool {
        now.since(self.last.get()) < self.pause_max.get()
    }

    /// While a burst lasts, lets the runtime look for input without sleeping.
    pub(super) async fn attend(&self, clock: impl Fn() -> Instant) {
        loop {
            self.begun.notified().await;
            while self.goes_on(clock()) {
                yield_now().await;
            }
            self.lasts.set(false);
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

    /// How often the clock is asked in so many turns of the runtime, which begins after calls at these microseconds.
    fn asked(pause_max: Duration, calls: &[u64], turns_at: &[u64]) -> Vec<u32> {
        let burst = Burst::default();
        burst.set_pause_max(pause_max);
        let (now, asked) = (Cell::new(Instant::default()), Cell::new(0));
        let mut attend = pin!(burst.attend(|| {
            asked.set(asked.get() + 1);
            now.get()
        }));
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!(attend.as_mut().poll(&mut cx), Poll::Pending);
        calls.iter().for_each(|at| burst.called(Instant(*at)));
        let mut turn = |at: &u64| {
            now.set(Instant(*at));
            asked.set(0);
            assert_eq!(attend.as_mut().poll(&mut cx), Poll::Pending);
            asked.get()
        };
        turns_at.iter().map(&mut turn).collect()
    }

    #[test]
    fn a_call_alone_keeps_nobody_awake() {
        assert_eq!(asked(PAUSE_MAX, &[1_000], &[1_001, 1_002]), [0, 0]);
        assert_eq!(asked(PAUSE_MAX, &[1_000, 1_300], &[1_301]), [0]);
    }

    #[test]
    fn a_burst_is_attended_until_its_pause_is_over() {
        let asked = asked(PAUSE_MAX, &[1_000, 1_299], &[1_300, 1_598, 1_599, 1_600]);
        assert_eq!(asked, [1, 1, 1, 0]);
    }

    #[test]
    fn without_a_pause_there_are_no_bursts() {
        assert_eq!(asked(Duration::ZERO, &[1_000, 1_000], &[1_000]), [0]);
    }
}
