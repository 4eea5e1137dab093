//! Keys of the sealed link at rest: who this house is, and which devices are let in. A file for the house and one for
//! each device, in a folder that nobody but its owner may enter.
//!
//! Called by the binary, with and without a running dispatcher; whoever changes something holds the folder's lock. Must
//! not compute with keys. Sessions are never written down.

use crate::folder::{FolderError, StateFolder, check_private};
use crate::regular;
use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use types::DeviceId;
use wire::{Handle, NAME_LEN_MAX, PublicKey, Secret, Site};
use zeroize::Zeroizing;

/// Bytes of either file.
const FILE_LEN: usize = 256;
/// Where the CRC-32 of all before it stands.
const CRC_AT: usize = 252;
const VERSION: u8 = 1;
const HOUSE_MAGIC: [u8; 4] = *b"IC1H";
const DEVICE_MAGIC: [u8; 4] = *b"IC1D";
/// Whether a device's number is known.
const HAS_ID: u8 = 1;

const HOUSE_FILE: &str = "house";
const DEVICE_ENDING: &str = "device";
/// Of what can't be read and is no longer needed.
const ASIDE_ENDING: &str = "damaged";

type Bytes = Zeroizing<[u8; FILE_LEN]>;

/// Who the house is on the sealed link. Whoever has them can be its dispatcher.
///
/// 0 "IC1H" |4 version |8 site 8 |16 dispatcher secret 32 |48 secret of RESETs 32 |252 CRC-32; the rest is zero.
#[derive(Clone, Debug)]
pub struct HouseKeys {
    /// Part of the MQTT topics.
    pub site: Site,
    /// X25519; devices pin its public key.
    pub secret: Secret,
    /// What RESETs are made of.
    pub resets: Secret,
}

/// A device that is let in over the sealed link. Its own secret is nowhere here.
///
/// 0 "IC1D" |4 version |5 flags: 1 the number is known |6 number u16 |8 public 32 |40 pre-shared key 32 |72 length of
/// the name |73 name |252 CRC-32; little-endian, the rest is zero.
#[derive(Clone, Debug)]
pub struct SealedDevice {
    /// Its name in the mapping when it was added, or when the house was started last.
    pub name: String,
    /// Its number in the mapping; `None` until a mapping that has it was in force.
    pub id: Option<DeviceId>,
    /// X25519.
    pub key: PublicKey,
    /// Shared with the device beside the keys.
    pub psk: Secret,
}

/// The folder of the keys; making one of these touches nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFolder {
    root: PathBuf,
}

impl KeyFolder {
    /// The one of this state.
    #[must_use]
    pub fn of(state: &StateFolder) -> Self {
        Self { root: state.keys() }
    }

    /// Checks that nobody but the owner can read what is there.
    ///
    /// # Errors
    /// [`FolderError::Permissions`] names the first that others may read, and says how to mend it.
    pub fn examine(&self) -> Result<(), FolderError> {
        if !self.root.exists() {
            return Ok(());
        }
        check_private(&self.root)?;
        let files = self.files().map_err(|error| self.io(error))?;
        files.iter().try_for_each(|file| check_private(file))
    }

    /// The house's keys; `None`: they were never needed.
    ///
    /// # Errors
    /// [`KeyError`]: without them no device finds its dispatcher.
    pub fn house(&self) -> Result<Option<HouseKeys>, KeyError> {
        let path = self.root.join(HOUSE_FILE);
        match read(&path, HOUSE_MAGIC) {
            Ok(bytes) => Ok(Some(HouseKeys {
                site: Site(part(&bytes, 8)),
                secret: secret(&bytes, 16),
                resets: secret(&bytes, 48),
            })),
            Err(KeyError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Keeps the house's keys. Those that are there stay: devices know no others.
    ///
    /// # Errors
    /// There are some already; the disk refuses.
    pub fn begin(&self, keys: &HouseKeys) -> Result<(), KeyError> {
        let path = self.root.join(HOUSE_FILE);
        if path.symlink_metadata().is_ok() {
            let source = io::ErrorKind::AlreadyExists.into();
            return Err(KeyError::Io { path, source });
        }
        let mut bytes = begun(HOUSE_MAGIC);
        bytes[8..16].copy_from_slice(&keys.site.0);
        bytes[16..48].copy_from_slice(keys.secret.expose());
        bytes[48..80].copy_from_slice(keys.resets.expose());
        self.write(HOUSE_FILE, bytes)
    }

    /// Puts the file of the house's keys aside, for those that nobody needs and nobody can read; says where it is now.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn put_house_aside(&self) -> Result<PathBuf, KeyError> {
        let path = self.root.join(HOUSE_FILE);
        let aside = path.with_extension(ASIDE_ENDING);
        match fs::rename(&path, &aside).and_then(|()| File::open(&self.root)?.sync_all()) {
            Ok(()) => Ok(aside),
            Err(source) => Err(KeyError::Io { path, source }),
        }
    }

    /// All devices by name, and what can't be read: that keeps no other out.
    ///
    /// # Errors
    /// The folder can't be read.
    pub fn devices(&self) -> Result<(Vec<SealedDevice>, Vec<KeyError>), KeyError> {
        let files = match self.files() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            files => files.map_err(|source| KeyError::Io {
                path: self.root.clone(),
                source,
            })?,
        };
        let (mut devices, mut damaged) = (Vec::new(), Vec::new());
        for path in files {
            if path.extension().is_none_or(|end| end != DEVICE_ENDING) {
                continue;
            }
            match read_device(&path) {
                Ok(device) => devices.push(device),
                Err(error) => damaged.push(error),
            }
        }
        devices.sort_by(|one, other| one.name.cmp(&other.name));
        Ok((devices, damaged))
    }

    /// Keeps a device, over what was known of its key.
    ///
    /// # Errors
    /// Its name is longer than 32 bytes; the disk refuses.
    pub fn put(&self, device: &SealedDevice) -> Result<(), KeyError> {
        let name = device.name.as_bytes();
        if name.len() > NAME_LEN_MAX {
            return Err(KeyError::Name(device.name.clone()));
        }
        let mut bytes = begun(DEVICE_MAGIC);
        if let Some(id) = device.id {
            bytes[5] = HAS_ID;
            bytes[6..8].copy_from_slice(&id.0.to_le_bytes());
        }
        bytes[8..40].copy_from_slice(&device.key.0);
        bytes[40..72].copy_from_slice(device.psk.expose());
        bytes[72] = name.len() as u8;
        bytes[73..73 + name.len()].copy_from_slice(name);
        self.write(&file_of(&device.key), bytes)
    }

    /// Forgets a device's key; false: there was none.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn remove(&self, key: &PublicKey) -> Result<bool, KeyError> {
        let path = self.root.join(file_of(key));
        match fs::remove_file(&path).and_then(|()| File::open(&self.root)?.sync_all()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(KeyError::Io { path, source }),
        }
    }

    /// The files in order.
    fn files(&self) -> io::Result<Vec<PathBuf>> {
        let entries = fs::read_dir(&self.root)?;
        let mut paths: Vec<_> = entries
            .map(|entry| Ok(entry?.path()))
            .collect::<io::Result<_>>()?;
        paths.sort();
        Ok(paths)
    }

    /// Writes a file as a whole: a power cut leaves the old one or the new one.
    fn write(&self, name: &str, mut bytes: Bytes) -> Result<(), KeyError> {
        let sum = crc32fast::hash(&bytes[..CRC_AT]);
        bytes[CRC_AT..].copy_from_slice(&sum.to_le_bytes());
        let path = self.root.join(name);
        self.replace(&path, &bytes)
            .map_err(|source| KeyError::Io { path, source })
    }

    fn replace(&self, path: &Path, bytes: &Bytes) -> io::Result<()> {
        let mut folder = DirBuilder::new();
        folder.recursive(true).mode(0o700).create(&self.root)?;
        let new = path.with_extension("new");
        // What a killed run left; never through a link.
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let options = &mut OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(&bytes[..])?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        File::open(&self.root)?.sync_all()
    }

    fn io(&self, source: io::Error) -> FolderError {
        FolderError::Io {
            path: self.root.clone(),
            source,
        }
    }
}

/// Why keys can't be read or kept.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeyError {
    /// The file is not what was written there.
    Damaged(PathBuf),
    /// A later version wrote it.
    Newer {
        /// The file.
        path: PathBuf,
        /// What it says.
        found: u8,
    },
    /// A name that no device can have.
    Name(String),
    /// The operating system refuses.
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What it says.
        source: io::Error,
    },
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(path) if path.ends_with(HOUSE_FILE) => write!(
                f,
                "{0} is damaged: take it from a backup. Without one, `mv {0} {0}.{ASIDE_ENDING}` has the house begin with new keys, \
                 and each device that has a key needs a new one then: `iot-control device add NAME --replace`",
                path.display()
            ),
            Self::Damaged(path) => write!(
                f,
                "{} is damaged: take it from a backup, or give its device a new key with `iot-control device add NAME --replace` \
                 and delete it",
                path.display()
            ),
            Self::Newer { path, found } => write!(
                f,
                "{} has version {found}, and this program reads {VERSION}: a newer one wrote it",
                path.display()
            ),
            Self::Name(name) => write!(f, "{} is no name of a device", name.escape_debug()),
            Self::Io { path, source } => write!(
                f,
                "can't use {}: {source}{}",
                path.display(),
                crate::folder::how_to_mend(source)
            ),
        }
    }
}

impl std::error::Error for KeyError {}

/// Whether a file of this name in the folder of keys is one of these.
pub(crate) fn is_file_of_keys(name: &str) -> bool {
    let handle = name
        .strip_suffix(DEVICE_ENDING)
        .and_then(|name| name.strip_suffix('.'));
    name == HOUSE_FILE || handle.is_some_and(|handle| Handle::parse(handle).is_some())
}

/// By the handle, which is public.
fn file_of(key: &PublicKey) -> String {
    format!("{}.{DEVICE_ENDING}", Handle::of(key))
}

fn begun(magic: [u8; 4]) -> Bytes {
    let mut bytes = Zeroizing::new([0; FILE_LEN]);
    bytes[..4].copy_from_slice(&magic);
    bytes[4] = VERSION;
    bytes
}

fn read(path: &Path, magic: [u8; 4]) -> Result<Bytes, KeyError> {
    let io = |source| KeyError::Io {
        path: path.to_owned(),
        source,
    };
    let damaged = || KeyError::Damaged(path.to_owned());
    let mut file = regular::open(path).map_err(io)?;
    let mut bytes = Zeroizing::new([0; FILE_LEN]);
    match file.read_exact(&mut bytes[..]) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(damaged()),
        done => done.map_err(io)?,
    }
    if file.metadata().map_err(io)?.len() != FILE_LEN as u64 || bytes[..4] != magic {
        return Err(damaged());
    }
    if bytes[4] > VERSION {
        let (path, found) = (path.to_owned(), bytes[4]);
        return Err(KeyError::Newer { path, found });
    }
    let sum = crc32fast::hash(&bytes[..CRC_AT]);
    if bytes[CRC_AT..] != sum.to_le_bytes() {
        return Err(damaged());
    }
    Ok(bytes)
}

fn read_device(path: &Path) -> Result<SealedDevice, KeyError> {
    let bytes = read(path, DEVICE_MAGIC)?;
    let damaged = || KeyError::Damaged(path.to_owned());
    let name = bytes[73..].get(..usize::from(bytes[72]).min(NAME_LEN_MAX));
    let name = name.and_then(|name| std::str::from_utf8(name).ok());
    let key = PublicKey(part(&bytes, 8));
    // A copy under another name would let the same device in twice.
    if path.file_name().is_none_or(|name| *name != *file_of(&key)) {
        return Err(damaged());
    }
    let id = DeviceId(u16::from_le_bytes(part(&bytes, 6)));
    Ok(SealedDevice {
        name: name.ok_or_else(damaged)?.to_owned(),
        id: (bytes[5] & HAS_ID != 0).then_some(id),
        key,
        psk: secret(&bytes, 40),
    })
}

fn part<const N: usize>(bytes: &Bytes, at: usize) -> [u8; N] {
    std::array::from_fn(|place| bytes[at + place])
}

fn secret(bytes: &Bytes, at: usize) -> Secret {
    Secret::new(*Zeroizing::new(part(bytes, at)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn folder() -> (tempfile::TempDir, KeyFolder) {
        let root = tempfile::tempdir().expect("a folder");
        let keys = KeyFolder::of(&StateFolder::new(root.path()));
        (root, keys)
    }

    fn device(of: u8, id: Option<u16>) -> SealedDevice {
        SealedDevice {
            name: format!("lamp{of}"),
            id: id.map(DeviceId),
            key: PublicKey([of; 32]),
            psk: Secret::new([of + 100; 32]),
        }
    }

    fn house() -> HouseKeys {
        HouseKeys {
            site: Site([1; 8]),
            secret: Secret::new([2; 32]),
            resets: Secret::new([3; 32]),
        }
    }

    fn mode(path: &Path) -> u32 {
        let metadata = path.metadata().expect("it is there");
        metadata.permissions().mode() & 0o777
    }

    #[test]
    fn keys_read_as_they_were_written_and_nobody_else_can_read_them() {
        let (_root, keys) = folder();
        assert!(keys.house().expect("nothing is no mistake").is_none());
        assert!(keys.devices().expect("nor here").0.is_empty());
        keys.begin(&house()).expect("it is kept");
        let read = keys.house().expect("it reads").expect("it is there");
        assert_eq!((read.site, read.secret.expose()), (Site([1; 8]), &[2; 32]));
        assert_eq!(read.resets.expose(), &[3; 32]);
        for (of, id) in [(2, Some(7)), (1, None), (3, Some(0))] {
            keys.put(&device(of, id)).expect("it is kept");
        }
        let (devices, damaged) = keys.devices().expect("it reads");
        assert!(damaged.is_empty());
        let read: Vec<_> = devices
            .iter()
            .map(|device| {
                (
                    &*device.name,
                    device.id,
                    device.key.0[0],
                    device.psk.expose()[0],
                )
            })
            .collect();
        let id = |id| Some(DeviceId(id));
        let expected = [
            ("lamp1", None, 1, 101),
            ("lamp2", id(7), 2, 102),
            ("lamp3", id(0), 3, 103),
        ];
        assert_eq!(read, expected);
        assert_eq!(mode(&keys.root), 0o700);
        for file in keys.files().expect("it reads") {
            assert_eq!(mode(&file), 0o600, "{}", file.display());
        }
        assert!(keys.remove(&PublicKey([2; 32])).expect("it goes"));
        assert!(!keys.remove(&PublicKey([2; 32])).expect("it is gone"));
        assert_eq!(keys.devices().expect("it reads").0.len(), 2);
    }

    #[test]
    fn the_houses_keys_are_made_once() {
        let (_root, keys) = folder();
        keys.begin(&house()).expect("it is kept");
        let other = HouseKeys {
            secret: Secret::new([9; 32]),
            ..house()
        };
        assert!(keys.begin(&other).is_err());
        let read = keys.house().expect("it reads").expect("it is there");
        assert_eq!(read.secret.expose(), &[2; 32]);
    }

    #[test]
    fn whatever_others_may_read_is_named_with_what_to_do() {
        let (_root, keys) = folder();
        keys.examine().expect("nothing is there");
        keys.begin(&house()).expect("it is kept");
        keys.put(&device(1, None)).expect("it is kept");
        keys.examine().expect("only we can read it");
        let file = keys.root.join(file_of(&PublicKey([1; 32])));
        for (path, wide, narrow) in [
            (keys.root.clone(), 0o750, 0o700),
            (keys.root.join(HOUSE_FILE), 0o644, 0o600),
            (file, 0o640, 0o600),
        ] {
            let set = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode));
            set(wide).expect("it is ours");
            let why = keys
                .examine()
                .expect_err("others could read it")
                .to_string();
            assert!(why.contains(&format!("chmod {narrow:o}")), "{why}");
            set(narrow).expect("it is ours");
        }
    }

    #[test]
    fn a_damaged_file_is_named_and_keeps_no_other_device_out() {
        let (_root, keys) = folder();
        for of in [1, 2] {
            keys.put(&device(of, Some(of.into()))).expect("it is kept");
        }
        let path = keys.root.join(file_of(&PublicKey([1; 32])));
        let good = fs::read(&path).expect("it is there");
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 4;
            fs::write(&path, &bad).expect("it is written");
            let (devices, damaged) = keys.devices().expect("it reads");
            assert_eq!((devices.len(), damaged.len()), (1, 1), "byte {at}");
            fs::write(&path, &good[..at]).expect("it is written");
            let (devices, damaged) = keys.devices().expect("it reads");
            assert_eq!((devices.len(), damaged.len()), (1, 1), "cut at {at}");
        }
        let other = keys.root.join("aaaaaaaaaaaaa.device");
        fs::write(&path, &good).expect("it is written");
        fs::copy(&path, &other).expect("it is copied");
        let (devices, damaged) = keys.devices().expect("it reads");
        assert_eq!((devices.len(), damaged.len()), (2, 1), "a copy is none");
    }

    #[test]
    fn keys_are_not_printed() {
        let text = format!("{:?} {:?}", house(), device(5, None));
        assert!(!text.contains("2, 2") && !text.contains("105"), "{text}");
    }
}
