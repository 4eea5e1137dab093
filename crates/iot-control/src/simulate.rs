//! Simulated modules: one MQTT client for each device of the house, over real sockets, on a thread of
//! their own. Started by `run --simulate`; must not touch the dispatcher other than through MQTT.

mod foreign;
mod module;
mod payload;

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, thread};

use mapping::{
    Program,
    program::{ChannelIx, DeviceIx, EventIx, SlotIx},
};
use tokio::sync::mpsc;
use types::Value;

pub(crate) use payload::words_of;

/// How many events may wait for one module; a person presses more slowly.
const WAITING_EVENTS_MAX: usize = 64;

/// The running modules; they end when this is dropped.
pub(crate) struct Modules {
    inboxes: BTreeMap<DeviceIx, mpsc::Sender<Says>>,
}

/// Something a module is asked to report.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Says {
    /// An event with all its fields, in declared order.
    Event { event: EventIx, fields: Vec<Value> },
    /// How a channel is now.
    State {
        channel: ChannelIx,
        fields: Vec<(SlotIx, Value)>,
    },
}

/// Passwords of the simulated modules by user name; made anew at each start.
pub(crate) type Passwords = BTreeMap<Arc<str>, String>;

impl Modules {
    /// Starts a module for each device of `program`; they connect to `broker` and connect again when
    /// the connection breaks.
    ///
    /// # Errors
    /// The thread can't be started.
    pub(crate) fn start(
        program: &Arc<Program>,
        broker: SocketAddr,
        passwords: &Passwords,
    ) -> std::io::Result<Self> {
        let mut inboxes = BTreeMap::new();
        let mut modules = Vec::new();
        for device in DeviceIx::all(program.devices.len()) {
            let (sender, receiver) = mpsc::channel(WAITING_EVENTS_MAX);
            inboxes.insert(device, sender);
            let password = passwords
                .get(&program[device].name)
                .cloned()
                .unwrap_or_default();
            modules.push(module::Module::new(
                Arc::clone(program),
                device,
                module::Link { broker, password },
                receiver,
            ));
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        thread::Builder::new()
            .name("simulated-modules".into())
            .spawn(move || {
                let tasks = tokio::task::LocalSet::new();
                for module in modules {
                    tasks.spawn_local(module.run());
                }
                runtime.block_on(tasks);
            })?;
        Ok(Self { inboxes })
    }

    /// Lets a module report what it is asked to, one after the other.
    ///
    /// # Errors
    /// What is in the way, for people.
    pub(crate) fn report(&self, device: DeviceIx, says: Vec<Says>) -> Result<(), &'static str> {
        let inbox = self
            .inboxes
            .get(&device)
            .ok_or("this device has no simulated module")?;
        says.into_iter().try_for_each(|said| {
            inbox
                .try_send(said)
                .map_err(|_| "the simulated module does not keep up; try again")
        })
    }
}
