//! An archive, read from its first byte to its last: every file is the one that the manifest tells of, and none is missing.
//!
//! Memory and disk are bounded whatever the bytes are, and nothing is written but new files below the folders that are named.

use std::{
    cell::Cell,
    fs::{self, DirBuilder, Permissions},
    io::{self, Read},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    rc::Rc,
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use flate2::read::GzDecoder;

use super::{
    HOUSE, MANIFEST, copy_hashed, create_private,
    manifest::{Entry, Manifest},
};

/// Largest manifest, in bytes: a few hundred for each file.
const MANIFEST_BYTES_MAX: u64 = 8 << 20;

/// Most bytes between two files, and behind the last one: headers, a long name, and a tar is filled up to a block of 10 KiB.
const BETWEEN_BYTES_MAX: u64 = 64 << 10;

/// Reads all of it and writes nothing.
///
/// # Errors
/// It is not whole.
pub(super) fn verify(archive: impl Read) -> Result<Manifest> {
    extract(archive, &[])
}

/// Reads all of it, and writes the files below each name of `parts` (`house`, `state`) into its folder, which is made.
///
/// # Errors
/// It is not whole, or something can't be written.
pub(super) fn extract(archive: impl Read, parts: &[(&str, &Path)]) -> Result<Manifest> {
    let left = Rc::new(Cell::new(MANIFEST_BYTES_MAX + BETWEEN_BYTES_MAX));
    let mut archive = tar::Archive::new(Bounded {
        from: GzDecoder::new(archive),
        left: Rc::clone(&left),
    });
    let mut entries = archive.entries()?;
    let first = entries.next().ok_or_else(|| anyhow!("it is empty"))??;
    ensure!(
        &*first.path_bytes() == MANIFEST.as_bytes(),
        "it does not begin with a {MANIFEST}"
    );
    let manifest = manifest(first)?;
    for (_, folder) in parts {
        DirBuilder::new().mode(0o700).create(folder)?;
    }
    let mut untold = manifest.files.iter();
    loop {
        left.set(BETWEEN_BYTES_MAX);
        let Some(entry) = entries.next() else { break };
        let entry = entry?;
        let told = untold
            .next()
            .ok_or_else(|| anyhow!("it holds more than its {MANIFEST} tells of"))?;
        ensure!(
            &*entry.path_bytes() == told.path.as_bytes() && entry.header().entry_type().is_file(),
            "{:?} is not where its {MANIFEST} has it",
            told.path
        );
        left.set(told.bytes.saturating_add(BETWEEN_BYTES_MAX));
        file(entry, told, parts)?;
    }
    if let Some(missing) = untold.next() {
        bail!("{:?} is missing", missing.path);
    }
    // The end of the archive and gzip's own checksum; nothing of a length stands there.
    left.set(BETWEEN_BYTES_MAX);
    io::copy(&mut archive.into_inner(), &mut io::sink()).context("behind its end")?;
    set_folder_modes(&manifest, parts)?;
    Ok(manifest)
}

/// One file: where it belongs, or nowhere.
fn file(entry: impl Read, told: &Entry, parts: &[(&str, &Path)]) -> Result<()> {
    // No more than was told, whatever the archive says of itself.
    let mut bytes = entry.take(told.bytes.saturating_add(1));
    let place = place_of(&told.path, parts);
    let found = match &place {
        None => copy_hashed(&mut bytes, &mut io::sink())?,
        Some(place) => {
            let shown = || place.display().to_string();
            if let Some(folder) = place.parent() {
                make_folders(folder).with_context(shown)?;
            }
            let mut file = create_private(place).with_context(shown)?;
            let found = copy_hashed(&mut bytes, &mut file).with_context(shown)?;
            if told.path.starts_with(HOUSE) {
                file.set_permissions(Permissions::from_mode(told.mode.0))?;
            }
            file.sync_all().with_context(shown)?;
            found
        }
    };
    ensure!(
        found == (told.bytes, told.blake2s.clone()),
        "{:?} is damaged",
        told.path
    );
    Ok(())
}

fn manifest(entry: impl Read) -> Result<Manifest> {
    let mut text = Vec::new();
    entry.take(MANIFEST_BYTES_MAX).read_to_end(&mut text)?;
    Manifest::read(&text)
}

/// Makes the folders of the house that are empty, and gives each who may look into it; the deepest first, since one may not be
/// written any more. Its owner always may: a restore moves it.
fn set_folder_modes(manifest: &Manifest, parts: &[(&str, &Path)]) -> Result<()> {
    for folder in manifest.folders.iter().rev() {
        if let Some(place) = place_of(&folder.path, parts) {
            let shown = || place.display().to_string();
            make_folders(&place).with_context(shown)?;
            let mode = Permissions::from_mode(folder.mode.0 | 0o700);
            fs::set_permissions(&place, mode).with_context(shown)?;
        }
    }
    Ok(())
}

/// Where something belongs; `None`: nowhere.
fn place_of(path: &str, parts: &[(&str, &Path)]) -> Option<PathBuf> {
    parts.iter().find_map(|(name, folder)| {
        let inside = Path::new(path).strip_prefix(name).ok()?;
        Some(folder.join(inside))
    })
}

fn make_folders(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Unpacked bytes, no more of them than whoever asks expects: a few bytes of gzip can hold any number of zeros, and what the tar
/// format has besides files goes into memory.
struct Bounded<R> {
    from: R,
    left: Rc<Cell<u64>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        let left = self.left.get().checked_sub(read as u64);
        let too_much = || io::Error::other("there is more than belongs there");
        self.left.set(left.ok_or_else(too_much)?);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::backup::pack::packed;

    fn unpacked(bytes: &[u8]) -> (tempfile::TempDir, Result<Manifest>) {
        let folder = tempfile::tempdir().unwrap();
        let (house, state) = (folder.path().join("h"), folder.path().join("s"));
        let manifest = extract(bytes, &[("house", &house), ("state", &state)]);
        (folder, manifest)
    }

    #[test]
    fn what_was_packed_comes_back() {
        let files = [("mapping.toml", "format = 1\n"), ("rules/a.toml", "# a\n")];
        let (folder, manifest) = unpacked(&packed(&files));
        let names: Vec<_> = manifest
            .unwrap()
            .files
            .into_iter()
            .map(|entry| entry.path)
            .collect();
        assert_eq!(names, ["house/mapping.toml", "house/rules/a.toml"]);
        for (name, text) in files {
            let found = fs::read_to_string(folder.path().join("h").join(name));
            assert_eq!(found.unwrap(), text);
        }
    }

    #[test]
    fn a_backup_that_was_cut_is_refused_wherever_it_was() {
        let whole = packed(&[("mapping.toml", "format = 1\n"), ("rules/a.toml", "# a\n")]);
        for end in 0..whole.len() {
            assert!(verify(&whole[..end]).is_err(), "{end}");
        }
        verify(&*whole).unwrap();
    }

    #[test]
    fn a_name_of_any_length_that_a_file_can_have_is_kept() {
        let part = "x".repeat(200);
        let long = format!("{part}/{part}/{part}.toml");
        let (folder, manifest) = unpacked(&packed(&[("mapping.toml", ""), (&long, "deep")]));
        manifest.unwrap();
        let text = fs::read_to_string(folder.path().join("h").join(long));
        assert_eq!(text.unwrap(), "deep");
    }
}
