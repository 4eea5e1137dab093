//! The command line: names and shapes only. What each command does stands in [`crate::command`].

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};

use crate::{
    control::Direction,
    discover::Source,
    simulate::{Faults, Transport},
};

pub(crate) mod past;

/// What commands that write a house end with.
const WRITTEN: &str = "Exits with 0 where it is done; 1 where nothing was written; 3 where it is written and a running house won't take it, for it does not check or its tests fail; with --dry-run: so it would be.";

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
    /// Prints a house as JSON: what its files say, in their order, without comments
    Export(Export),
    /// Writes a house from JSON; nothing is overwritten without --force
    #[command(after_help = WRITTEN)]
    Import(Import),
    /// Changes a value or a rule, and keeps every other line of the files as it is
    #[command(subcommand, after_help = WRITTEN)]
    Edit(Edit),
    /// Gives a device, channel, group, scene, variable, timer, rule, test or kind another name, wherever it stands
    #[command(after_help = WRITTEN)]
    Rename(Rename),
    /// Serves an editor: completion, hovers, diagnostics, renames, over standard input and output
    Lsp(Lsp),
    /// Makes a simulated module produce an event
    Press(Press),
    /// Sets a variable of a running house: set var.night true
    Set(SetVar),
    /// Shows what happened, and what happens now
    Events(past::Events),
    /// Explains the last change of a channel, rule, variable or timer: what led to it, hop by hop
    Why(past::Why),
    /// Explains why a rule did not fire: the nearest miss, with the values it saw
    WhyNot(past::WhyNot),
    /// Shows the house at a moment: what was reported, wished, there, running
    State(past::StateAt),
    /// Shows how fields changed over days and months: a line for each change
    History(past::HistoryOf),
    /// Tries another mapping on what happened: which commands it would have sent otherwise
    #[command(
        after_help = "Exits with 0 where nothing differs, 1 where something does, 2 where they can't be compared."
    )]
    Replay(past::Replay),
    /// Says how a running dispatcher is doing: clients, messages, what was refused, whether the disk takes what happens
    Status(Status),
    /// Writes a house and its state to one file, also while its dispatcher runs
    Backup(Backup),
    /// Puts a backup in place: on another machine, or after a card has died
    Restore(Restore),
    /// Looks for what keeps a house from running well on this machine, and says how to mend it
    #[command(after_help = "Exits with 1 where there is trouble; changes nothing.")]
    Doctor(Doctor),
    /// Lists, shows, blocks and unblocks devices, and gives them keys
    #[command(subcommand)]
    Device(Device),
    /// Makes and shows the certificates of the broker's TLS listeners
    #[command(subcommand)]
    Tls(Tls),
    /// Adds, lists and removes people and MQTT clients
    #[command(subcommand)]
    User(User),
    /// Prints who may do what, for an external broker
    #[command(subcommand)]
    Acl(Acl),
}

impl Command {
    /// The folder of the house that is read or written.
    pub(crate) fn house(&self) -> Option<&Path> {
        Some(match self {
            Self::Run(options) => &options.house,
            Self::Check(options) => &options.house,
            Self::Test(options) => &options.house.house,
            Self::Schema(options) => &options.house,
            Self::Export(options) => &options.house,
            Self::Import(options) => &options.into,
            Self::Edit(
                Edit::Set { house, .. }
                | Edit::Remove { house, .. }
                | Edit::Enable { house, .. }
                | Edit::Disable { house, .. }
                | Edit::AddRule { house, .. },
            ) => house,
            Self::Rename(options) => &options.house,
            Self::Device(Device::Import(options)) => &options.house,
            Self::Backup(options) => &options.house,
            Self::Acl(Acl::Export { house, .. }) => house,
            Self::Replay(options) => &options.mapping,
            Self::Lsp(_)
            | Self::Press(_)
            | Self::Set(_)
            | Self::Events(_)
            | Self::Why(_)
            | Self::WhyNot(_)
            | Self::State(_)
            | Self::History(_)
            | Self::Status(_)
            | Self::Doctor(_)
            | Self::Restore(_)
            | Self::Device(_)
            | Self::Tls(_)
            | Self::User(_) => return None,
        })
    }
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Folder that holds mapping.toml
    #[arg(default_value = "/etc/iot-control")]
    pub(crate) house: PathBuf,
    /// Runs simulated modules for every device of the house, and lets any client on this machine in
    #[arg(long)]
    pub(crate) simulate: bool,
    /// With --simulate: modules of ours are sealed, with the runtime of their firmware and keys that are made for this run
    #[arg(long, requires = "simulate")]
    pub(crate) sealed: bool,
    /// With --sealed: what carries their frames, udp or mqtt
    #[arg(
        long,
        requires = "sealed",
        value_name = "TRANSPORT",
        default_value = "udp"
    )]
    pub(crate) transport: Transport,
    /// With --sealed: how bad their network is, as in loss=0.2,dup=0.05,reorder=0.1
    #[arg(long, requires = "sealed", value_name = "FAULTS")]
    pub(crate) faults: Option<Faults>,
    /// With --faults: which datagrams that are; the same ones for the same number
    #[arg(long, requires = "faults", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Prints the live stream as JSON lines
    #[arg(long)]
    pub(crate) json: bool,
    /// Goes on with a state folder of which this house has no device: what it knows of them is forgotten
    #[arg(long)]
    pub(crate) replace_house: bool,
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
pub(crate) struct Backup {
    /// Where to write it, e.g. house.tar.gz; whoever reads it has the house's secrets
    pub(crate) file: PathBuf,
    /// Folder that holds mapping.toml
    #[arg(long, value_name = "HOUSE", default_value = "/etc/iot-control")]
    pub(crate) house: PathBuf,
    #[command(flatten)]
    pub(crate) state: State,
}

#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// What `backup` wrote
    pub(crate) file: PathBuf,
    /// Folder for the house's files
    #[arg(long, value_name = "HOUSE", default_value = "/etc/iot-control")]
    pub(crate) house: PathBuf,
    /// Folder for its state [default: as the settings in the backup have it, else /var/lib/iot-control for root and
    /// ~/.local/state/iot-control for others]
    #[arg(long, value_name = "DIR", env = "IOT_CONTROL__STATE")]
    pub(crate) state: Option<PathBuf>,
    /// Moves aside what stands in these folders
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Folder that holds mapping.toml
    #[arg(default_value = "/etc/iot-control")]
    pub(crate) house: PathBuf,
    /// Prints findings as JSON: level (fine, note, warning, trouble), about, what, mend
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) state: State,
}

#[derive(Debug, Args)]
pub(crate) struct Test {
    #[command(flatten)]
    pub(crate) house: House,
    /// Runs only tests whose name contains this text
    #[arg(long)]
    pub(crate) filter: Option<String>,
    #[command(flatten)]
    pub(crate) recorded: past::Recorded,
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
pub(crate) struct Export {
    /// Folder that holds mapping.toml
    #[arg(default_value = "/etc/iot-control")]
    pub(crate) house: PathBuf,
    /// As JSON: the one form there is
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// JSON as `export` prints it; - for standard input
    pub(crate) file: PathBuf,
    /// Folder for the house's files
    #[arg(long, value_name = "HOUSE")]
    pub(crate) into: PathBuf,
    /// Replaces files that are there
    #[arg(long)]
    pub(crate) force: bool,
    /// Prints problems as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Edit {
    /// Writes a value: edit set HOUSE /rule/hall-motion/limit "1 per 30s"
    Set {
        /// Folder that holds mapping.toml
        house: PathBuf,
        /// Path into what `export` prints: /rule/hall-motion/if, or rule.hall-motion.if
        path: String,
        /// JSON; what is none is a text
        value: String,
        #[command(flatten)]
        how: How,
    },
    /// Takes something out: edit remove HOUSE /rule/hall-motion
    Remove {
        /// Folder that holds mapping.toml
        house: PathBuf,
        /// Path into what `export` prints
        path: String,
        #[command(flatten)]
        how: How,
    },
    /// Switches a rule on
    Enable {
        /// Folder that holds mapping.toml
        house: PathBuf,
        /// Name of the rule
        rule: String,
        #[command(flatten)]
        how: How,
    },
    /// Switches a rule off; it stays in its file
    Disable {
        /// Folder that holds mapping.toml
        house: PathBuf,
        /// Name of the rule
        rule: String,
        #[command(flatten)]
        how: How,
    },
    /// Adds a rule
    AddRule {
        /// Folder that holds mapping.toml
        house: PathBuf,
        /// Name of the rule
        name: String,
        /// JSON: {"when": "hall.motion.start", "do": "hall.lamp.on"}
        rule: String,
        /// The rule behind which it fires [default: behind all others]
        #[arg(long, value_name = "RULE")]
        after: Option<String>,
        #[command(flatten)]
        how: How,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Rename {
    /// Folder that holds mapping.toml
    pub(crate) house: PathBuf,
    /// Its name: hall, hall.lamp, var.night; rule.x or timer.x where both are called x
    pub(crate) old: String,
    /// The new one; of a channel either part of it: light or hall.light
    pub(crate) new: String,
    #[command(flatten)]
    pub(crate) how: How,
}

/// How files are changed.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct How {
    /// Shows what would change, and writes nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Lsp {
    /// Editors say this to every server; standard input and output are the only way there is
    #[arg(long, hide = true)]
    pub(crate) stdio: bool,
    #[command(flatten)]
    pub(crate) state: State,
}

#[derive(Debug, Args)]
pub(crate) struct Press {
    /// Channel, as in the mapping: piano.keys
    pub(crate) channel: String,
    /// Event (default: the channel's first one), then its fields: key=60 velocity=90. What has no events reports its
    /// state: count=7
    pub(crate) words: Vec<String>,
    #[command(flatten)]
    pub(crate) state: State,
}

#[derive(Debug, Args)]
pub(crate) struct SetVar {
    /// Name of the variable, as in the mapping: var.night, or night
    pub(crate) name: String,
    /// What it is to be: true, 21.5, party
    #[arg(allow_hyphen_values = true)]
    pub(crate) value: String,
    #[command(flatten)]
    pub(crate) state: State,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Prints all counters as JSON
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
    /// Gives a module of ours a key: it speaks over the sealed link then, and nobody else speaks for it
    Add {
        /// Name of the device
        name: String,
        /// Where to write its identity, which is flashed; it holds the device's secret, and nothing else does
        /// [default: NAME.identity]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Gives it another key than the one it has, which no longer works
        #[arg(long)]
        replace: bool,
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
    /// Lists devices that announce themselves and the house does not have, as tables for the mapping
    Import(Discover),
    /// Lifts a block
    Unblock {
        /// Name of the device
        name: String,
        #[command(flatten)]
        state: State,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Discover {
    /// Folder that holds mapping.toml; devices that it has are left out
    #[arg(default_value = "/etc/iot-control")]
    pub(crate) house: PathBuf,
    /// Only what announces itself in this way; may be given several times [default: all]
    #[arg(long, value_enum)]
    pub(crate) from: Vec<Source>,
    /// An external broker instead of the running dispatcher: mqtt://user@host
    #[arg(long, value_name = "URL")]
    pub(crate) broker: Option<String>,
    /// With --broker: listens at most so many seconds; less where nothing more comes
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) seconds: u16,
    /// With --broker: reads the password from standard input instead of asking
    #[arg(long)]
    pub(crate) password_stdin: bool,
    /// Appends the tables to the house's files
    #[arg(long)]
    pub(crate) write: bool,
    #[command(flatten)]
    pub(crate) state: State,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Tls {
    /// Makes a CA of the house and a certificate of its broker, in the folder `tls` of the house
    Init {
        /// Folder that holds mapping.toml
        #[arg(default_value = "/etc/iot-control")]
        house: PathBuf,
        /// A host name or an IP address that clients connect to; may be given several times [default: this machine's
        /// name, with and without .local, and localhost; with --renew those of the certificate that is there]
        #[arg(long, value_name = "HOST")]
        name: Vec<String>,
        /// Replaces the broker's certificate with one of the CA that is there; the CA stays, and clients need nothing
        #[arg(long)]
        renew: bool,
    },
    /// Shows the certificate that the settings name: for which names, and until when
    Show {
        /// Folder that holds mapping.toml
        #[arg(default_value = "/etc/iot-control")]
        house: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// Adds a person, a tool, a bridge or the login of a plain module, or gives one a new password
    Add {
        /// Name it logs in with
        name: String,
        /// The login of this device: may speak for it and for nothing else; a password is made and printed
        #[arg(long, conflicts_with = "tool")]
        device: Option<String>,
        /// A program such as Node-RED: sees the house and may ask for targets; a password is made and printed
        #[arg(long)]
        tool: bool,
        /// A bridge such as Zigbee2MQTT, by the topics that it carries foreign devices on, "zigbee2mqtt/#"; may be
        /// given several times; a password is made and printed
        #[arg(long, value_name = "FILTER", conflicts_with_all = ["tool", "device"])]
        bridge: Vec<String>,
        /// With --tool or --bridge: topics it may also read, "stat/#"
        #[arg(long, value_name = "FILTER", conflicts_with = "device")]
        read: Vec<String>,
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

#[derive(Debug, Subcommand)]
pub(crate) enum Acl {
    /// Prints mosquitto's acl_file for the house: each device may speak for itself and for nothing else
    Export {
        /// Folder that holds mapping.toml
        #[arg(default_value = "/etc/iot-control")]
        house: PathBuf,
        #[command(flatten)]
        state: State,
    },
}

#[derive(Debug, Args)]
pub(crate) struct State {
    /// State folder of the dispatcher [default: /var/lib/iot-control for root, else
    /// ~/.local/state/iot-control, or a simulated house's own folder in its `simulate`]
    #[arg(long = "state", value_name = "DIR", env = "IOT_CONTROL__STATE")]
    pub(crate) folder: Option<PathBuf>,
}
