//! Which counters came already (RFC 6479: a ring of words, of which the newest is never full). Called by a session
//! after a frame authenticated, and before with `may_come`. Must not be told of a frame that did not authenticate.

/// Counters below the newest that may still come: 960.
pub const WINDOW: u64 = (WORDS as u64 - 1) * 64;

const WORDS: usize = 16;

/// The counters of one key.
#[derive(Clone, Debug)]
pub struct Window {
    words: [u64; WORDS],
    /// One more than the newest.
    end: u64,
}

impl Default for Window {
    fn default() -> Self {
        Self::new()
    }
}

impl Window {
    /// None came yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            words: [0; WORDS],
            end: 0,
        }
    }

    /// Whether this counter did not come yet, and is not too old to tell: 959 below the newest is not, 960 is.
    #[must_use]
    pub fn may_come(&self, counter: u64) -> bool {
        if counter >= self.end {
            return true;
        }
        let new_enough = self.end - 1 - counter < WINDOW;
        new_enough && self.words[word(counter)] & bit(counter) == 0
    }

    /// It came, and was genuine.
    pub fn came(&mut self, counter: u64) {
        if counter >= self.end {
            let newest = self.end.saturating_sub(1) / 64;
            let words = (counter / 64 - newest).min(WORDS as u64);
            (1..=words).for_each(|step| self.words[(newest + step) as usize % WORDS] = 0);
            self.end = counter + 1;
        }
        self.words[word(counter)] |= bit(counter);
    }
}

fn word(counter: u64) -> usize {
    (counter / 64) as usize % WORDS
}

fn bit(counter: u64) -> u64 {
    1 << (counter % 64)
}
