//! A service manager starts the dispatcher: what it hears, and when.

use std::{
    ffi::OsStr,
    fs,
    net::Shutdown,
    os::unix::net::UnixDatagram,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{House, PIANO_AND_LAMPS, iot_control, run, until};

fn socket_of(house: &House) -> PathBuf {
    house.folder().with_extension("notify")
}

/// A process under a service manager's eyes; killed when dropped.
struct Supervised {
    child: Child,
    socket: UnixDatagram,
}

impl Supervised {
    fn start(house: &House, watchdog: Option<Duration>) -> Self {
        let path = socket_of(house);
        let socket = UnixDatagram::bind(&path).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        let mut command: Command = iot_control();
        command
            .arg("run")
            .arg(house.folder())
            .arg("--state")
            .arg(house.state())
            .env("IOT_CONTROL__WEB__LISTEN", "")
            .env("IOT_CONTROL__MQTT__LISTEN", "127.0.0.1:0")
            .env("NOTIFY_SOCKET", &path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if let Some(span) = watchdog {
            command.env("WATCHDOG_USEC", span.as_micros().to_string());
        }
        Self {
            child: command.spawn().unwrap(),
            socket,
        }
    }

    /// The next thing that it says.
    fn says(&self) -> String {
        let mut bytes = [0; 1_024];
        let len = self.socket.recv(&mut bytes).expect("it says something");
        String::from_utf8(bytes[..len].to_vec()).unwrap()
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap();
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_service_manager_hears_that_the_house_is_served_and_that_it_ends() {
    let house = House::new(PIANO_AND_LAMPS);
    let mut supervised = Supervised::start(&house, None);
    assert_eq!(supervised.says(), "READY=1\nSTATUS=3 devices, 5 rules\n");
    supervised.signal(Signal::TERM);
    let goodbye = supervised.says();
    assert!(goodbye.starts_with("STOPPING=1\nSTATUS="), "{goodbye}");
    assert!(supervised.child.wait().unwrap().success());
}

#[test]
fn the_serving_thread_says_that_it_is_alive_for_as_long_as_it_is() {
    let house = House::new(PIANO_AND_LAMPS);
    let supervised = Supervised::start(&house, Some(Duration::from_millis(200)));
    assert!(supervised.says().starts_with("READY=1"));
    for _ in 0..3 {
        assert_eq!(supervised.says(), "WATCHDOG=1\n");
    }
    // One that hangs says nothing.
    supervised.signal(Signal::STOP);
    until("it is stopped", || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", supervised.child.id()));
        stat.unwrap().contains(") T ").then_some(())
    });
    let (socket, mut rest) = (&supervised.socket, [0; 64]);
    socket.set_nonblocking(true).unwrap();
    while socket.recv(&mut rest).is_ok() {}
    socket.set_nonblocking(false).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    assert!(socket.recv(&mut rest).is_err(), "it hangs");
    supervised.signal(Signal::CONT);
    socket
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    assert_eq!(supervised.says(), "WATCHDOG=1\n");
}

#[test]
fn a_service_manager_that_is_gone_keeps_nobody_from_serving() {
    let house = House::new(PIANO_AND_LAMPS);
    let supervised = Supervised::start(&house, Some(Duration::from_millis(100)));
    assert!(supervised.says().starts_with("READY=1"));
    drop(fs::remove_file(socket_of(&house)));
    supervised.socket.shutdown(Shutdown::Both).unwrap();
    let state = house.state();
    for _ in 0..2 {
        run(
            [OsStr::new("status"), "--state".as_ref(), state.as_os_str()],
            "",
        )
        .ok();
    }
    supervised.signal(Signal::TERM);
    let mut supervised = supervised;
    assert!(supervised.child.wait().unwrap().success());
}
