//! Waiting for what other processes do: always for a condition, always with a deadline.

use std::{
    fmt::Debug,
    sync::{Arc, Condvar, Mutex},
    thread,
    time::{Duration, Instant},
};

/// How long anything may take before a test gives up: far above what a loaded machine needs.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Pause between two looks at what can't wake us.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Looks until `found` gives something.
///
/// # Panics
/// It does not in time.
pub fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        thread::sleep(LOOK_EVERY);
    }
}

/// What another thread notes down, to be waited for.
#[derive(Debug)]
pub struct Log<T>(Arc<(Mutex<Vec<T>>, Condvar)>);

impl<T> Default for Log<T> {
    fn default() -> Self {
        Self(Arc::new((Mutex::new(Vec::new()), Condvar::new())))
    }
}

impl<T> Clone for Log<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Clone + Debug> Log<T> {
    /// Adds an entry.
    pub fn push(&self, entry: T) {
        self.0.0.lock().unwrap().push(entry);
        self.0.1.notify_all();
    }

    /// How many entries there are; a place to search from.
    pub fn len(&self) -> usize {
        self.0.0.lock().unwrap().len()
    }

    /// All entries from `start` on.
    pub fn since(&self, start: usize) -> Vec<T> {
        self.0.0.lock().unwrap()[start..].to_vec()
    }

    /// Waits for the first entry from `start` on that `found` makes something of.
    ///
    /// # Panics
    /// None comes in time; with all that came instead.
    pub fn find<R>(&self, start: usize, what: &str, found: impl Fn(&T) -> Option<R>) -> R {
        let deadline = Instant::now() + PATIENCE;
        let (entries, changed) = &*self.0;
        let mut entries = entries.lock().unwrap();
        let mut next = start;
        loop {
            if let Some(found) = entries[next..].iter().find_map(&found) {
                return found;
            }
            next = entries.len();
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let came = entries[start..].to_vec();
                drop(entries);
                panic!("waited in vain for {what}; what came instead: {came:#?}");
            }
            entries = changed.wait_timeout(entries, left).unwrap().0;
        }
    }
}
