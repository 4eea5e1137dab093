//! The one place that prints. Results go to stdout, people read stderr. A command does its work and ends with its own code where
//! the reader of its results went away (`| head`); where they can't be written otherwise, it says so and fails.
//!
//! Texts come from mappings, devices, journals and other machines: whatever is printed, no character of it acts on a terminal, but
//! for line feeds and, in what is [`painted`], colours. A line feed in a text is its writer's to escape, who knows which are lines.

use std::{
    fmt::{self, Display},
    io::{self, IsTerminal, Write},
    process::ExitCode,
    sync::{
        OnceLock,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use types::ShownLines;

/// Lines for people that may wait; more are lost.
const WAITING_LINES_MAX: usize = 1_024;

/// Where lines for people go once [`detach`] was called; `None` ends the thread.
static LINES: OnceLock<SyncSender<Option<Vec<u8>>>> = OnceLock::new();

/// Why results are no longer printed.
static LOST: OnceLock<io::Error> = OnceLock::new();

/// Prints one line of results.
pub(crate) fn result(line: impl Display) {
    let line = line.to_string();
    print(|out| writeln!(out, "{}", ShownLines(&line)));
}

/// Whether nobody gets results any more: what goes on only to print has no reason to.
pub(crate) fn is_lost() -> bool {
    LOST.get().is_some()
}

fn print(write: impl FnOnce(&mut io::StdoutLock<'static>) -> io::Result<()>) {
    if is_lost() {
        return;
    }
    if let Err(error) = write(&mut io::stdout().lock()) {
        // Two threads at once: either reason will do.
        let _ = LOST.set(error);
    }
}

/// The code that a command ends with which would end with `code`: none that succeeded leaves its results unwritten, but for
/// those that nobody wanted to the end.
pub(crate) fn code_at_the_end(code: ExitCode) -> ExitCode {
    print(|out| out.flush());
    match LOST.get() {
        Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            tell(format_args!(
                "error: stdout: {error}; what this command printed is not all there"
            ));
            if code == ExitCode::SUCCESS {
                ExitCode::FAILURE
            } else {
                code
            }
        }
        _ => code,
    }
}

/// Prints one line for whoever goes on when nobody reads it.
///
/// # Errors
/// The reader went away.
pub(crate) fn stream(line: impl Display) -> io::Result<()> {
    let line = line.to_string();
    writeln!(io::stdout().lock(), "{}", ShownLines(&line))
}

/// Prints a line that nobody can be told again.
///
/// # Errors
/// Nobody got it, so nothing may be built on it.
pub(crate) fn once(line: &str) -> anyhow::Result<()> {
    result(line);
    print(|out| out.flush());
    match LOST.get() {
        Some(error) => Err(anyhow::anyhow!("stdout: {error}")),
        None => Ok(()),
    }
}

/// Prints results that end with their own line feed, or none.
pub(crate) fn results(text: impl Display) {
    let text = text.to_string();
    print(|out| write!(out, "{}", ShownLines(&text)));
}

/// Prints results in colours, as for [`is_terminal`]; whoever painted them escaped what is in them.
pub(crate) fn painted(text: &str) {
    print(|out| {
        write!(
            out,
            "{}",
            Painted {
                text,
                has_colors: is_terminal()
            }
        )
    });
}

/// Tells people something. Nobody may be there: then it is lost.
pub(crate) fn tell(line: impl Display) {
    People.write_line(&format!("{}\n", ShownLines(&line.to_string())));
}

/// Tells people what was drawn for them, as for [`has_colors`]; whoever drew it escaped what is in it.
pub(crate) fn tell_drawn(text: &str) {
    let has_colors = has_colors();
    People.write_line(&format!("{}\n", Painted { text, has_colors }));
}

/// From now on lines for people are written by a thread of their own: a terminal that was stopped,
/// or a log that is not read, must not stop the dispatcher. What a full queue can't take is lost.
///
/// # Errors
/// The thread can't be started.
pub(crate) fn detach() -> io::Result<Detached> {
    let (sender, lines) = sync_channel::<Option<Vec<u8>>>(WAITING_LINES_MAX);
    let writer = Writer::start("people", move || {
        while let Ok(Some(line)) = lines.recv() {
            let _ = io::stderr().lock().write_all(&line);
        }
    })?;
    // Detached twice: the first thread goes on.
    let _ = LINES.set(sender);
    Ok(Detached(writer))
}

/// The thread that writes for people.
pub(crate) struct Detached(Writer);

impl Detached {
    /// Waits until the lines so far are out; gives up where nobody takes them.
    pub(crate) fn finish(self) {
        let sent = LINES
            .get()
            .is_some_and(|lines| lines.try_send(None).is_ok());
        if sent {
            // Where it did not end, nobody is there who could be told.
            let _ = self.0.finish();
        }
    }
}

/// A thread that writes to where nobody may read: a stopped terminal, a full pipe.
pub(crate) struct Writer {
    /// Closed when the thread ends, however it does.
    ended: Receiver<()>,
}

impl Writer {
    /// How long the end of the program waits for a thread that writes.
    const PATIENCE: Duration = Duration::from_secs(3);

    /// Starts `work` on a thread of its own.
    ///
    /// # Errors
    /// The thread can't be started.
    pub(crate) fn start(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let (alive, ended) = sync_channel(0);
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                let _alive: SyncSender<()> = alive;
                work();
            })?;
        Ok(Self { ended })
    }

    /// Waits for its end, and not for ever. False: it still writes.
    #[must_use]
    pub(crate) fn finish(self) -> bool {
        self.ended.recv_timeout(Self::PATIENCE) != Err(RecvTimeoutError::Timeout)
    }
}

/// A text in which colours act on a terminal, and nothing else.
struct Painted<'a> {
    text: &'a str,
    has_colors: bool,
}

impl Display for Painted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.text;
        while self.has_colors
            && let Some((at, end)) = color(rest)
        {
            ShownLines(&rest[..at]).fmt(f)?;
            f.write_str(&rest[at..end])?;
            rest = &rest[end..];
        }
        ShownLines(rest).fmt(f)
    }
}

/// Where the first colour of a text is: `ESC [ 1;31 m`.
fn color(text: &str) -> Option<(usize, usize)> {
    text.match_indices("\u{1b}[").find_map(|(at, begin)| {
        let from = at + begin.len();
        let is_number = |c: char| c.is_ascii_digit() || c == ';';
        let end = from + text[from..].find(|c| !is_number(c))?;
        text[end..].starts_with('m').then_some((at, end + 1))
    })
}

/// stderr, as tracing writes to it: a line at a time, in which it has escaped what would paint.
#[derive(Clone, Copy)]
pub(crate) struct People;

impl People {
    fn write_line(self, line: &str) {
        match LINES.get() {
            Some(lines) => drop(lines.try_send(Some(line.as_bytes().to_vec()))),
            None => drop(io::stderr().lock().write_all(line.as_bytes())),
        }
    }
}

impl Write for People {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        // What it logs comes from outside as well: only the end of the whole is the end of a line.
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let line = line.replace('\n', "\\n");
        let has_colors = has_colors();
        let text = &line;
        self.write_line(&format!("{}\n", Painted { text, has_colors }));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Tells people what went wrong, with everything that led to it. What it quotes comes from files, arguments and other machines.
pub(crate) fn complain(why: &anyhow::Error) {
    tell(format_args!("error: {why:#}"));
}

/// Whether stdout is a terminal.
pub(crate) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether stderr shows colours.
pub(crate) fn has_colors() -> bool {
    io::stderr().is_terminal()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_colours_acts_where_there_are_colours_and_nothing_at_all_elsewhere() {
        let text =
            "\u{1b}[1;31mred\u{1b}[0m \u{1b}[2J\u{1b}]0;x\u{7}\u{9b}31m\u{202e}\u{1b}[\nend\u{1b}[";
        let shown = |has_colors| Painted { text, has_colors }.to_string();
        assert_eq!(
            shown(true),
            "\u{1b}[1;31mred\u{1b}[0m \\u001b[2J\\u001b]0;x\\u0007\\u009b31m\\u202e\\u001b[\nend\\u001b["
        );
        assert_eq!(
            shown(false),
            "\\u001b[1;31mred\\u001b[0m \\u001b[2J\\u001b]0;x\\u0007\\u009b31m\\u202e\\u001b[\nend\\u001b["
        );
    }
}
