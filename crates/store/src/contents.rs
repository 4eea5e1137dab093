//! Which files a house's state is made of, by name: what a backup copies, and all that a restore takes.
//!
//! Called by whoever writes one of them, and by backups. Must not know what the files hold.

use crate::journal;
use crate::keys;

/// How the house's time follows from the kernel's clock.
pub const TIME_LINE: &str = "time-line";

/// Where the house lies that this is the state of.
pub const HOUSE_FOLDER: &str = "house-folder";

/// What stood in settings.toml at the last start.
pub const LAST_SETTINGS: &str = "last-settings.toml";

/// The topics on which Home Assistant was told of the house.
pub const HOME_ASSISTANT: &str = "home-assistant";

/// What an external broker knows the dispatcher by.
pub const EXTERNAL_BROKER_ID: &str = "external-broker.id";

/// The file that a running dispatcher holds locked.
pub(crate) const LOCK: &str = "lock";

/// The file that only takes room.
pub(crate) const RESERVE: &str = "reserve";

pub(crate) const DATABASE: &str = "house.db";
pub(crate) const JOURNAL: &str = "journal";
pub(crate) const KEYS: &str = "keys";

/// What SQLite keeps beside the database.
const BESIDE_DATABASE: [&str; 2] = ["house.db-wal", "house.db-shm"];

/// Whether a file is part of a house's state. `name` is its path in the state folder, `journal/00000001.journal`. What belongs to
/// the process that runs is none, nor is anything half written.
#[must_use]
pub fn is_of_state(name: &str) -> bool {
    match name.split_once('/') {
        Some((JOURNAL, name)) => journal::is_file_of_journal(name),
        Some((KEYS, name)) => keys::is_file_of_keys(name),
        Some(_) => false,
        None => {
            let own = [
                DATABASE,
                TIME_LINE,
                HOUSE_FOLDER,
                LAST_SETTINGS,
                HOME_ASSISTANT,
                EXTERNAL_BROKER_ID,
            ];
            own.contains(&name) || BESIDE_DATABASE.contains(&name)
        }
    }
}

/// Whether a file of a state folder, by its path there, is worth a copy to nobody: it belongs to the process that runs, or is
/// half written.
#[must_use]
pub fn is_passing(name: &str) -> bool {
    [LOCK, RESERVE].contains(&name)
        || name.ends_with(".new")
        || name
            .split_once('/')
            .is_some_and(|(folder, name)| folder == JOURNAL && journal::leads_to_memory(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_state_is_made_of_is_known_and_nothing_else() {
        for name in [
            "house.db",
            "house.db-wal",
            "time-line",
            "last-settings.toml",
            "journal/00000001.journal",
            "journal/123456789.journal",
            "journal/00000001.torn",
            "journal/00000001.damaged",
            "journal/end",
            "keys/house",
            "keys/aaaaaaaaaaaaa.device",
        ] {
            assert!(is_of_state(name), "{name}");
        }
        for name in [
            "",
            "authorized_keys",
            "house.db/x",
            "house.db-journal",
            "lock",
            "reserve",
            "control.sock",
            "journal",
            "journal/",
            "journal/1.journal",
            "journal/99999999999.journal",
            "journal/+0000001.journal",
            "journal/00000001.toml",
            "journal/authorized_keys",
            "journal/memory",
            "journal/x/00000001.journal",
            "journal/../house.db",
            "keys",
            "keys/id_ed25519",
            "keys/.device",
            "keys/x.device",
            "keys/AAAAAAAAAAAAA.device",
            "keys/house.new",
            "time-line.new",
            "x/end",
        ] {
            assert!(!is_of_state(name), "{name}");
        }
    }

    #[test]
    fn what_belongs_to_the_process_is_told_to_nobody_where_it_belongs() {
        for name in ["lock", "reserve", "time-line.new", "journal/memory"] {
            assert!(is_passing(name) && !is_of_state(name), "{name}");
        }
        for name in ["memory", "journal/lock", "keys/memory", "notes.txt"] {
            assert!(!is_passing(name), "{name}");
        }
    }
}
