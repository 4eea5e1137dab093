//! Words as somebody can paste them into a shell.

use std::path::{Path, PathBuf};

/// What it is called where it is installed.
const NAME: &str = "iot-control";

/// Folders in which shells look for programs.
const FOUND_IN: [&str; 3] = ["/bin", "/usr/bin", "/usr/local/bin"];

/// This program, as a second terminal finds it: by its name, or where it was called by a path, as `cargo run` does, by that.
pub(crate) fn program() -> String {
    let called = std::env::args_os().next().map(PathBuf::from);
    called.map_or_else(|| NAME.to_owned(), |called| named(&called))
}

fn named(called: &Path) -> String {
    let folder = called.parent().unwrap_or(Path::new(""));
    let is_found =
        folder == Path::new("") || FOUND_IN.iter().any(|known| folder == Path::new(known));
    match is_found {
        true => NAME.to_owned(),
        false => for_shell(called),
    }
}

/// The option with which commands find the house whose state lies in `folder`, with a space before it.
pub(crate) fn state_option(folder: &Path) -> String {
    format!(" --state {}", for_shell(folder))
}

/// A path that a shell takes as one word, from wherever it stands.
fn for_shell(path: &Path) -> String {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+,:@%".contains(c);
    if text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_named_as_a_second_terminal_finds_it() {
        for (called, expected) in [
            ("iot-control", "iot-control"),
            ("/usr/bin/iot-control", "iot-control"),
            (
                "/home/anna/my house/target/debug/iot-control",
                "'/home/anna/my house/target/debug/iot-control'",
            ),
        ] {
            assert_eq!(named(Path::new(called)), expected);
        }
        let from_here = named(Path::new("target/debug/iot-control"));
        assert!(Path::new(&from_here).is_absolute(), "{from_here}");
    }

    #[test]
    fn a_path_is_one_word_for_the_shell() {
        for (path, expected) in [
            ("/var/lib/iot-control", "/var/lib/iot-control"),
            ("/home/anna/my house", "'/home/anna/my house'"),
            ("/tmp/anna's $HOME", r"'/tmp/anna'\''s $HOME'"),
        ] {
            assert_eq!(for_shell(Path::new(path)), expected);
        }
    }
}
