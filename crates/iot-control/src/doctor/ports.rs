//! Whether the addresses that the house wants are to be had, and who has them.

use std::{
    fs, io,
    net::{SocketAddr, TcpListener},
    path::Path,
};

use super::{Finding, Level};
use crate::{run::tls, settings::Settings};

/// Looks at each address of the settings.
pub(super) fn examine(settings: &Settings, findings: &mut Vec<Finding>) {
    let mqtt = tls::ways(&settings.mqtt);
    let mqtt = mqtt.map(|(way, address)| (format!("mqtt.{}", way.key()), address));
    let web = settings.web.listen.iter();
    let web = web.map(|address| ("web.listen".to_owned(), *address));
    for (key, address) in mqtt.chain(web) {
        findings.push(port(&key, address));
    }
}

fn port(key: &str, address: SocketAddr) -> Finding {
    let error = match TcpListener::bind(address) {
        Ok(_) => return Finding::fine("port", format!("{address} is free for {key}")),
        Err(error) => error,
    };
    match error.kind() {
        io::ErrorKind::AddrInUse => match holder(Path::new("/proc"), address) {
            Some((name, pid)) if name == "iot-control" => Finding::fine(
                "port",
                format!("{address}: iot-control serves it (process {pid})"),
            ),
            Some((name, pid)) => Finding::bad(
                Level::Trouble,
                "port",
                format!("{address} is taken by {name} (process {pid}), and {key} wants it"),
                format!(
                    "stop it (systemctl disable --now {name}), or set another address in {key}"
                ),
            ),
            None => Finding::bad(
                Level::Trouble,
                "port",
                format!(
                    "{address} is taken by a process that can't be looked at, and {key} wants it"
                ),
                format!("run this as root to learn which it is, or set another address in {key}"),
            ),
        },
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

/// Name and number of the process that listens on the port of `address`. `None`: nobody, or another user's process.
fn holder(proc: &Path, address: SocketAddr) -> Option<(String, u32)> {
    let tables = ["net/tcp", "net/tcp6"].map(|table| fs::read_to_string(proc.join(table)));
    let sockets: Vec<String> = tables
        .iter()
        .flatten()
        .flat_map(|table| listening(table, address.port()))
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    let processes = fs::read_dir(proc).ok()?.flatten();
    processes
        .filter_map(|process| Some((process.file_name().to_str()?.parse().ok()?, process.path())))
        .find(|(_, folder): &(u32, _)| {
            let descriptors = fs::read_dir(folder.join("fd"))
                .into_iter()
                .flatten()
                .flatten();
            descriptors
                .filter_map(|descriptor| fs::read_link(descriptor.path()).ok())
                .any(|target| sockets.iter().any(|socket| target.as_os_str() == &**socket))
        })
        .and_then(|(pid, folder)| {
            let name = fs::read_to_string(folder.join("comm")).ok()?;
            Some((name.trim().to_owned(), pid))
        })
}

/// The inodes of sockets that listen on `port`, from a table of Linux' `proc(5)`.
fn listening(table: &str, port: u16) -> impl Iterator<Item = &str> {
    const LISTEN: &str = "0A";
    table.lines().skip(1).filter_map(move |line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let (_, local_port) = columns.get(1)?.rsplit_once(':')?;
        let is_it = u16::from_str_radix(local_port, 16) == Ok(port);
        (is_it && *columns.get(3)? == LISTEN).then_some(*columns.get(9)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listening_socket_is_found_by_its_port_and_others_are_not() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 00000000:075B 00000000:0000 0A 00000000:00000000 00:00000000 00000000   112        0 20311 1 0 100\n\
            1: 0100007F:075B 0100007F:D2F0 01 00000000:00000000 00:00000000 00000000   112        0 20312 1 0 100\n\
            2: 0100007F:2124 00000000:0000 0A 00000000:00000000 00:00000000 00000000   112        0 20313 1 0 100\n\
            damaged\n";
        assert_eq!(listening(table, 1883).collect::<Vec<_>>(), ["20311"]);
        assert_eq!(listening(table, 8484).collect::<Vec<_>>(), ["20313"]);
        assert_eq!(listening(table, 1).count() + listening("", 1).count(), 0);
    }

    #[test]
    fn who_holds_a_port_is_told_by_name() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (_, pid) = holder(Path::new("/proc"), address).unwrap();
        assert_eq!(pid, std::process::id());
        let found = port("mqtt.listen", address);
        assert_eq!(found.level, Level::Trouble);
        assert!(
            found.what.contains(&format!("(process {pid})")),
            "{found:?}"
        );
        drop(listener);
        assert_eq!(port("mqtt.listen", address).level, Level::Fine);
    }

    #[test]
    fn an_address_that_the_machine_has_not_is_told() {
        let found = port("web.listen", "203.0.113.7:8484".parse().unwrap());
        assert_eq!(found.level, Level::Trouble);
        assert!(found.what.contains("203.0.113.7"), "{found:?}");
    }
}
