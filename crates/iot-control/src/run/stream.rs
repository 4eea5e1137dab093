//! The live stream: lines for a terminal, for `iot-control events` and for machines. Formatting is
//! done only while somebody looks, and once for all who look; a reader that is too slow misses lines and is
//! told how many.

use std::{
    cell::OnceCell,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use dispatcher::explain::Filter;
use mapping::program::Succession;
use replay::events;
use tokio::sync::mpsc;
use types::Now;

use crate::printer::{self, Writer};

/// Lines that may wait for one reader.
const WAITING_LINES_MAX: usize = 4_096;

/// Bytes of them: what a reader that never reads may cost.
const WAITING_BYTES_MAX: usize = 1 << 20;

/// Readers at the same time. A person opens one or two, a program one.
const READERS_MAX: usize = 32;

/// Everybody who looks.
#[derive(Default)]
pub(crate) struct Stream {
    readers: Vec<Reader>,
}

struct Reader {
    lines: mpsc::Sender<Arc<str>>,
    /// Bytes of the lines that wait.
    waiting: Arc<AtomicUsize>,
    json: bool,
    filters: Vec<Filter>,
    /// Whether it is the terminal of a start, where what arrives is summed up.
    sums_up: bool,
    missed: u64,
}

/// What a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// A module that arrives, and is counted in a line that follows.
    Arrival,
    /// Anything else.
    House,
}

/// The lines of one reader, as it gets them.
pub(crate) struct Lines {
    lines: mpsc::Receiver<Arc<str>>,
    waiting: Arc<AtomicUsize>,
}

impl Stream {
    /// Prints every line to stdout, from a thread of its own: a stopped terminal stops nobody else, and when
    /// nobody is left who reads, the house goes on.
    ///
    /// # Errors
    /// The thread can't be started.
    pub(crate) fn print(&mut self, json: bool) -> std::io::Result<Writer> {
        let mut lines = self.add(json, Vec::new());
        if let Some(reader) = self.readers.last_mut() {
            reader.sums_up = !json;
        }
        Writer::start("stream", move || {
            while let Some(line) = lines.blocking_next() {
                if let Err(error) = printer::stream(line) {
                    printer::tell(format_args!(
                        "nobody reads stdout any more ({error}); the house goes on, `iot-control events` shows what happens"
                    ));
                    return;
                }
            }
        })
    }

    /// Every line that one of `filters` wants, for a connection of the control socket.
    ///
    /// # Errors
    /// Too many look already.
    pub(crate) fn follow(&mut self, json: bool, filters: Vec<Filter>) -> Result<Lines, String> {
        self.forget_gone();
        if self.readers.len() >= READERS_MAX {
            return Err(format!(
                "{READERS_MAX} readers follow the events already, and more are not let in; end some of them"
            ));
        }
        Ok(self.add(json, filters))
    }

    fn add(&mut self, json: bool, filters: Vec<Filter>) -> Lines {
        let (sender, lines) = mpsc::channel(WAITING_LINES_MAX);
        let waiting = Arc::<AtomicUsize>::default();
        self.readers.push(Reader {
            lines: sender,
            waiting: Arc::clone(&waiting),
            json,
            filters,
            sums_up: false,
            missed: 0,
        });
        Lines { lines, waiting }
    }

    fn forget_gone(&mut self) {
        self.readers.retain(|reader| !reader.lines.is_closed());
    }

    /// Whether anybody looks; where not, nothing need be formatted.
    pub(crate) fn is_watched(&self) -> bool {
        !self.readers.is_empty()
    }

    /// Whether people read it where the dispatcher was started.
    pub(crate) fn is_on_terminal(&self) -> bool {
        let mut readers = self.readers.iter();
        readers.any(|reader| reader.sums_up && !reader.lines.is_closed())
    }

    /// Shows `text` to people and `json` to machines, where `is_wanted` by their filters; each is made only where
    /// it is. An arrival is for those who don't wait for its sum.
    pub(crate) fn show(
        &mut self,
        about: About,
        is_wanted: impl Fn(&[Filter]) -> bool,
        text: impl Fn() -> String,
        json: impl Fn() -> String,
    ) {
        self.forget_gone();
        let (for_people, for_machines) = (OnceCell::new(), OnceCell::new());
        for reader in &mut self.readers {
            if !is_wanted(&reader.filters) || (about == About::Arrival && reader.sums_up) {
                continue;
            }
            let line: &Arc<str> = if reader.json {
                for_machines.get_or_init(|| json().into())
            } else {
                for_people.get_or_init(|| text().into())
            };
            if !line.is_empty() {
                reader.send(line);
            }
        }
    }

    /// Another mapping takes over. Those who look at everything hear which rules it changes; those who look for something by its
    /// name go on with the one that it has there, and hear of it. The terminal of a start is told otherwise.
    pub(crate) fn replace(&mut self, now: Now, succession: &Succession<'_>) {
        self.forget_gone();
        if self.readers.is_empty() {
            return;
        }
        let zone = succession.programs().0.home.zone();
        let renamed = [succession.renamed(), succession.renamed_sets()].concat();
        let edited = events::Edited::by(succession);
        for reader in self.readers.iter_mut().filter(|reader| !reader.sums_up) {
            if reader.filters.is_empty() {
                let line = match reader.json {
                    true => edited.json(now, &zone),
                    false => edited.text(now, &zone),
                };
                reader.send(&line.into());
            }
            for renamed in &renamed {
                let mut filters = reader.filters.iter();
                if !reader.filters.is_empty() && !filters.any(|it| renamed.is_about(it.path())) {
                    continue;
                }
                let line = match reader.json {
                    true => events::renamed_json(renamed, now, &zone),
                    false => events::renamed_text(renamed, now, &zone),
                };
                reader.send(&line.into());
            }
            for filter in &mut reader.filters {
                if renamed
                    .iter()
                    .any(|renamed| renamed.is_about(filter.path()))
                    && let Some(name) = replay::path_after(succession, filter.path())
                {
                    *filter = Filter::new(&name);
                }
            }
        }
    }

    /// The sum of what arrived, for those who saw none of it.
    pub(crate) fn sum_up(&mut self, line: &str) {
        self.forget_gone();
        let line: Arc<str> = line.into();
        let readers = self.readers.iter_mut();
        readers
            .filter(|reader| reader.sums_up)
            .for_each(|reader| reader.send(&line));
    }

    /// Lets go of all readers.
    pub(crate) fn close(&mut self) {
        self.readers.clear();
    }
}

impl Reader {
    fn send(&mut self, line: &Arc<str>) {
        if self.missed > 0 {
            let missed = self.missed;
            let note = if self.json {
                format!("{{\"missed_lines\":{missed}}}")
            } else {
                format!("... {missed} lines left out: this reader is too slow")
            };
            if self.takes(&note.into()) {
                self.missed = 0;
            }
        }
        if !self.takes(line) {
            self.missed += 1;
        }
    }

    /// False: too much waits already. One that went away is found with the next line.
    fn takes(&self, line: &Arc<str>) -> bool {
        let waiting = self.waiting.load(Ordering::Relaxed);
        if waiting > 0 && waiting + line.len() > WAITING_BYTES_MAX {
            return false;
        }
        self.waiting.fetch_add(line.len(), Ordering::Relaxed);
        let sent = self.lines.try_send(Arc::clone(line));
        if sent.is_err() {
            self.waiting.fetch_sub(line.len(), Ordering::Relaxed);
        }
        sent.is_ok()
    }
}

impl Lines {
    /// The next one; `None`: there are no more.
    pub(crate) async fn next(&mut self) -> Option<Arc<str>> {
        let line = self.lines.recv().await;
        self.took(line)
    }

    fn blocking_next(&mut self) -> Option<Arc<str>> {
        let line = self.lines.blocking_recv();
        self.took(line)
    }

    fn took(&self, line: Option<Arc<str>>) -> Option<Arc<str>> {
        line.inspect(|line| {
            self.waiting.fetch_sub(line.len(), Ordering::Relaxed);
        })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Shows a line that every filter wants.
    fn show(stream: &mut Stream, line: &str) {
        let json = || format!("{{\"{line}\":1}}");
        stream.show(About::House, |_| true, || line.to_owned(), json);
    }

    #[test]
    fn a_reader_that_hung_up_is_forgotten_also_where_nothing_it_wants_happens() {
        let mut stream = Stream::default();
        let wants_nothing = stream.follow(false, vec![Filter::new("attic")]);
        drop(wants_nothing);
        stream.show(About::House, |_| false, String::new, String::new);
        assert!(!stream.is_watched());
    }

    #[test]
    fn who_looks_at_everything_hears_of_an_edit_and_who_looks_for_something_does_not() {
        let program = |key: u8| {
            let text = format!(
                "format = 1\n[device.piano]\nid = 1\nio.keys = {{ kind = \"midi\", first_key = 0, keys = 9 }}\n\
                [device.hall]\nid = 2\nio.lamp = {{ kind = \"switch\" }}\n\
                [rule.lit]\nwhen = \"piano.keys.press\"\nif = \"event.key == {key}\"\ndo = \"hall.lamp.on\"\n"
            );
            let loaded = mapping::load_texts([("mapping.toml", text)]);
            loaded.program.expect("it checks")
        };
        let (old, new) = (program(1), program(2));
        let mut stream = Stream::default();
        let mut everything = stream.follow(false, Vec::new()).expect("there is room");
        let hall = vec![Filter::new("hall")];
        let mut something = stream.follow(false, hall).expect("there is room");
        stream.replace(Now::default(), &Succession::new(&old, &new));
        let line = everything.blocking_next().expect("a line");
        assert!(line.ends_with(" came into force; changed: lit"), "{line}");
        drop(stream);
        assert_eq!(something.blocking_next(), None);
    }

    #[test]
    fn only_so_many_follow_until_one_of_them_ends() {
        let mut stream = Stream::default();
        let mut readers: Vec<_> = (0..READERS_MAX)
            .map(|_| stream.follow(false, Vec::new()).expect("there is room"))
            .collect();
        let why = stream.follow(false, Vec::new()).err().expect("it is full");
        assert!(why.contains("end some of them"), "{why}");
        readers.pop();
        assert!(stream.follow(false, Vec::new()).is_ok());
    }

    #[test]
    fn a_line_is_made_once_for_all_who_look() {
        let mut stream = Stream::default();
        let mut readers: Vec<_> = (0..3)
            .map(|_| stream.follow(false, Vec::new()).expect("there is room"))
            .collect();
        let made = Cell::new(0);
        let text = || {
            made.set(made.get() + 1);
            "lamp on".to_owned()
        };
        let json = || unreachable!("no machine looks");
        stream.show(About::House, |_| true, text, json);
        for reader in &mut readers {
            assert_eq!(reader.blocking_next().as_deref(), Some("lamp on"));
        }
        assert_eq!(made.get(), 1);
    }

    #[test]
    fn a_reader_that_does_not_read_costs_so_much_and_is_told_what_it_missed() {
        let mut stream = Stream::default();
        let mut lines = stream.follow(false, Vec::new()).expect("there is room");
        let long = "x".repeat(WAITING_BYTES_MAX / 4);
        for _ in 0..10 {
            show(&mut stream, &long);
        }
        for _ in 0..4 {
            assert_eq!(lines.blocking_next().as_deref(), Some(&*long));
        }
        show(&mut stream, "lamp on");
        let told = lines.blocking_next();
        assert_eq!(
            told.as_deref(),
            Some("... 6 lines left out: this reader is too slow")
        );
        assert_eq!(lines.blocking_next().as_deref(), Some("lamp on"));
        for _ in 0..WAITING_LINES_MAX + 5 {
            show(&mut stream, "y");
        }
        stream.close();
        let mut waited = 0;
        while lines.blocking_next().is_some() {
            waited += 1;
        }
        assert_eq!(waited, WAITING_LINES_MAX);
    }

    #[test]
    fn a_line_that_is_too_long_alone_is_taken_where_nothing_waits() {
        let mut stream = Stream::default();
        let mut lines = stream.follow(false, Vec::new()).expect("there is room");
        let giant = "x".repeat(2 * WAITING_BYTES_MAX);
        show(&mut stream, &giant);
        show(&mut stream, "lost");
        assert_eq!(lines.blocking_next().as_deref(), Some(&*giant));
        show(&mut stream, "lamp on");
        assert!(
            lines
                .blocking_next()
                .is_some_and(|note| note.contains("1 lines"))
        );
    }

    #[test]
    fn an_arrival_is_summed_up_where_the_house_starts_and_told_to_all_others() {
        let mut stream = Stream::default();
        let mut terminal = stream.add(false, Vec::new());
        stream.readers[0].sums_up = true;
        let mut other = stream.follow(true, Vec::new()).expect("there is room");
        let json = || "{}".to_owned();
        stream.show(About::Arrival, |_| true, String::new, json);
        stream.sum_up("all are there");
        stream.close();
        assert_eq!(terminal.blocking_next().as_deref(), Some("all are there"));
        assert_eq!(terminal.blocking_next(), None);
        assert_eq!(other.blocking_next().as_deref(), Some("{}"));
        assert_eq!(other.blocking_next(), None);
    }
}
