//! The local socket in the state folder, through which the other commands talk to a running
//! dispatcher: one JSON object a line each way. Who may open the folder may command; no password.

pub(crate) mod client;
mod hidden;
pub(crate) mod server;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

pub(crate) use hidden::Hidden;

/// Longest request, in bytes; a longer one ends the connection.
pub(crate) const REQUEST_BYTES_MAX: u64 = 64 * 1024;

/// What a command asks of the dispatcher.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Request {
    /// A simulated module produces an event.
    Press {
        /// `piano.keys`.
        channel: String,
        /// Event name and fields, as typed.
        words: Vec<String>,
    },
    /// A person sets a variable.
    Set {
        /// `var.night`, or its bare name.
        name: String,
        /// As typed.
        value: String,
    },
    /// The live stream, line by line, until the connection ends.
    Events {
        /// JSON lines instead of text.
        json: bool,
        /// Only what is about one of these.
        #[serde(default)]
        filters: Vec<String>,
    },
    /// Writes to the journal what was taken so far, for whoever reads it then.
    HandOver,
    /// Which house it is, and what its variables hold.
    House,
    /// How the dispatcher itself is doing.
    Status,
    /// All devices.
    Devices,
    /// One device, with counters.
    Device {
        /// Its name.
        name: String,
    },
    /// Lets a device in over the sealed link.
    DeviceAdd {
        /// The device.
        device: NewDevice,
    },
    /// The retained messages below some filters.
    Retained {
        /// Topic filters.
        filters: Vec<String>,
    },
    /// Cuts a device off.
    Block {
        /// Its name.
        name: String,
        /// What is cut.
        direction: Direction,
        /// Why, for people.
        why: Option<String>,
    },
    /// Lifts a block.
    Unblock {
        /// Its name.
        name: String,
    },
    /// Whether a user could be added as it is; changes nothing.
    UserMay {
        /// The user; its password is not made yet.
        user: NewUser,
    },
    /// Adds a user or replaces its password.
    UserAdd {
        /// The user.
        user: NewUser,
    },
    /// All users, without hashes.
    Users,
    /// Removes a user and ends its sessions.
    UserRemove {
        /// Its name.
        name: String,
    },
}

/// Which direction a block cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Direction {
    /// Its events are not heard
    Producer,
    /// Nothing is sent to it
    Consumer,
    /// Both, and its session ends
    Both,
}

/// A device that is to be let in over the sealed link. Its own secret never travels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct NewDevice {
    /// Its name in the mapping.
    pub(crate) name: String,
    /// Its public key, hexadecimal.
    pub(crate) key: String,
    /// What it shares with the dispatcher beside the keys.
    pub(crate) psk: Hidden,
    /// Whether a key that it has is to give way.
    pub(crate) replace: bool,
}

/// A user to be added; only the hash of its password travels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct NewUser {
    /// Name it logs in with.
    pub(crate) name: String,
    /// What it is.
    pub(crate) kind: NewUserKind,
    /// `blake2s$..` of a generated password, or an argon2 PHC string.
    pub(crate) hash: String,
}

/// What a new user is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum NewUserKind {
    /// Somebody with a password of their own choice.
    Person,
    /// The login of a device, by the device's name.
    Device(String),
    /// A program, or a bridge of foreign devices.
    Tool {
        /// Topic filters below which it carries foreign devices; empty: it is no bridge.
        bridge: Vec<String>,
        /// Topic filters that it may subscribe to besides.
        read: Vec<String>,
    },
}

impl NewUserKind {
    /// The device that it speaks for.
    pub(crate) fn device(&self) -> Option<&str> {
        match self {
            Self::Device(device) => Some(device),
            Self::Person | Self::Tool { .. } => None,
        }
    }
}

/// The answer to a [`Request`]; a stream of plain lines follows one to `events`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Response {
    /// Done; what was asked for.
    Ok(serde_json::Value),
    /// Not done; why, for people.
    Error(String),
}
