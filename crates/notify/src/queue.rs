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

    /// Waits for the next text; `None`: there is none and none will come.
    pub(crate) fn next(&self) -> Option<Waiting> {
        let mut state = self.lock();
        loop {
            if let Some(next) = state.waiting.pop_front() {
                return Some(next);
            }
            if state.is_closed {
                return None;
            }
            let woken = self.changed.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// How many were left out since the last call.
    pub(crate) fn take_left_out(&self) -> u64 {
        std::mem::take(&mut self.lock().left_out)
    }

    /// Waits; false: the queue was closed meanwhile, and there is no time to wait.
    pub(crate) fn pause(&self, span: Duration) -> bool {
        let end = Instant::now() + span;
        let mut state = self.lock();
        while !state.is_closed {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            let woken = self.changed.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        false
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

    #[test]
    fn a_full_queue_keeps_the_first_texts_and_counts_the_rest() {
        let queue = Queue::default();
        for number in 0..WAITING_MAX + 7 {
            assert_eq!(queue.push(number.to_string()), number < WAITING_MAX);
        }
        assert_eq!(queue.take_left_out(), 7);
        assert_eq!(queue.take_left_out(), 0);
        for number in 0..WAITING_MAX {
            assert_eq!(queue.next().unwrap().text, number.to_string());
        }
    }

    #[test]
    fn what_waits_when_it_is_closed_still_comes_and_nobody_waits_for_more() {
        let queue = Queue::default();
        queue.push("last".into());
        queue.close();
        assert!(!queue.push("too late".into()));
        assert!(!queue.pause(Duration::from_secs(3_600)));
        assert_eq!(queue.next().unwrap().text, "last");
        assert!(queue.next().is_none());
    }
}
