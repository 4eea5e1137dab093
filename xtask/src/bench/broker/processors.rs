//! Who runs where while one event is on its way: the load on one processor, the brokers on the others. Called by
//! the bench.
//!
//! Left to themselves, two processes that answer each other come to share one processor at times and at times not,
//! which is worth a factor of two: the bench would measure the scheduler's mood. Apart is what a house has,
//! where modules are other machines. Without `taskset`, or with one processor, nothing is tied. Not for saturated
//! runs, in which everybody may use all there is.

use std::{fs, process::Command};

use crate::shell;

/// Lists of processors, as `taskset` takes them; `None` where nothing can be tied.
#[derive(Debug, PartialEq)]
pub(crate) struct Processors(Option<Lists>);

#[derive(Debug, PartialEq)]
struct Lists {
    load: String,
    brokers: String,
    all: String,
}

impl Processors {
    /// What this process may use.
    pub(crate) fn find() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let allowed = status
            .lines()
            .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        match shell::installed("taskset") {
            Some(_) => Self::split(&numbers(allowed.unwrap_or_default())),
            None => Self(None),
        }
    }

    fn split(allowed: &[usize]) -> Self {
        let [load, brokers @ ..] = allowed else {
            return Self(None);
        };
        let lists = || Lists {
            load: load.to_string(),
            brokers: list(brokers),
            all: list(allowed),
        };
        Self((!brokers.is_empty()).then(lists))
    }

    /// Ties the load, which is this process, and the brokers to processors of their own.
    pub(crate) fn part(&self, brokers: &[u32]) {
        let Some(lists) = &self.0 else { return };
        tie(&lists.load, std::process::id());
        for broker in brokers {
            tie(&lists.brokers, *broker);
        }
    }

    /// Unties everybody.
    pub(crate) fn join(&self, brokers: &[u32]) {
        let Some(lists) = &self.0 else { return };
        for process in brokers.iter().chain([&std::process::id()]) {
            tie(&lists.all, *process);
        }
    }

    /// For the report.
    pub(crate) fn describe(&self) -> &'static str {
        match self.0 {
            Some(_) => {
                "one at a time (100 us apart) and at a rate load and systems are on different processors"
            }
            None => "processors are shared",
        }
    }
}

/// All threads of a process. Where that is refused the numbers are less steady, not wrong.
fn tie(list: &str, process: u32) {
    let process = process.to_string();
    shell::answers(Command::new("taskset").args(["-a", "-p", "-c", list, &process]));
}

fn list(processors: &[usize]) -> String {
    let numbers: Vec<String> = processors.iter().map(usize::to_string).collect();
    numbers.join(",")
}

/// Numbers of a list such as `0-2,5`.
fn numbers(list: &str) -> Vec<usize> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse::<usize>().ok()?..=last.parse().ok()?)
    };
    list.trim().split(',').filter_map(range).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_load_has_the_first_processor_and_brokers_the_rest() {
        assert_eq!(numbers("\t0-2,5\n"), [0, 1, 2, 5]);
        let lists = Lists {
            load: "0".to_owned(),
            brokers: "1,2,5".to_owned(),
            all: "0,1,2,5".to_owned(),
        };
        assert_eq!(Processors::split(&[0, 1, 2, 5]), Processors(Some(lists)));
    }

    #[test]
    fn one_processor_is_shared() {
        assert_eq!(Processors::split(&numbers("3")), Processors(None));
        assert_eq!(Processors::split(&numbers("")), Processors(None));
    }
}
