//! The command line: names and shapes only. What each command does stands in [`crate::command`].

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// The dispatcher of a home: events of producers in, absolute targets for consumers out.
#[derive(Debug, Parser)]
#[command(name = "iot-control", version, about, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Starts the dispatcher of a house
    Run(Run),
    /// Reports every problem of a house's files
    Check(House),
    /// Runs the house's tests on virtual time
    Test(Test),
    /// Prints a JSON Schema of the house's files, with its own names, for editors
    Schema(Schema),
    /// Makes a simulated module produce an event
    Press(Press),
    /// Shows the live stream of a running dispatcher
    Events(Events),
    /// Lists, shows, blocks and unblocks devices of a running dispatcher
    #[command(subcommand)]
    Device(Device),
    /// Adds, lists and removes people and MQTT clients
    #[command(subcommand)]
    User(User),
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Folder that holds mapping.toml
    #[arg(default_value = "/etc/iot-control")]
    pub(crate) house: PathBuf,
    /// Runs simulated modules for every device of the house, and lets any client on this machine in
    #[arg(long)]
    pub(crate) simulate: bool,
    /// Prints the live stream as JSON lines
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) state: State,
}

#[derive(Debug, Args)]
pub(crate) struct House {
    /// Folder that holds mapping.toml
    #[arg(default_value = "/etc/iot-control")]
    pub(crate) house: PathBuf,
    /// Prints results as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Test {
    #[command(flatten)]
    pub(crate) house: House,
    /// Runs only tests whose name contains this text
    #[arg(long)]
    pub(crate) filter: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// Folder that holds mapping.toml
    #[arg(default_value = "/etc/iot-control")]
    pub(crate) house: PathBuf,
    /// Writes it to mapping.schema.json in that folder instead
    #[arg(long)]
    pub(crate) write: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Press {
    /// Channel, as in the mapping: piano.keys
    pub(crate) channel: String,
    /// Event (default: the channel's first one), then its fields: key=60 velocity=90
    pub(crate) words: Vec<String>,
    #[command(flatten)]
    pub(crate) state: State,
}

#[derive(Debug, Args)]
pub(crate) struct Events {
    /// Prints JSON lines
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) state: State,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Device {
    /// Lists all devices with availability and blocks
    List {
        /// Prints JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        state: State,
    },
    /// Shows one device: channels, reported and desired state, counters
    Show {
        /// Name of the device
        name: String,
        /// Prints JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        state: State,
    },
    /// Cuts a device off, at once and whatever the mapping says
    Block {
        /// Name of the device
        name: String,
        /// Which direction is cut
        #[arg(long = "as", value_enum, default_value_t = Direction::Both)]
        direction: Direction,
        /// Why, for the people who read blocklist.toml later
        #[arg(long)]
        why: Option<String>,
        #[command(flatten)]
        state: State,
    },
    /// Lifts a block
    Unblock {
        /// Name of the device
        name: String,
        #[command(flatten)]
        state: State,
    },
}

/// Which direction a block cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Direction {
    /// Its events are not heard
    Producer,
    /// Nothing is sent to it
    Consumer,
    /// Both, and its session ends
    Both,
}

#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// Adds a person, a tool or the login of a plain module, or gives one a new password
    Add {
        /// Name it logs in with
        name: String,
        /// The login of this device: may speak for it and for nothing else; a password is made and printed
        #[arg(long, conflicts_with = "tool")]
        device: Option<String>,
        /// A program such as Node-RED: sees the house and may ask for targets; a password is made and printed
        #[arg(long)]
        tool: bool,
        /// Reads the password from standard input instead of asking
        #[arg(long)]
        password_stdin: bool,
        #[command(flatten)]
        state: State,
    },
    /// Lists who may log in
    List {
        /// Prints JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        state: State,
    },
    /// Removes a user; its sessions end at once
    Remove {
        /// Name of the user
        name: String,
        #[command(flatten)]
        state: State,
    },
}

#[derive(Debug, Args)]
pub(crate) struct State {
    /// State folder of the dispatcher [default: /var/lib/iot-control for root, else
    /// ~/.local/state/iot-control, or its `simulate` folder]
    #[arg(long = "state", value_name = "DIR", env = "IOT_CONTROL__STATE")]
    pub(crate) folder: Option<PathBuf>,
}
