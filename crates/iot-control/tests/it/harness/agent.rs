//! Clients of other languages: a small program per library that takes orders on stdin and tells what
//! happens on stdout, one JSON object a line; see `agents/`.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    thread,
    time::Instant,
};

use serde_json::{Value as Json, json};

use super::{
    client::{Backend, Connect, Message, Said},
    kind::{self, Kind},
    wait::{Log, until},
};

/// A running agent.
pub struct Agent {
    child: Child,
    orders: Option<ChildStdin>,
    said: Log<Said>,
}

/// Starts the agent of `kind` and connects it; all else is told through `said`.
pub fn start(kind: Kind, connect: &Connect, said: &Log<Said>) -> Agent {
    let agents = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/agents");
    let mut command = match kind {
        Kind::Paho => {
            let mut command = Command::new("python3");
            command
                .arg("-u")
                .arg(agents.join("on_paho.py"))
                .env("PYTHONPATH", kind::python_path());
            command
        }
        _ => {
            let mut command = Command::new("node");
            command
                .arg(agents.join("on_mqtt_js.cjs"))
                .env("NODE_PATH", kind::peers_folder().join("node_modules"));
            command
        }
    };
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = child.stdout.take().unwrap();
    let log = said.clone();
    thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            let told = serde_json::from_str(&line).expect("an agent tells JSON");
            log.push(read(&told));
        }
        log.push(Said::Lost);
    });
    let mut agent = Agent {
        orders: child.stdin.take(),
        child,
        said: said.clone(),
    };
    let login = connect.login.as_ref();
    agent.order(&json!({
        "do": "connect",
        "port": connect.port,
        "scheme": connect.scheme,
        "ca": connect.ca,
        "id": connect.id,
        "user": login.map(|login| &login.user),
        "password": login.map(|login| &login.password),
        "filters": connect.filters,
        "will": connect.will.as_ref().map(|will| json!({ "topic": will.topic, "payload": will.payload })),
    }));
    agent
}

impl Agent {
    fn order(&mut self, order: &Json) {
        let orders = self.orders.as_mut().expect("it takes orders until it ends");
        writeln!(orders, "{order}").expect("the agent still runs");
    }
}

impl Backend for Agent {
    fn publish(&mut self, topic: &str, payload: &[u8], qos: u8, retain: bool) {
        self.order(&json!({
            "do": "publish",
            "topic": topic,
            "payload": hex(payload),
            "qos": qos,
            "retain": retain,
        }));
    }

    fn leave(mut self: Box<Self>) {
        self.order(&json!({ "do": "leave" }));
        self.orders = None;
        let child = &mut self.child;
        until("an agent to leave", || child.try_wait().unwrap());
    }

    fn vanish(mut self: Box<Self>) {
        // Without a chance to say goodbye. It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
        self.said.push(Said::Lost);
    }
}

fn read(told: &Json) -> Said {
    let number = |key: &str| told[key].as_u64().unwrap_or_default() as u8;
    match told["said"].as_str().unwrap_or_default() {
        "connected" => Said::Connected,
        "refused" => Said::Refused(number("code")),
        "subscribed" => {
            let codes = told["codes"].as_array().unwrap().iter();
            Said::Subscribed(codes.map(|code| code.as_u64().unwrap() as u8).collect())
        }
        "published" => Said::Published(match number("code") {
            // Nobody subscribes to it: the dispatcher itself is no subscriber.
            0x10 => 0,
            code => code,
        }),
        "message" => Said::Message(Message {
            topic: told["topic"].as_str().unwrap().to_owned(),
            payload: unhex(told["payload"].as_str().unwrap()),
            retain: told["retain"] == true,
            qos: number("qos"),
            at: Instant::now(),
        }),
        _ => Said::Lost,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = |place: usize| u8::from_str_radix(&text[place..place + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digits).collect()
}
