//! The local socket in the state folder, through which the other commands talk to a running
//! dispatcher: one JSON object a line each way. Who may open the folder may command; no password.

pub(crate) mod client;
pub(crate) mod server;

use serde::{Deserialize, Serialize};

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
    /// Cuts a device off.
    Block {
        /// Its name.
        name: String,
        /// `producer`, `consumer` or `both`.
        direction: String,
        /// Why, for people.
        why: Option<String>,
    },
    /// Lifts a block.
    Unblock {
        /// Its name.
        name: String,
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

/// A user to be added; only the hash of its password travels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct NewUser {
    /// Name it logs in with.
    pub(crate) name: String,
    /// `person`, `device` or `tool`; a bridge is a tool with filters.
    pub(crate) kind: String,
    /// The device it speaks for, where the kind is `device`.
    pub(crate) device: Option<String>,
    /// Topic filters below which it carries foreign devices, where it is a bridge.
    #[serde(default)]
    pub(crate) bridge: Vec<String>,
    /// Topic filters that a tool or bridge may subscribe to besides.
    #[serde(default)]
    pub(crate) read: Vec<String>,
    /// `blake2s$..` of a generated password, or an argon2 PHC string.
    pub(crate) hash: String,
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
