//! The note of an unfinished edit: any bytes, as they may come with somebody else's house. It puts ready texts in the place that they were
//! written for, or nothing.

#![no_main]

use std::{fs, path::Path, process, sync::LazyLock};

use libfuzzer_sys::fuzz_target;

const NOTE: &str = ".iot-control-edit";

/// Each file and its ready text, which a process wrote that is still there.
const FILES: [(&str, &str); 2] = [
    ("a.toml", ".a.toml.1-0.new"),
    ("c/d.toml", "c/.d.toml.1-1.new"),
];

/// What a note must not touch: a text of the house that nobody edits, and files beside it.
const OTHERS: [&str; 3] = ["house/mapping.toml", "away/keys.toml", "away/.a.toml"];

static ROOT: LazyLock<std::path::PathBuf> =
    LazyLock::new(|| std::env::temp_dir().join(format!("fuzz-unfinished-{}", process::id())));

fuzz_target!(|bytes: &[u8]| {
    let root = ROOT.as_path();
    let house = root.join("house");
    lay_out(root, &house);
    fs::write(house.join(NOTE), bytes).expect("it can be written");
    let missing = edit::finish(&house);
    let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
    for other in OTHERS {
        assert_eq!(read(&root.join(other)), "mine", "{other}");
    }
    let mut put = 0;
    for (name, ready) in FILES {
        match read(&house.join(name)).as_str() {
            "old" => assert_eq!(read(&house.join(ready)), "new", "{ready} is lost"),
            text => {
                assert_eq!(text, "new", "{name}");
                put += 1;
            }
        }
    }
    match missing {
        Ok(_) => assert!(!edit::is_unfinished(&house), "it would be finished again"),
        Err(why) => {
            assert!(!why.to_string().is_empty());
            assert!(
                put == 0 || edit::is_unfinished(&house),
                "half of it is done, and nobody knows"
            );
        }
    }
});

/// The house as an edit left it that was interrupted after its note.
fn lay_out(root: &Path, house: &Path) {
    let _ = fs::remove_dir_all(root);
    for folder in [house.join("c"), root.join("away")] {
        fs::create_dir_all(folder).expect("there is room");
    }
    let write = |path: &Path, text| fs::write(path, text).expect("it can be written");
    OTHERS
        .iter()
        .for_each(|name| write(&root.join(name), "mine"));
    for (name, ready) in FILES {
        write(&house.join(name), "old");
        write(&house.join(ready), "new");
    }
}
