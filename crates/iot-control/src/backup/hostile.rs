//! Archives that want out of their folders, damaged ones, and those of other programs. What became of the disk is seen by walking
//! it, before and after: nothing here asks the reader what it would have allowed.

use std::{
    fs,
    io::{Read, Write},
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;
use blake2::{Blake2s256, Digest};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::{
    pack::packed,
    tree::Tree,
    unpack::{Restored, unpack},
};

/// A disk with something that is nobody's business, and a folder into which houses are restored.
struct Disk(tempfile::TempDir);

impl Disk {
    fn new() -> Self {
        let disk = Self(tempfile::tempdir().unwrap());
        for folder in ["outside", "target", "source/house"] {
            fs::create_dir_all(disk.path(folder)).unwrap();
        }
        fs::write(disk.path("outside/secret"), "secret").unwrap();
        disk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A file or something else that an archive is made of.
    fn source(&self, name: &str, text: &str) {
        fs::write(self.path("source").join(name), text).unwrap();
    }

    /// Restores it, into places that are named. Nothing outside of `target` is touched, nothing at all where it is refused, and there are plain files only.
    fn restore(&self, archive: &[u8]) -> Result<Restored> {
        let file = self.path("backup.tar.gz");
        fs::write(&file, archive).unwrap();
        let before = Tree::of(self.0.path());
        let done = self.unpack(&file, Some(&self.path("target/state")));
        let after = Tree::of(self.0.path());
        assert_eq!(
            after.clone().without("target"),
            before.clone().without("target")
        );
        if done.is_err() {
            assert_eq!(after, before);
        }
        for (path, thing) in after
            .0
            .iter()
            .filter(|(path, _)| path.starts_with("target"))
        {
            assert!(["file", "folder"].contains(&thing.kind), "{path:?}");
            assert!(thing.mode <= 0o777, "{path:?}");
        }
        done
    }

    fn unpack(&self, file: &Path, state: Option<&Path>) -> Result<Restored> {
        unpack(file, &self.path("target/house"), state, false)
    }

    /// The restored files and what they hold.
    fn restored(&self) -> Vec<(PathBuf, Vec<u8>)> {
        files(&self.path("target"))
    }

    /// What GNU tar makes of the sources, with a manifest that tells `told` of them; of a mapping, too, where nobody thought of one:
    /// what has none is refused for that alone.
    fn tar(&self, told: &[Json], words: &[&str]) -> Vec<u8> {
        let mut told = told.to_vec();
        let mut words = words.to_vec();
        if add_mapping(&mut told) {
            self.source("house/mapping.toml", MAPPING);
            words.insert(0, "house/mapping.toml");
        }
        self.source("manifest.json", &manifest(&told));
        let made = Command::new("tar")
            .args(["--format=gnu", "-cz", "-P", "-C"])
            .arg(self.path("source"))
            .args(["--transform=flags=r;s,^./,,", "manifest.json"])
            .args(words)
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        made.stdout
    }
}

fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let things = Tree::of(folder).0.into_iter();
    things
        .filter(|(path, thing)| thing.kind == "file" && !path.ends_with("state/lock"))
        .map(|(path, thing)| (path, thing.holds))
        .collect()
}

fn manifest(told: &[Json]) -> String {
    json!({ "format": 1, "version": "0.1.0", "made": "2026-03-28T21:00:00Z", "files": told })
        .to_string()
}

/// What a manifest rightly tells of a file.
fn told(path: &str, bytes: &[u8]) -> Json {
    let hash: String = Blake2s256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    json!({ "path": path, "bytes": bytes.len(), "blake2s": hash })
}

const MAPPING: &str = "format = 1\n";

/// Tells of a mapping as well, before all else. `false`: it is told of already.
fn add_mapping(told: &mut Vec<Json>) -> bool {
    let name = "house/mapping.toml";
    let is_missing = !told.iter().any(|file| file["path"] == name);
    if is_missing {
        told.insert(0, self::told(name, MAPPING.as_bytes()));
    }
    is_missing
}

fn has_gnu_tar() -> bool {
    let version = Command::new("tar").arg("--version").output();
    let is_gnu = version.is_ok_and(|it| it.stdout.starts_with(b"tar (GNU tar)"));
    if !is_gnu {
        eprintln!("skipped: not installed: GNU tar");
    }
    is_gnu
}

#[test]
fn what_tar_packs_is_restored_and_what_we_pack_is_unpacked_by_tar() {
    if !has_gnu_tar() {
        return;
    }
    let disk = Disk::new();
    disk.source("house/mapping.toml", "format = 1\n");
    let archive = disk.tar(
        &[told("house/mapping.toml", b"format = 1\n")],
        &["house/mapping.toml"],
    );
    disk.restore(&archive).unwrap();
    let whole = (
        PathBuf::from("house/mapping.toml"),
        b"format = 1\n".to_vec(),
    );
    assert_eq!(disk.restored(), [whole]);

    let texts = [("mapping.toml", "format = 1\n"), ("rules/a.toml", "# a\n")];
    let disk = Disk::new();
    disk.restore(&packed(&texts)).unwrap();
    let (file, by_tar) = (disk.path("backup.tar.gz"), disk.path("by-tar"));
    fs::create_dir(&by_tar).unwrap();
    let mut tar = Command::new("tar");
    let status = tar.arg("-xzf").arg(&file).arg("-C").arg(&by_tar).status();
    assert!(status.unwrap().success());
    fs::remove_file(by_tar.join("manifest.json")).unwrap();
    assert_eq!(disk.restored(), files(&by_tar));
    assert_eq!(disk.restored().len(), 2);
}

#[test]
fn what_leads_out_of_the_house_is_refused() {
    if !has_gnu_tar() {
        return;
    }
    let disk = Disk::new();
    let outside = disk.path("outside");
    let outside = outside.to_str().unwrap();
    disk.source("evil", "evil");
    symlink(outside, disk.path("source/house/link")).unwrap();
    let mut names = vec![
        format!("{outside}/evil"),
        "evil".to_owned(),
        "other/evil".to_owned(),
    ];
    // Out of where it is unpacked, and out of where it is put.
    names.extend((1..=4).map(|up| format!("house/{}outside/evil", "../".repeat(up))));
    names.extend((1..=3).map(|up| format!("{}outside/evil", "../".repeat(up))));
    for name in &names {
        let honest = disk.tar(
            &[told(name, b"evil")],
            &[&format!("--transform=flags=r;s,^evil$,{name},"), "evil"],
        );
        let harmless = disk.tar(
            &[told("house/mapping.toml", b"evil")],
            &[&format!("--transform=flags=r;s,^evil$,{name},"), "evil"],
        );
        for archive in [honest, harmless] {
            assert!(disk.restore(&archive).is_err(), "{name}");
        }
    }
    // A link, and a file behind it.
    let through = [
        "--transform=flags=r;s,^evil$,house/link/evil,",
        "house/link",
        "evil",
    ];
    for link in [
        told("house/link", b""),
        told("house/link", outside.as_bytes()),
    ] {
        let archive = disk.tar(&[link, told("house/link/evil", b"evil")], &through);
        assert!(disk.restore(&archive).is_err());
    }
    let archive = disk.tar(&[told("house/link/evil", b"evil")], &through);
    assert!(disk.restore(&archive).is_err());
}

#[test]
fn what_is_no_plain_file_is_refused() {
    if !has_gnu_tar() {
        return;
    }
    let disk = Disk::new();
    disk.source("house/a", "secret");
    fs::hard_link(disk.path("source/house/a"), disk.path("source/house/b")).unwrap();
    let pipe = Command::new("mkfifo")
        .arg(disk.path("source/house/pipe"))
        .status();
    assert!(pipe.unwrap().success());
    let secret = disk.path("outside/secret");
    let to_secret = format!("--transform=flags=h;s,^house/a$,{},", secret.display());
    let hard = disk.tar(
        &[told("house/a", b"secret"), told("house/b", b"secret")],
        &[&to_secret, "house/a", "house/b"],
    );
    let empty_hard = disk.tar(
        &[told("house/a", b"secret"), told("house/b", b"")],
        &[&to_secret, "house/a", "house/b"],
    );
    let pipe = disk.tar(&[told("house/pipe", b"")], &["house/pipe"]);
    let folder = disk.tar(&[told("house", b"")], &["--no-recursion", "house"]);
    let null = disk.tar(
        &[told("house/null", b"")],
        &["--transform=flags=r;s,^dev/,house/,", "-C", "/", "dev/null"],
    );
    for (archive, what) in [
        (hard, "hard link"),
        (empty_hard, "hard link"),
        (pipe, "pipe"),
        (folder, "folder"),
        (null, "device"),
    ] {
        assert!(disk.restore(&archive).is_err(), "{what}");
    }
}

#[test]
fn what_is_there_twice_or_has_no_end_is_refused() {
    if !has_gnu_tar() {
        return;
    }
    let disk = Disk::new();
    disk.source("house/mapping.toml", "1");
    let one = told("house/mapping.toml", b"1");
    let twice = [
        "--hard-dereference",
        "house/mapping.toml",
        "house/mapping.toml",
    ];
    for manifest in [vec![one.clone()], vec![one.clone(), one]] {
        assert!(disk.restore(&disk.tar(&manifest, &twice)).is_err());
    }
    // A terabyte that takes no room, whatever is told of it.
    let huge = disk.path("source/house/huge");
    fs::File::create(&huge).unwrap().set_len(1 << 40).unwrap();
    let archives = [0, 1, 1 << 40, u64::MAX].map(|bytes| {
        let mut huge = told("house/huge", b"");
        huge["bytes"] = json!(bytes);
        disk.tar(&[huge], &["--sparse", "house/huge"])
    });
    fs::remove_file(huge).unwrap();
    for archive in archives {
        assert!(disk.restore(&archive).is_err());
    }
}

#[test]
fn a_few_bytes_that_unpack_to_many_are_refused_before_they_fill_memory_or_disk() {
    let zeros = |kind, told: &[Json]| {
        let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        let text = manifest(told);
        archive
            .append(&header("manifest.json", b'0', text.len()), text.as_bytes())
            .unwrap();
        let bytes = 2 << 20;
        let zeros = std::io::repeat(0).take(bytes as u64);
        archive
            .append(&header("house/mapping.toml", kind, bytes), zeros)
            .unwrap();
        archive.into_inner().unwrap().finish().unwrap()
    };
    let disk = Disk::new();
    for kind in [b'0', b'L', b'K', b'x', b'g', b'S'] {
        let archive = zeros(kind, &[told("house/mapping.toml", b"1")]);
        let why = format!("{:#}", disk.restore(&archive).unwrap_err());
        let is_bounded = why.contains("more than belongs there") || why.contains("is damaged");
        assert!(
            is_bounded || matches!(kind, b'x' | b'g' | b'S'),
            "{kind}: {why}"
        );
    }
}

#[test]
fn rights_beyond_those_of_a_file_are_not_restored() {
    let disk = Disk::new();
    for mode in ["4755", "1777", "10600", "-1", "rwx"] {
        let mut entry = told("house/mapping.toml", b"1");
        entry["mode"] = json!(mode);
        assert!(
            disk.restore(&by_hand(&[entry], &[("house/mapping.toml", b'0', b"1")]))
                .is_err()
        );
    }
    let mut entry = told("house/mapping.toml", b"1");
    entry["mode"] = json!("640");
    // What the tar says of it is not asked.
    disk.restore(&by_hand(&[entry], &[("house/mapping.toml", b'0', b"1")]))
        .unwrap();
    let metadata = disk.path("target/house/mapping.toml").metadata().unwrap();
    assert_eq!(metadata.permissions().mode() & 0o7777, 0o640);
}

#[test]
fn a_file_of_a_name_that_no_state_has_is_refused() {
    let disk = Disk::new();
    for name in [
        "state/authorized_keys",
        "state/keys/id_ed25519",
        "state/journal/00000001.sh",
        "state/lock",
        "house/.git/config",
        "house/.iot-control-edit",
    ] {
        let archive = by_hand(&[told(name, b"evil")], &[(name, b'0', b"evil")]);
        let why = format!("{:#}", disk.restore(&archive).unwrap_err());
        assert!(
            why.contains(name) && why.contains("nothing was changed"),
            "{why}"
        );
    }
}

#[test]
fn an_archive_without_what_a_start_needs_says_what_is_missing() {
    let disk = Disk::new();
    let journal = "state/journal";
    for (names, missing) in [
        (
            &["house/settings.toml"][..],
            "house/mapping.toml is missing",
        ),
        (&[], "house/mapping.toml is missing"),
        (
            &["house/mapping.toml", journal],
            "\"state/journal\" is no file",
        ),
        (
            &["house/mapping.toml", "state/journal/end"],
            "state/house.db is missing",
        ),
        (
            &["house/mapping.toml", "house/mapping.toml/x"],
            "is a file, and a folder as well",
        ),
        (
            &["house/mapping.toml", "state/house.db"],
            "a state that is not whole",
        ),
    ] {
        let told: Vec<_> = names.iter().map(|name| told(name, b"")).collect();
        let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        let text = manifest(&told);
        let first = header("manifest.json", b'0', text.len());
        archive.append(&first, text.as_bytes()).unwrap();
        for name in names {
            archive.append(&header(name, b'0', 0), &b""[..]).unwrap();
        }
        let archive = archive.into_inner().unwrap().finish().unwrap();
        let why = format!("{:#}", disk.restore(&archive).unwrap_err());
        assert!(
            why.contains(missing) && why.contains("nothing was changed"),
            "{why}"
        );
    }
}

#[test]
fn an_archive_names_no_place_to_write_to() {
    let disk = Disk::new();
    let outside = disk.path("outside");
    let settings = format!("state = {:?}\n", outside.join("ssh"));
    let archive = packed(&[("mapping.toml", MAPPING), ("settings.toml", &settings)]);
    let file = disk.path("backup.tar.gz");
    fs::write(&file, &archive).unwrap();
    let before = Tree::of(disk.0.path());
    let why = format!("{:#}", disk.unpack(&file, None).unwrap_err());
    let wanted = format!("--state {}", outside.join("ssh").display());
    assert!(
        why.contains(&wanted) && why.contains("nothing was changed"),
        "{why}"
    );
    assert_eq!(Tree::of(disk.0.path()), before);
    // Whoever names a place has it used, whichever the archive says.
    let restored = disk.restore(&archive).unwrap();
    assert_eq!(
        restored.state,
        disk.path("target/state").canonicalize().unwrap()
    );
    assert_eq!(restored.looked_for, Some(outside.join("ssh")));
}

/// A header that no program writes.
fn header(name: &str, kind: u8, bytes: usize) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    let to = &mut header.as_old_mut().name;
    let name = &name.as_bytes()[..name.len().min(to.len())];
    to[..name.len()].copy_from_slice(name);
    header.set_entry_type(tar::EntryType::new(kind));
    header.set_mode(0o4777);
    header.set_size(bytes as u64);
    header.set_cksum();
    header
}

fn by_hand(told: &[Json], entries: &[(&str, u8, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut told = told.to_vec();
    let mut entries = entries.to_vec();
    if add_mapping(&mut told) {
        entries.insert(0, ("house/mapping.toml", b'0', MAPPING.as_bytes()));
    }
    let text = manifest(&told);
    let mut append = |name: &str, kind, bytes: &[u8]| {
        let mut header = header(name, kind, bytes.len());
        if matches!(kind, b'1' | b'2') {
            header.set_size(0);
            header.set_link_name_literal(bytes).unwrap();
            header.set_cksum();
            return archive.append(&header, &b""[..]).unwrap();
        }
        archive.append(&header, bytes).unwrap();
    };
    append("manifest.json", b'0', text.as_bytes());
    for (name, kind, bytes) in entries {
        append(name, kind, bytes);
    }
    archive.into_inner().unwrap().finish().unwrap()
}

/// Names that lead somewhere, and now and then where they should.
fn name() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "house", "state", "outside", "secret", "..", ".", "", "a", "a.toml", "journal", "keys",
        "\\", "link",
    ]);
    let parts = prop::collection::vec(part, 1..6);
    (any::<bool>(), any::<bool>(), parts).prop_map(|(is_whole, is_inside, parts)| {
        let root = if is_whole { "/" } else { "" };
        let first = if is_inside { "house/" } else { "" };
        format!("{root}{first}{}", parts.join("/"))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn whatever_an_archive_is_made_of_nothing_outside_is_touched(
        entries in prop::collection::vec((
            name(),
            prop::sample::select(b"00000123456Lx".to_vec()),
            prop::sample::select(vec!["", "text", "/etc", "../../outside", "../../outside/secret"]),
            prop::bool::weighted(0.9),
        ), 0..5),
    ) {
        let told: Vec<Json> = entries
            .iter()
            .filter(|(.., is_told)| *is_told)
            .map(|(name, _, text, _)| told(name, text.as_bytes()))
            .collect();
        let entries: Vec<_> = entries
            .iter()
            .map(|(name, kind, text, _)| (&**name, *kind, text.as_bytes()))
            .collect();
        let disk = Disk::new();
        let restored = disk.restore(&by_hand(&told, &entries));
        if restored.is_ok() {
            // What is no plain file only says something of the next one, and came to nothing.
            let files = entries.iter().filter(|(_, kind, _)| *kind == b'0');
            let mut wanted: Vec<_> = files
                .map(|(name, _, text)| (PathBuf::from(name), text.to_vec()))
                .collect();
            wanted.push(("house/mapping.toml".into(), MAPPING.into()));
            wanted.sort();
            prop_assert_eq!(disk.restored(), wanted);
        }
    }

    #[test]
    fn whatever_becomes_of_a_backup_it_is_refused_or_comes_to_the_same_files(
        at: prop::sample::Index, byte: u8, is_inside: bool,
    ) {
        let texts = [("mapping.toml", "format = 1\n"), ("rules/a.toml", "# a\n")];
        let mut bytes = packed(&texts);
        if is_inside {
            // Behind the checksum of gzip.
            let mut plain = Vec::new();
            GzDecoder::new(&*bytes).read_to_end(&mut plain).unwrap();
            let at = at.index(plain.len());
            plain[at] = byte;
            let mut again = GzEncoder::new(Vec::new(), Compression::fast());
            again.write_all(&plain).unwrap();
            bytes = again.finish().unwrap();
        } else {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let disk = Disk::new();
        if disk.restore(&bytes).is_ok() {
            let wanted = texts.map(|(name, text)| {
                (PathBuf::from("house").join(name), text.as_bytes().to_vec())
            });
            prop_assert_eq!(disk.restored(), wanted);
        }
    }
}
