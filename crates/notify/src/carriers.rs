//! All carriers at work: a thread and a queue for each.

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    Carrier, Deliver,
    late::Late,
    queue::{Next, Queue, Waiting},
    text,
};

/// The carriers. Dropping them ends their threads as soon as what they do right now is over.
#[derive(Debug, Default)]
pub struct Carriers {
    rows: BTreeMap<Arc<str>, Row>,
}

#[derive(Debug)]
struct Row {
    queue: Arc<Queue>,
    /// Closed by the thread when it ends.
    ended: Receiver<()>,
}

/// What became of a text that was handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handed {
    /// It waits for its carrier.
    Queued,
    /// Too many wait already: it is left out, and the carrier says how many were.
    LeftOut,
    /// There is no such carrier.
    Unknown,
}

impl Carriers {
    /// Starts them.
    ///
    /// # Errors
    /// A carrier that can't be used, by its name; or no thread for it.
    pub fn start(carriers: &[Carrier]) -> io::Result<Self> {
        let mut rows = BTreeMap::new();
        for carrier in carriers {
            let deliver = carrier
                .way
                .open()
                .map_err(|why| io::Error::other(format!("notify.{}: {why}", carrier.name)))?;
            rows.insert(
                Arc::clone(&carrier.name),
                Row::start(&carrier.name, deliver)?,
            );
        }
        Ok(Self { rows })
    }

    /// Their names, in order.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.rows.keys()
    }

    /// Hands a text to the carrier called `name`. Never waits.
    pub fn hand(&self, name: &str, text: &str) -> Handed {
        match self.rows.get(name) {
            None => Handed::Unknown,
            Some(row) if row.queue.push(text::body(text)) => Handed::Queued,
            Some(_) => Handed::LeftOut,
        }
    }

    /// Takes no more and waits until what waits is delivered, `patience` at most in all. True: it is.
    #[must_use]
    pub fn finish(self, patience: Duration) -> bool {
        let end = Instant::now() + patience;
        for row in self.rows.values() {
            row.queue.close();
        }
        let over = |row: &Row| {
            let left = end.saturating_duration_since(Instant::now());
            let ended = row.ended.recv_timeout(left);
            ended == Err(std::sync::mpsc::RecvTimeoutError::Disconnected)
        };
        self.rows.values().filter(|row| !over(row)).count() == 0
    }
}

impl Drop for Carriers {
    fn drop(&mut self) {
        for row in self.rows.values() {
            row.queue.close();
        }
    }
}

impl Row {
    fn start(name: &Arc<str>, deliver: Deliver) -> io::Result<Self> {
        let queue = Arc::new(Queue::default());
        let (running, ended) = sync_channel(0);
        let (theirs, name) = (Arc::clone(&queue), Arc::clone(name));
        thread::Builder::new()
            .name(format!("notify {name}"))
            .spawn(move || work(&name, &theirs, deliver, running))?;
        Ok(Self { queue, ended })
    }
}

/// The thread of one carrier. `_running` says by its end that the thread has ended.
fn work(name: &str, queue: &Queue, deliver: Deliver, _running: SyncSender<()>) {
    let mut late = Late::new(name, deliver);
    let mut left_out = 0;
    loop {
        match queue.next(late.next_try()) {
            Next::Text(waiting) => late.bring(waiting),
            Next::Time => late.try_again(),
            Next::Closed => return late.give_up_all(),
        }
        left_out += queue.take_left_out() + late.take_left_out();
        // Told once it can be: while the other side is away it would only be one more.
        if left_out > 0 && !late.is_away() {
            tracing::warn!(
                carrier = name,
                left_out,
                "texts were left out: too many waited"
            );
            let text = format!("{left_out} more texts were left out: too many at once.");
            let since = Instant::now();
            late.bring(Waiting { text, since });
            left_out = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Failure;
    use std::sync::Mutex;

    /// A carrier that fails so many times and then takes what comes.
    fn carrier(fails: u32, failure: Failure) -> (Carriers, Arc<Mutex<Vec<String>>>) {
        let told = Arc::new(Mutex::new(Vec::new()));
        let (theirs, mut fails) = (Arc::clone(&told), fails);
        let deliver: Deliver = Box::new(move |text| {
            if fails > 0 {
                fails -= 1;
                return Err(failure.clone());
            }
            theirs.lock().unwrap().push(text.to_owned());
            Ok(())
        });
        let name: Arc<str> = "phone".into();
        let row = Row::start(&name, deliver).unwrap();
        let carriers = Carriers {
            rows: BTreeMap::from([(name, row)]),
        };
        (carriers, told)
    }

    #[test]
    fn a_text_is_tried_again_and_order_is_kept() {
        let (carriers, told) = carrier(1, Failure::Passing("away".into()));
        assert_eq!(carriers.hand("phone", "one"), Handed::Queued);
        assert_eq!(carriers.hand("phone", "two\r\n"), Handed::Queued);
        assert_eq!(carriers.hand("phnoe", "three"), Handed::Unknown);
        while told.lock().unwrap().len() < 2 {
            thread::yield_now();
        }
        assert!(carriers.finish(Duration::from_secs(30)));
        assert_eq!(*told.lock().unwrap(), ["one", "two\n"]);
    }

    #[test]
    fn a_text_that_nobody_will_take_is_not_tried_again() {
        let (carriers, told) = carrier(1, Failure::Lasting("no".into()));
        carriers.hand("phone", "one");
        carriers.hand("phone", "two");
        assert!(carriers.finish(Duration::from_secs(30)));
        assert_eq!(*told.lock().unwrap(), ["two"]);
    }

    #[test]
    fn the_end_does_not_wait_for_who_is_away() {
        let (carriers, told) = carrier(u32::MAX, Failure::Passing("away".into()));
        carriers.hand("phone", "one");
        assert!(carriers.finish(Duration::from_secs(30)));
        assert!(told.lock().unwrap().is_empty());
    }

    #[test]
    fn a_flood_never_waits_and_tells_how_much_was_left_out() {
        let (go, gate) = sync_channel::<()>(0);
        let told = Arc::new(Mutex::new(Vec::new()));
        let theirs = Arc::clone(&told);
        let deliver: Deliver = Box::new(move |text| {
            let _ = gate.recv();
            theirs.lock().unwrap().push(text.to_owned());
            Ok(())
        });
        let name: Arc<str> = "phone".into();
        let row = Row::start(&name, deliver).unwrap();
        let carriers = Carriers {
            rows: BTreeMap::from([(Arc::clone(&name), row)]),
        };
        let handed = (0..1_000).map(|number| carriers.hand("phone", &number.to_string()));
        let queued = handed.filter(|handed| *handed == Handed::Queued).count();
        assert!((100..=101).contains(&queued), "{queued}");
        drop(go);
        assert!(carriers.finish(Duration::from_secs(30)));
        let told = told.lock().unwrap();
        let said = format!(
            "{} more texts were left out: too many at once.",
            1_000 - queued
        );
        assert_eq!(told[1], said);
        assert_eq!(told.len(), queued + 1);
    }
}
