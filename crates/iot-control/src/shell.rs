//! Words as somebody can paste them into a shell.

use std::path::Path;

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
