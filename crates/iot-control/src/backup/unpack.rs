//! The way back: everything is unpacked beside its place and looked at there; only what is whole gets into it. What stood
//! there is moved aside, never deleted.

use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder, File},
    io::{self, Read},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use flate2::read::GzDecoder;
use store::StateFolder;

use super::{
    BYTES_MAX, Entry, FILES_MAX, FORMAT, HOUSE, MANIFEST, Manifest, STATE, copy_hashed,
    create_private,
    pack::last_input,
    place::{Staging, put},
};

/// Largest manifest, in bytes: a few hundred for each file.
const MANIFEST_BYTES_MAX: u64 = 8 << 20;

/// Most zeros behind the last file: a tar is filled up to a block of 10 KiB.
const END_BYTES_MAX: u64 = 64 << 10;

/// What was put in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Restored {
    /// Version that made the backup.
    pub(crate) version: String,
    /// When, in UTC.
    pub(crate) made: String,
    /// The newest input; `None`: the house had never run.
    pub(crate) last_input: Option<u64>,
    /// Where what stood there is now.
    pub(crate) moved: Vec<PathBuf>,
}

/// Puts the house of `file` into `house` and its state into `state`. With `over`, what stands there is moved aside.
///
/// # Errors
/// `file` is no whole backup, something stands there, or a dispatcher runs on the state: then nothing is changed.
pub(crate) fn unpack(file: &Path, house: &Path, state: &Path, over: bool) -> Result<Restored> {
    let shown = file.display();
    let archive = File::open(file).with_context(|| shown.to_string())?;
    for place in [house, state] {
        ensure!(
            over || is_empty(place),
            "{} is there already: --force moves it aside",
            place.display()
        );
    }
    let _alone = alone(state)?;
    let (of_house, of_state) = (Staging::beside(house)?, Staging::beside(state)?);
    let manifest = extract(archive, &of_house.path(HOUSE), &of_state.path(STATE))
        .with_context(|| format!("{shown} is no whole backup; nothing was changed"))?;
    let unpacked = of_state.path(STATE);
    let last_input = if StateFolder::new(&unpacked).database().exists() {
        let last = last_input(&unpacked);
        Some(last.with_context(|| {
            format!("{shown} holds a state that is not whole; nothing was changed")
        })?)
    } else {
        None
    };
    let mut moved = Vec::new();
    moved.extend(put(&of_house.path(HOUSE), house)?);
    moved.extend(put(&unpacked, state)?);
    Ok(Restored {
        version: manifest.version,
        made: manifest.made,
        last_input,
        moved,
    })
}

fn is_empty(folder: &Path) -> bool {
    match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// Keeps a dispatcher from running on `state` meanwhile.
fn alone(state: &Path) -> Result<Option<store::FolderLock>> {
    if !StateFolder::new(state).lock_file().exists() {
        return Ok(None);
    }
    Ok(Some(StateFolder::new(state).lock()?))
}

/// Writes what the archive holds; every file is the one that the manifest tells of, and none is missing.
fn extract(archive: impl Read, house: &Path, state: &Path) -> Result<Manifest> {
    let mut archive = tar::Archive::new(GzDecoder::new(archive));
    let mut entries = archive.entries()?;
    let first = entries.next().ok_or_else(|| anyhow!("it is empty"))??;
    ensure!(
        &*first.path_bytes() == MANIFEST.as_bytes(),
        "it does not begin with a {MANIFEST}"
    );
    let manifest = manifest(first)?;
    for folder in [house, state] {
        DirBuilder::new().mode(0o700).create(folder)?;
    }
    let mut left = manifest.files.iter();
    for entry in entries {
        let mut entry = entry?;
        let told = left
            .next()
            .ok_or_else(|| anyhow!("it holds more than its {MANIFEST} tells of"))?;
        ensure!(
            &*entry.path_bytes() == told.path.as_bytes() && entry.header().entry_type().is_file(),
            "{} is not where its {MANIFEST} has it",
            told.path
        );
        let to = place_of(told, house, state)?;
        let mut file = create_private(&to).with_context(|| to.display().to_string())?;
        // No more than was told, whatever the archive says of itself.
        let mut bytes = (&mut entry).take(told.bytes.saturating_add(1));
        let found = copy_hashed(&mut bytes, &mut file)?;
        ensure!(
            found == (told.bytes, told.blake2s.clone()),
            "{} is damaged",
            told.path
        );
        file.sync_all()?;
    }
    if let Some(missing) = left.next() {
        bail!("{} is missing", missing.path);
    }
    // The end of the archive and gzip's own checksum; nothing of a length stands there.
    let mut rest = archive.into_inner().take(END_BYTES_MAX);
    ensure!(
        io::copy(&mut rest, &mut io::sink())? < END_BYTES_MAX,
        "something stands behind its end"
    );
    Ok(manifest)
}

fn manifest(entry: impl Read) -> Result<Manifest> {
    let mut text = Vec::new();
    entry.take(MANIFEST_BYTES_MAX).read_to_end(&mut text)?;
    let manifest: Manifest = serde_json::from_slice(&text).context(MANIFEST)?;
    ensure!(
        manifest.format == FORMAT,
        "it has format {}, this version reads {FORMAT}: restore it with iot-control {}",
        manifest.format,
        manifest.version
    );
    ensure!(
        manifest.files.len() <= FILES_MAX,
        "it tells of more than {FILES_MAX} files"
    );
    let mut names = BTreeSet::new();
    let mut total = 0_u64;
    for entry in &manifest.files {
        ensure!(
            entry.is_inside(),
            "{:?} would lead out of the house",
            entry.path
        );
        ensure!(names.insert(&entry.path), "{} is in it twice", entry.path);
        total = total.saturating_add(entry.bytes);
    }
    ensure!(total <= BYTES_MAX, "it tells of {total} bytes");
    Ok(manifest)
}

/// Where a file belongs; its folder is made.
fn place_of(entry: &Entry, house: &Path, state: &Path) -> Result<PathBuf> {
    let path = Path::new(&entry.path);
    let place = match path.strip_prefix(HOUSE) {
        Ok(inside) => house.join(inside),
        Err(_) => state.join(path.strip_prefix(STATE)?),
    };
    if let Some(folder) = place.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    Ok(place)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::backup::pack;

    /// A house that never ran, packed.
    fn packed() -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let house = folder.path().join("house");
        fs::create_dir_all(house.join("rules")).unwrap();
        fs::write(house.join("mapping.toml"), "format = 1\n").unwrap();
        fs::write(house.join("rules/a.toml"), "# a\n").unwrap();
        let file = folder.path().join("backup.tar.gz");
        pack(&house, &folder.path().join("state"), &file).unwrap();
        fs::read(&file).unwrap()
    }

    fn unpacked(bytes: &[u8]) -> (tempfile::TempDir, Result<Manifest>) {
        let folder = tempfile::tempdir().unwrap();
        let manifest = extract(bytes, &folder.path().join("h"), &folder.path().join("s"));
        (folder, manifest)
    }

    #[test]
    fn what_was_packed_comes_back() {
        let (folder, manifest) = unpacked(&packed());
        let names: Vec<_> = manifest
            .unwrap()
            .files
            .into_iter()
            .map(|entry| entry.path)
            .collect();
        assert_eq!(names, ["house/mapping.toml", "house/rules/a.toml"]);
        let text = fs::read_to_string(folder.path().join("h/rules/a.toml"));
        assert_eq!(text.unwrap(), "# a\n");
    }

    #[test]
    fn a_backup_that_was_cut_is_refused_wherever_it_was() {
        let whole = packed();
        for end in 0..whole.len() {
            assert!(unpacked(&whole[..end]).1.is_err(), "{end}");
        }
    }

    proptest! {
        #[test]
        fn whatever_a_file_holds_is_refused_or_is_what_was_packed(
            at: proptest::sample::Index, byte: u8, inside: bool,
        ) {
            let mut bytes = packed();
            if inside {
                // Behind the checksum of gzip.
                let mut plain = Vec::new();
                GzDecoder::new(&*bytes).read_to_end(&mut plain).unwrap();
                let at = at.index(plain.len());
                plain[at] = byte;
                let mut again = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                io::Write::write_all(&mut again, &plain).unwrap();
                bytes = again.finish().unwrap();
            } else {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            let (folder, manifest) = unpacked(&bytes);
            if let Ok(manifest) = manifest {
                for entry in manifest.files {
                    let place = entry.path.replacen(HOUSE, "h", 1);
                    let len = folder.path().join(place).metadata().unwrap().len();
                    prop_assert_eq!(len, entry.bytes);
                }
            }
        }
    }
}
