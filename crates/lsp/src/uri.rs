//! Files as the protocol names them: `file:///home/anna/my%20house/rules.toml`.

use std::{
    fmt::Write,
    path::{Component, Path, PathBuf},
};

/// The path of a `file:` URI; `None`: it is something else, or leads above its root.
pub(crate) fn to_path(uri: &str) -> Option<PathBuf> {
    let rest = uri.strip_prefix("file://")?;
    let path = &rest[rest.find('/')?..];
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let mut bytes = Vec::with_capacity(path.len());
    let mut at = path.bytes();
    while let Some(byte) = at.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let (high, low) = (digit(at.next())?, digit(at.next())?);
        bytes.push((high * 16 + low) as u8);
    }
    let path = String::from_utf8(bytes).ok()?;
    if path.contains('\0') {
        return None;
    }
    let mut clean = PathBuf::from("/");
    for part in Path::new(&path).components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::ParentDir if !clean.pop() => return None,
            _ => {}
        }
    }
    Some(clean)
}

/// The URI of an absolute path.
pub(crate) fn of_path(path: &Path) -> String {
    let mut uri = "file://".to_owned();
    for byte in path.to_string_lossy().bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
                uri.push(char::from(byte));
            }
            // Writing to a string can't fail.
            other => drop(write!(uri, "%{other:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_comes_back_from_its_uri() {
        for path in ["/a/b.toml", "/my house/ä%+#?.toml", "/"] {
            let uri = of_path(Path::new(path));
            assert_eq!(to_path(&uri).as_deref(), Some(Path::new(path)), "{uri}");
        }
        assert_eq!(of_path(Path::new("/my house")), "file:///my%20house");
    }

    #[test]
    fn what_is_no_file_has_no_path() {
        for uri in [
            "http://x/a",
            "untitled:1",
            "file://",
            "file:///%zz",
            "file:///%00",
            "file:///..",
            "file:///a/%ff",
        ] {
            assert_eq!(to_path(uri), None, "{uri}");
        }
        assert_eq!(
            to_path("file://localhost/a/../b"),
            Some(PathBuf::from("/b"))
        );
        assert_eq!(to_path("file:///a%2F..%2Fb"), Some(PathBuf::from("/b")));
    }
}
