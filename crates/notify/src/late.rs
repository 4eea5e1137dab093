//! Texts that one carrier could not deliver yet: each is tried again by itself, with longer and longer pauses,
//! and keeps no other from being delivered. While the other side is away they keep their order.
//!
//! Called by the carrier's thread alone, which waits for [`Late::next_try`]. Must not know threads.

use std::time::{Duration, Instant};

use crate::{
    Deliver, Failure,
    queue::{WAITING_MAX, Waiting},
    retry::Retry,
};

/// Age from which a text says how old it is.
const OLD: Duration = Duration::from_secs(60);

/// What waits for another try, oldest first, and the way to deliver it.
pub(crate) struct Late<'n> {
    name: &'n str,
    deliver: Deliver,
    texts: Vec<Text>,
    left_out: u64,
}

struct Text {
    waiting: Waiting,
    retry: Retry,
    due: Instant,
    /// Others were delivered while this one was not: it is the text, not the other side.
    is_odd: bool,
}

/// What came of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tried {
    Delivered,
    /// It is given up, and says nothing about the others.
    GivenUp,
    Failed,
}

impl<'n> Late<'n> {
    pub(crate) fn new(name: &'n str, deliver: Deliver) -> Self {
        Self {
            name,
            deliver,
            texts: Vec::new(),
            left_out: 0,
        }
    }

    /// When [`Self::try_again`] is to be called next.
    pub(crate) fn next_try(&self) -> Option<Instant> {
        self.texts.iter().map(|text| text.due).min()
    }

    /// Whether texts wait for the other side.
    pub(crate) fn is_away(&self) -> bool {
        self.texts.iter().any(|text| !text.is_odd)
    }

    /// How many were given up for want of room since the last call.
    pub(crate) fn take_left_out(&mut self) -> u64 {
        std::mem::take(&mut self.left_out)
    }

    /// Delivers a text, or keeps it for another try.
    pub(crate) fn bring(&mut self, waiting: Waiting) {
        self.make_room();
        self.texts.push(Text {
            waiting,
            retry: Retry::default(),
            due: Instant::now(),
            is_odd: false,
        });
        self.try_place(self.texts.len() - 1);
    }

    /// Tries what is due first.
    pub(crate) fn try_again(&mut self) {
        let places = self.texts.iter().enumerate();
        let first = places.min_by_key(|(_, text)| text.due);
        if let Some((place, _)) = first {
            self.try_place(place);
        }
    }

    /// There is no time for another try.
    pub(crate) fn give_up_all(&mut self) {
        for _ in self.texts.drain(..) {
            tracing::warn!(
                carrier = self.name,
                "a text was not delivered before the end"
            );
        }
    }

    /// Tries the text at `place`; before it the oldest one that waits for the other side as well, so that they
    /// keep their order. Where one gets through, the others follow.
    fn try_place(&mut self, mut place: usize) {
        let oldest = self.texts[..place].iter().position(|text| !text.is_odd);
        if let Some(oldest) = oldest.filter(|_| !self.texts[place].is_odd) {
            match self.attempt(oldest, false) {
                Tried::Delivered => return self.follow(),
                Tried::GivenUp => place -= 1,
                Tried::Failed => {}
            }
        }
        if self.attempt(place, true) == Tried::Delivered {
            self.follow();
        }
    }

    /// The other side takes texts: what waited for it goes, in order. What fails now is odd.
    fn follow(&mut self) {
        let mut place = 0;
        while let Some(text) = self.texts.get_mut(place) {
            if text.is_odd {
                place += 1;
                continue;
            }
            text.is_odd = true;
            if self.attempt(place, true) == Tried::Failed {
                place += 1;
            }
        }
    }

    /// Tries one text and forgets it unless it is to be tried again. Its next pause grows where it `counts`.
    fn attempt(&mut self, place: usize, counts: bool) -> Tried {
        let text = &mut self.texts[place];
        let age = text.waiting.since.elapsed();
        let why = match (self.deliver)(&with_age(&text.waiting.text, age)) {
            Ok(()) => {
                tracing::debug!(carrier = self.name, age_s = age.as_secs(), "told");
                self.texts.remove(place);
                return Tried::Delivered;
            }
            Err(Failure::Lasting(why)) => {
                tracing::error!(carrier = self.name, "a text is not delivered: {why}");
                self.texts.remove(place);
                return Tried::GivenUp;
            }
            Err(Failure::Passing(why)) => why,
        };
        if !counts {
            return Tried::Failed;
        }
        let Some(pause) = text.retry.next(text.waiting.since.elapsed()) else {
            tracing::error!(carrier = self.name, "a text is given up: {why}");
            self.texts.remove(place);
            return Tried::GivenUp;
        };
        text.due = Instant::now() + pause;
        if text.retry.is_first() {
            tracing::warn!(
                carrier = self.name,
                "a text can't be delivered yet, trying again: {why}"
            );
        }
        Tried::Failed
    }

    /// Where too many wait, an odd one goes; where there is none, the newest: the first texts of an incident
    /// say what it is about.
    fn make_room(&mut self) {
        if self.texts.len() < WAITING_MAX {
            return;
        }
        let odd = self.texts.iter().position(|text| text.is_odd);
        self.texts.remove(odd.unwrap_or(self.texts.len() - 1));
        self.left_out += 1;
    }
}

/// A text that comes late says so: "the door is open" may not be true any more.
pub(crate) fn with_age(text: &str, age: Duration) -> String {
    if age < OLD {
        return text.to_owned();
    }
    let minutes = age.as_secs() / 60;
    let ago = match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    };
    format!("{text}\n(of {ago} ago)")
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// What got through, and whether the other side is there.
    #[derive(Default)]
    struct Side {
        told: Vec<String>,
        tries: usize,
        is_away: bool,
    }

    /// A carrier that never delivers what speaks of anna.
    fn late(side: &Arc<Mutex<Side>>) -> Late<'static> {
        let side = Arc::clone(side);
        let deliver: Deliver = Box::new(move |text| {
            let mut side = side.lock().unwrap();
            side.tries += 1;
            if side.is_away || text.contains("anna") {
                return Err(Failure::Passing("not now".into()));
            }
            side.told.push(text.to_owned());
            Ok(())
        });
        Late::new("phone", deliver)
    }

    fn bring(late: &mut Late<'_>, texts: &[&str]) {
        for text in texts {
            late.bring(Waiting {
                text: (*text).to_owned(),
                since: Instant::now(),
            });
        }
    }

    #[test]
    fn a_text_that_is_never_taken_keeps_no_other_waiting() {
        let side = Arc::default();
        let mut late = late(&side);
        bring(&mut late, &["for anna", "one", "two", "three"]);
        assert_eq!(side.lock().unwrap().told, ["one", "two", "three"]);
        assert_eq!(late.texts.len(), 1, "it is tried again");
        let tries = side.lock().unwrap().tries;
        bring(&mut late, &["four"]);
        assert_eq!(side.lock().unwrap().tries, tries + 1, "in its own time");
        late.try_again();
        assert!(late.texts[0].is_odd, "and again");
    }

    #[test]
    fn what_waited_for_the_other_side_comes_in_order_when_it_is_back() {
        let side: Arc<Mutex<Side>> = Arc::default();
        let mut late = late(&side);
        side.lock().unwrap().is_away = true;
        bring(&mut late, &["one", "for anna", "two"]);
        late.try_again();
        assert_eq!(late.texts.len(), 3);
        side.lock().unwrap().is_away = false;
        bring(&mut late, &["three"]);
        assert_eq!(side.lock().unwrap().told, ["one", "two", "three"]);
        assert!(late.texts[0].is_odd && late.texts.len() == 1);
    }

    #[test]
    fn so_many_wait_and_no_more_and_odd_ones_go_first() {
        let side: Arc<Mutex<Side>> = Arc::default();
        let mut late = late(&side);
        bring(&mut late, &["for anna", "one"]);
        side.lock().unwrap().is_away = true;
        for number in 0..WAITING_MAX + 20 {
            bring(&mut late, &[&number.to_string()]);
        }
        assert_eq!(late.texts.len(), WAITING_MAX);
        assert_eq!(late.take_left_out(), 21);
        assert!(late.is_away());
        assert_eq!(late.texts[0].waiting.text, "0", "the first ones stay");
        assert_eq!(late.texts[WAITING_MAX - 2].waiting.text, "98");
        side.lock().unwrap().is_away = false;
        late.try_again();
        assert_eq!(side.lock().unwrap().told.len(), WAITING_MAX + 1);
        assert!(late.texts.is_empty() && !late.is_away());
    }

    #[test]
    fn an_old_text_says_how_old_it_is() {
        for (seconds, expected) in [
            (59, "x"),
            (60, "x\n(of 1 min ago)"),
            (7_500, "x\n(of 2 h 5 min ago)"),
        ] {
            assert_eq!(with_age("x", Duration::from_secs(seconds)), expected);
        }
    }
}
