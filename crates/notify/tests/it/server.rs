//! Servers of a test: each connection is handled by the next of a list of scripts, on a thread.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::mpsc::{Receiver, RecvTimeoutError, sync_channel},
    thread,
    time::Duration,
};

use notify::{Carrier, Carriers, Way};

/// How long anything may take before a test gives up.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A server, and what it heard.
pub struct Server {
    pub port: u16,
    heard: Receiver<String>,
}

impl Server {
    /// Handles one connection after the other with `talk`, which hands over what it heard.
    pub fn start(
        mut talk: impl FnMut(usize, &mut Talk) -> Option<String> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, heard) = sync_channel(1_000);
        thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let mut talk_to = Talk::new(stream.unwrap());
                if let Some(heard) = talk(number, &mut talk_to)
                    && sender.send(heard).is_err()
                {
                    return;
                }
            }
        });
        Self { port, heard }
    }

    /// The next that it heard.
    pub fn heard(&self) -> String {
        self.heard
            .recv_timeout(PATIENCE)
            .expect("it hears something")
    }

    /// Whether it hears nothing more once everybody has finished.
    pub fn heard_nothing_more(&self) -> bool {
        self.heard.recv_timeout(Duration::ZERO) == Err(RecvTimeoutError::Timeout)
    }
}

/// One connection.
pub struct Talk {
    reader: BufReader<TcpStream>,
}

impl Talk {
    fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self {
            reader: BufReader::new(stream),
        }
    }

    /// A line without its end; empty at the end of the connection.
    pub fn line(&mut self) -> String {
        let mut line = Vec::new();
        let _ = self.reader.read_until(b'\n', &mut line);
        let line = String::from_utf8(line).unwrap();
        line.trim_end_matches(['\r', '\n']).to_owned()
    }

    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.reader.read_exact(&mut bytes).unwrap();
        bytes
    }

    pub fn say(&mut self, text: &str) {
        let _ = self.reader.get_mut().write_all(text.as_bytes());
    }

    /// Reads an HTTP request whole and answers it.
    pub fn http(&mut self, status: &str, more: &str) -> String {
        let mut head = Vec::new();
        loop {
            let line = self.line();
            if line.is_empty() {
                break;
            }
            head.push(line);
        }
        let length = head.iter().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim().parse().unwrap())
        });
        let body = self.bytes(length.unwrap_or(0));
        self.say(&format!(
            "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n{more}\r\n"
        ));
        format!(
            "{}\n\n{}",
            head.join("\n"),
            String::from_utf8(body).unwrap()
        )
    }
}

/// A single carrier.
pub fn carriers(way: Way) -> Carriers {
    let carrier = Carrier {
        name: "phone".into(),
        way,
    };
    Carriers::start(&[carrier]).unwrap()
}
