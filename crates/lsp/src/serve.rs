//! The server between a reader and a writer.

use std::{
    io::{self, BufRead, Write},
    sync::mpsc::{self, TryRecvError},
    thread,
};

use serde_json::json;
use types::ShownLines;

use crate::{
    Values,
    server::Server,
    wire::{self, Incoming},
};

/// Messages that may wait while a house is read; then the editor waits.
const WAITING_MAX: usize = 64;

/// Serves until the editor says `exit` or hangs up; out comes whether it said `shutdown` before.
///
/// Diagnostics are sent when no message waits: while somebody types, only the newest text is checked.
///
/// # Errors
/// What comes can't be read as messages, or nobody takes the answers.
pub fn serve(
    mut from: impl BufRead + Send + 'static,
    to: &mut impl Write,
    values: Box<dyn Values>,
) -> io::Result<bool> {
    let (sender, messages) = mpsc::sync_channel(WAITING_MAX);
    // It ends with its input, or when nobody takes what it reads.
    thread::Builder::new()
        .name("editor".into())
        .spawn(move || {
            loop {
                let read = wire::read(&mut from).transpose();
                let last = !matches!(read, Some(Ok(_)));
                if sender.send(read).is_err() || last {
                    return;
                }
            }
        })?;
    let mut server = Server::new(values);
    loop {
        let message = match messages.try_recv() {
            Ok(message) => message,
            Err(TryRecvError::Empty) => {
                for message in server.idle() {
                    wire::write(to, &message)?;
                }
                match messages.recv() {
                    Ok(message) => message,
                    Err(_) => return Ok(server.is_shut_down()),
                }
            }
            Err(TryRecvError::Disconnected) => return Ok(server.is_shut_down()),
        };
        match message.transpose()? {
            None => return Ok(server.is_shut_down()),
            Some(Incoming::Strange(why)) => {
                let message = ShownLines(&why).to_string();
                let error = json!({ "code": -32700, "message": message });
                wire::write(to, &json!({ "jsonrpc": "2.0", "id": null, "error": error }))?;
            }
            Some(Incoming::Message(message)) => {
                for answer in server.handle(message) {
                    wire::write(to, &answer)?;
                }
                if server.is_over() {
                    return Ok(server.is_shut_down());
                }
            }
        }
    }
}
