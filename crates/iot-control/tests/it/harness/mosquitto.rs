//! Mosquitto's tools: `mosquitto_sub` stays, `mosquitto_pub` comes and goes with each message.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
    thread,
    time::Instant,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value as Json;

use super::{
    client::{Backend, Connect, Message, Said},
    wait::Log,
};

/// The tools with one login.
pub struct Tools {
    connect: Connect,
    reader: Option<Child>,
    said: Log<Said>,
    published: u32,
}

/// Starts the reader where there is something to read; all else is told through `said`.
pub fn start(connect: &Connect, said: &Log<Said>) -> Tools {
    let mut tools = Tools {
        connect: connect.clone(),
        reader: None,
        said: said.clone(),
        published: 0,
    };
    if connect.filters.is_empty() {
        // Nothing to connect yet: a writer connects with each message.
        said.push(Said::Connected);
        return tools;
    }
    // Debug lines tell what was answered; stdbuf, because they are block buffered in a pipe.
    let mut command = Command::new("stdbuf");
    command.args(["-oL", "mosquitto_sub", "-d", "-F", "%j", "-q", "1"]);
    command.args(["-i", &connect.id]);
    tools.login(&mut command);
    for filter in &connect.filters {
        command.args(["-t", filter]);
    }
    if let Some(will) = &connect.will {
        command.args(["--will-topic", &will.topic, "--will-payload", &will.payload]);
        command.args(["--will-qos", "1", "--will-retain"]);
    }
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let out = child.stdout.take().unwrap();
    let said = said.clone();
    thread::spawn(move || {
        for line in BufReader::new(out).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line);
            if let Some(what) = read(&line) {
                said.push(what);
            }
        }
        said.push(Said::Lost);
    });
    tools.reader = Some(child);
    tools
}

impl Tools {
    fn login(&self, command: &mut Command) {
        let port = self.connect.port.to_string();
        command.args(["-h", "127.0.0.1", "-V", "311", "-k", "30", "-p", &port]);
        if let Some(ca) = &self.connect.ca {
            command.arg("--cafile").arg(ca);
        }
        if let Some(login) = &self.connect.login {
            command.args(["-u", &login.user, "-P", &login.password]);
        }
    }
}

impl Backend for Tools {
    fn publish(&mut self, topic: &str, payload: &[u8], qos: u8, retain: bool) {
        self.published += 1;
        let mut command = Command::new("mosquitto_pub");
        self.login(&mut command);
        let id = format!("{}-{}", self.connect.id, self.published);
        command.args(["-i", &id, "-t", topic, "-q", &qos.to_string(), "-s"]);
        if retain {
            command.arg("-r");
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(payload).unwrap();
        let output = child.wait_with_output().unwrap();
        // It tells no reasons: 0 or not.
        let reason = if output.status.success() { 0 } else { 0x80 };
        if qos > 0 {
            self.said.push(Said::Published(reason));
        }
    }

    fn leave(mut self: Box<Self>) {
        if let Some(reader) = &mut self.reader {
            // It says goodbye when it is asked to end.
            kill_process(Pid::from_child(reader), Signal::TERM).unwrap();
            reader.wait().unwrap();
        }
    }

    fn vanish(mut self: Box<Self>) {
        if let Some(reader) = &mut self.reader {
            // It may have ended already.
            drop(reader.kill());
            drop(reader.wait());
        }
    }
}

fn read(line: &str) -> Option<Said> {
    if line.starts_with('{') {
        let told: Json = serde_json::from_str(line).expect("%j prints JSON");
        return Some(Said::Message(Message {
            topic: told["topic"].as_str().unwrap().to_owned(),
            payload: told["payload"].as_str().unwrap_or_default().into(),
            retain: told["retain"] == 1,
            qos: told["qos"].as_u64().unwrap() as u8,
            at: Instant::now(),
        }));
    }
    if let Some((_, code)) = line.split_once("received CONNACK (") {
        return Some(match code.trim_end_matches(')').parse().unwrap() {
            0 => Said::Connected,
            code => Said::Refused(code),
        });
    }
    let (_, codes) = line.strip_prefix("Subscribed (mid: ")?.split_once("): ")?;
    let codes = codes.split(", ").map(|code| code.trim().parse().unwrap());
    Some(Said::Subscribed(codes.collect()))
}
