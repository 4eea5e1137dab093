//! What the tests share: houses, the dispatcher as a process, clients of several makes, and waiting
//! with a deadline. Knows the binary only by its command line, topics and output.

mod agent;
mod board;
mod client;
mod command;
mod dispatcher;
mod editor;
mod external;
mod house;
mod kind;
mod line;
mod module;
mod mosquitto;
mod network;
pub mod packet;
pub mod raw;
mod rumqtt;
mod wait;

pub use board::{Board, Flash, image};
pub use client::{Client, Connect, Message, Will};
pub use command::{Output, failing, finish, iot_control, kill_when, run};
pub use dispatcher::Dispatcher;
pub use editor::{Editor, place};
pub(crate) use external::at_each_broker;
pub use external::{External, write_passwords};
pub use house::{House, Login, PIANO_AND_LAMPS};
pub use kind::{Kind, peers_folder, python_can, python_path, say_if_missing};
pub use line::{At, topic};
pub use module::{Did, Module};
pub use network::{Faults, Network};
pub use wait::{Log, PATIENCE, until};
