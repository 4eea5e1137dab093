//! Texts that wait for one carrier: bounded; what doesn't fit is left out and counted, because the first
//! texts of an incident say what it is about.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Texts that wait for one carrier at most.
pub(crate) const WAITING_MAX: usize = 100;

/// A text and when it was handed over.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) text: String,
    pub(crate) since: Instant,
}

/// What [`Queue::next`] waited for.
#[derive(Debug)]
pub(crate) enum Next {
    /// A text.
    Text(Waiting),
    /// The moment until which it was to wait.
    Time,
    /// There is no text and none will come.
    Closed,
}

#[derive(Debug, Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Waiting>,
    left_out: u64,
    /// No more texts come: what waits is still delivered, but nothing is waited for.
    is_closed: bool,
}

impl Queue {
    /// Never waits longer than another thread takes to push or pop. False: it is full.
    pub(crate) fn push(&self, text: String) -> bool {
        let mut state = self.lock();
        if state.is_closed || state.waiting.len() >= WAITING_MAX {
            state.left_out += 1;
            return false;
        }
        state.waiting.push_back(Waiting {
            text,
            since: Instant::now(),
        });
        drop(state);
        self.changed.notify_all();
        true
    }

    /// Waits for the next text, and no longer than `until`.
    pub(crate) fn next(&self, until: Option<Instant>) -> Next {
        let mut state = self.lock();
        loop {
            if let Some(next) = state.waiting.pop_front() {
                return Next::Text(next);
            }
            if state.is_closed {
                return Next::Closed;
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            state = match left {
                Some(Duration::ZERO) => return Next::Time,
                Some(left) => {
                    let woken = self.changed.wait_timeout(state, left);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
                None => {
                    let woken = self.changed.wait(state);
                    woken.unwrap_or_else(PoisonError::into_inner)
                }
            };
        }
    }

    /// How many were left out since the last call.
    pub(crate) fn take_left_out(&self) -> u64 {
        std::mem::take(&mut self.lock().left_out)
    }

    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    /// What a thread that panicked has left is whole: nothing here panics halfway.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(queue: &Queue) -> Option<String> {
        match queue.next(None) {
            Next::Text(waiting) => Some(waiting.text),
            Next::Time | Next::Closed => None,
        }
    }

    #[test]
    fn nobody_waits_longer_than_asked() {
        let queue = Queue::default();
        assert!(matches!(queue.next(Some(Instant::now())), Next::Time));
    }

    #[test]
    fn a_full_queue_keeps_the_first_texts_and_counts_the_rest() {
        let queue = Queue::default();
        for number in 0..WAITING_MAX + 7 {
            assert_eq!(queue.push(number.to_string()), number < WAITING_MAX);
        }
        assert_eq!(queue.take_left_out(), 7);
        assert_eq!(queue.take_left_out(), 0);
        for number in 0..WAITING_MAX {
            assert_eq!(text(&queue).unwrap(), number.to_string());
        }
    }

    #[test]
    fn what_waits_when_it_is_closed_still_comes_and_nobody_waits_for_more() {
        let queue = Queue::default();
        queue.push("last".into());
        queue.close();
        assert!(!queue.push("too late".into()));
        assert_eq!(text(&queue).unwrap(), "last");
        let in_an_hour = Instant::now() + Duration::from_secs(3_600);
        assert!(matches!(queue.next(Some(in_an_hour)), Next::Closed));
    }
}
