//! The one place that prints. Results go to stdout, people read stderr. A reader that went away
//! (`| head`) ends the program quietly.

use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
};

/// Prints one line of results.
pub(crate) fn result(line: impl Display) {
    let done = writeln!(io::stdout().lock(), "{line}");
    if done.is_err() {
        std::process::exit(0);
    }
}

/// Prints results that end with their own line feed, or none.
pub(crate) fn results(text: impl Display) {
    let done = write!(io::stdout().lock(), "{text}");
    if done.is_err() {
        std::process::exit(0);
    }
}

/// Tells people something. Nobody may be there: then it is lost.
pub(crate) fn tell(line: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Tells people what went wrong, with everything that led to it.
pub(crate) fn complain(why: &anyhow::Error) {
    let _ = writeln!(io::stderr().lock(), "error: {why:#}");
}

/// Whether stdout is a terminal.
pub(crate) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether stderr shows colours.
pub(crate) fn has_colors() -> bool {
    io::stderr().is_terminal()
}
