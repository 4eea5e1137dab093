//! Whether the addresses that the house wants are to be had, and who has them.

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use store::StateFolder;

use super::{Finding, Level};
use crate::{run::tls, settings::Settings};

/// Looks at each address of the settings. The dispatcher that runs on the state in `folder` may have them.
pub(super) fn examine(folder: &Path, settings: &Settings, findings: &mut Vec<Finding>) {
    let lock = StateFolder::new(folder).lock_file();
    let mqtt = tls::ways(&settings.mqtt);
    let mqtt = mqtt.map(|(way, address)| (format!("mqtt.{}", way.key()), address));
    let web = settings.web.listen.iter();
    let web = web.map(|address| ("web.listen".to_owned(), *address));
    for (key, address) in mqtt.chain(web) {
        findings.push(port(&key, address, &lock));
    }
}

fn port(key: &str, address: SocketAddr, lock: &Path) -> Finding {
    let error = match TcpListener::bind(address) {
        Ok(_) => return Finding::fine("port", format!("{address} is free for {key}")),
        Err(error) => error,
    };
    match error.kind() {
        io::ErrorKind::AddrInUse => taken(key, address, lock),
        io::ErrorKind::AddrNotAvailable => Finding::bad(
            Level::Trouble,
            "port",
            format!(
                "this machine has no address {}, which {key} wants",
                address.ip()
            ),
            "`ip address` shows those it has; 0.0.0.0 stands for all of them",
        ),
        io::ErrorKind::PermissionDenied => Finding::bad(
            Level::Trouble,
            "port",
            format!("{address}, which {key} wants, is for root"),
            "ports from 1024 on are for everybody",
        ),
        _ => Finding::bad(
            Level::Trouble,
            "port",
            format!("{address}, which {key} wants: {error}"),
            format!("set another address in {key}"),
        ),
    }
}

/// Whoever has it is a stranger, but for the process that holds the lock of our state: a name proves nothing, and another house's
/// dispatcher has the same.
fn taken(key: &str, address: SocketAddr, lock: &Path) -> Finding {
    let Some(holder) = Holder::of(Path::new("/proc"), address) else {
        return Finding::bad(
            Level::Trouble,
            "port",
            format!("{address} is taken by a process that can't be looked at, and {key} wants it"),
            format!("run this as root to learn which it is, or set another address in {key}"),
        );
    };
    let Holder { name, pid, .. } = &holder;
    if holder.has_open(lock) {
        let what = format!("{address}: iot-control serves it (process {pid})");
        return Finding::fine("port", what);
    }
    let (who, stop) = match &**name {
        "iot-control" => (
            "the iot-control of another state".to_owned(),
            "stop it".to_owned(),
        ),
        name => (
            name.to_owned(),
            format!("stop it (systemctl disable --now {name})"),
        ),
    };
    Finding::bad(
        Level::Trouble,
        "port",
        format!("{address} is taken by {who} (process {pid}), and {key} wants it"),
        format!("{stop}, or set another address in {key}"),
    )
}

/// A process that listens.
struct Holder {
    name: String,
    pid: u32,
    /// What it has open, as links.
    descriptors: Vec<PathBuf>,
}

impl Holder {
    /// Who listens where `address` would. `None`: nobody, or another user's process.
    fn of(proc: &Path, address: SocketAddr) -> Option<Self> {
        let tables = ["net/tcp", "net/tcp6"].map(|table| fs::read_to_string(proc.join(table)));
        let sockets: Vec<String> = tables
            .iter()
            .flatten()
            .flat_map(|table| listening(table, address))
            .map(|inode| format!("socket:[{inode}]"))
            .collect();
        let processes = fs::read_dir(proc).ok()?.flatten();
        processes
            .filter_map(|process| Self::at(&process.path()))
            .find(|holder| {
                let open = holder.descriptors.iter();
                open.filter_map(|link| fs::read_link(link).ok())
                    .any(|target| sockets.iter().any(|socket| target.as_os_str() == &**socket))
            })
    }

    fn at(process: &Path) -> Option<Self> {
        let pid = process.file_name()?.to_str()?.parse().ok()?;
        let descriptors = fs::read_dir(process.join("fd")).ok()?.flatten();
        let name = fs::read_to_string(process.join("comm")).ok()?;
        Some(Self {
            name: name.trim().to_owned(),
            pid,
            descriptors: descriptors.map(|descriptor| descriptor.path()).collect(),
        })
    }

    /// Whether it has this very file open.
    fn has_open(&self, file: &Path) -> bool {
        let identity = |path: &Path| path.metadata().map(|file| (file.dev(), file.ino())).ok();
        let wanted = identity(file);
        let mut open = self.descriptors.iter();
        wanted.is_some() && open.any(|link| identity(link) == wanted)
    }
}

/// The inodes of sockets that listen where `address` would, from a table of Linux' `proc(5)`.
fn listening(table: &str, address: SocketAddr) -> impl Iterator<Item = &str> {
    const LISTEN: &str = "0A";
    table.lines().skip(1).filter_map(move |line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let (ip, port) = columns.get(1)?.rsplit_once(':')?;
        let is_it = u16::from_str_radix(port, 16) == Ok(address.port())
            && meet(ip_of(ip)?, address.ip().to_canonical());
        (is_it && *columns.get(3)? == LISTEN).then_some(*columns.get(9)?)
    })
}

/// Whether two addresses can't both be listened on: they are one, or one of them stands for all.
fn meet(one: IpAddr, other: IpAddr) -> bool {
    one == other || one.is_unspecified() || other.is_unspecified()
}

/// An address as that table has it: words of 32 bits in the byte order of the machine.
fn ip_of(text: &str) -> Option<IpAddr> {
    let word = |at: usize| {
        let digits = text.get(at..at + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    match text.len() {
        8 => Some(IpAddr::V4(Ipv4Addr::from(word(0)?))),
        32 => {
            let mut bytes = [0; 16];
            for (at, part) in bytes.chunks_exact_mut(4).enumerate() {
                part.copy_from_slice(&word(at * 8)?);
            }
            Some(IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inodes(table: &str, address: &str) -> Vec<String> {
        let found = listening(table, address.parse().unwrap());
        found.map(str::to_owned).collect()
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn a_listening_socket_is_found_by_its_address_and_others_are_not() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 00000000:075B 00000000:0000 0A 00000000:00000000 00:00000000 00000000   112        0 20311 1 0 100\n\
            1: 0100007F:075B 0100007F:D2F0 01 00000000:00000000 00:00000000 00000000   112        0 20312 1 0 100\n\
            2: 0100007F:2124 00000000:0000 0A 00000000:00000000 00:00000000 00000000   112        0 20313 1 0 100\n\
            3: 0500A8C0:2124 00000000:0000 0A 00000000:00000000 00:00000000 00000000   112        0 20314 1 0 100\n\
            damaged\n";
        assert_eq!(inodes(table, "0.0.0.0:1883"), ["20311"]);
        assert_eq!(inodes(table, "127.0.0.1:1883"), ["20311"]);
        assert_eq!(inodes(table, "127.0.0.1:8484"), ["20313"]);
        assert_eq!(inodes(table, "192.168.0.5:8484"), ["20314"]);
        assert_eq!(inodes(table, "0.0.0.0:8484"), ["20313", "20314"]);
        assert!(inodes(table, "0.0.0.0:1").is_empty() && inodes("", "0.0.0.0:1").is_empty());
        let table6 = "  sl  local_address\n\
            0: 00000000000000000000000000000000:2124 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 30001 1\n\
            1: 0000000000000000FFFF00000100007F:075B 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 30002 1\n\
            2: 00000000000000000000000001000000:075C 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 30003 1\n";
        assert_eq!(inodes(table6, "127.0.0.1:8484"), ["30001"]);
        assert_eq!(inodes(table6, "127.0.0.1:1883"), ["30002"]);
        assert_eq!(inodes(table6, "[::1]:1884"), ["30003"]);
        assert!(inodes(table6, "127.0.0.1:1884").is_empty());
    }

    #[test]
    fn who_holds_a_port_is_told_by_name() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let holder = Holder::of(Path::new("/proc"), address).unwrap();
        assert_eq!(holder.pid, std::process::id());
        let found = port("mqtt.listen", address, Path::new("/nowhere"));
        assert_eq!(found.level, Level::Trouble);
        assert!(
            found.what.contains(&format!("(process {})", holder.pid)),
            "{found:?}"
        );
        drop(listener);
        let found = port("mqtt.listen", address, Path::new("/nowhere"));
        assert_eq!(found.level, Level::Fine);
    }

    #[test]
    fn a_port_is_ours_where_its_process_holds_the_lock_of_our_state() {
        let folder = tempfile::tempdir().unwrap();
        let (ours, others) = (folder.path().join("lock"), folder.path().join("other"));
        fs::write(&others, "").unwrap();
        let _lock = fs::File::create(&ours).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(port("mqtt.listen", address, &ours).level, Level::Fine);
        assert_eq!(port("mqtt.listen", address, &others).level, Level::Trouble);
    }

    #[test]
    fn an_address_that_the_machine_has_not_is_told() {
        let address = "203.0.113.7:8484".parse().unwrap();
        let found = port("web.listen", address, Path::new("/nowhere"));
        assert_eq!(found.level, Level::Trouble);
        assert!(found.what.contains("203.0.113.7"), "{found:?}");
    }
}
