//! Simulated modules: one MQTT client for each device of the house, over real sockets, on a thread of
//! their own. Started by `run --simulate`; must not touch the dispatcher other than through MQTT.

mod foreign;
mod module;
mod payload;

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, thread};

use mapping::{
    Program,
    program::{ChannelIx, DeviceIx, EventIx, SlotIx, Succession},
};
use tokio::{sync::mpsc, task};
use types::Value;

use module::{Link, Module, Next, Told};
pub(crate) use payload::{value_of, words_of};

/// How many events may wait for one module; a person presses more slowly.
const WAITING_EVENTS_MAX: usize = 64;

/// How many edits of the house may bring modules before the thread that runs them takes them.
const WAITING_ARRIVALS_MAX: usize = 16;

/// The running modules; they end when this is dropped.
pub(crate) struct Modules {
    program: Arc<Program>,
    broker: SocketAddr,
    running: BTreeMap<DeviceIx, mpsc::Sender<Told>>,
    arrivals: mpsc::Sender<Vec<Module>>,
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

/// Passwords of the simulated modules by user name; made anew at each start of the dispatcher.
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
        let (arrivals, mut arriving) = mpsc::channel::<Vec<Module>>(WAITING_ARRIVALS_MAX);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        thread::Builder::new()
            .name("simulated-modules".into())
            .spawn(move || {
                let tasks = task::LocalSet::new();
                tasks.block_on(&runtime, async move {
                    while let Some(modules) = arriving.recv().await {
                        for module in modules {
                            task::spawn_local(module.run());
                        }
                    }
                });
                // They say that they leave.
                runtime.block_on(tasks);
            })?;
        let mut modules = Self {
            program: Arc::new(Program::default()),
            broker,
            running: BTreeMap::new(),
            arrivals,
        };
        modules.follow(program, passwords);
        Ok(modules)
    }

    /// Goes on with another mapping: what is the same module there stays connected, one whose device changed connects anew
    /// and is what it was, others come and go. `passwords` are those of today. Says how many connect.
    pub(crate) fn follow(&mut self, program: &Arc<Program>, passwords: &Passwords) -> usize {
        let before = std::mem::replace(&mut self.program, Arc::clone(program));
        let succession = Succession::new(&before, program);
        let mut were_running = std::mem::take(&mut self.running);
        let (mut connect, mut came) = (0, Vec::new());
        for device in DeviceIx::all(program.devices.len()) {
            let was = succession.device_before(device);
            let inbox = was.and_then(|was| Some((was, were_running.remove(&was)?)));
            if let Some((was, inbox)) = inbox {
                let stays = is_same_module((&before, was), (program, device));
                let link = (!stays).then(|| self.link(device, passwords));
                let next = Next::new(&succession, program, (was, device), link);
                if inbox.try_send(Told::Next(Box::new(next))).is_ok() {
                    connect += usize::from(!stays);
                    self.running.insert(device, inbox);
                    continue;
                }
            }
            let (inbox, told) = mpsc::channel(WAITING_EVENTS_MAX);
            let link = self.link(device, passwords);
            came.push(Module::new(Arc::clone(program), device, link, told));
            self.running.insert(device, inbox);
        }
        connect += came.len();
        if self.arrivals.try_send(came).is_err() {
            tracing::warn!("new simulated modules could not be started; edit the house again");
        }
        connect
    }

    fn link(&self, device: DeviceIx, passwords: &Passwords) -> Link {
        let password = passwords.get(&self.program[device].name).cloned();
        Link {
            broker: self.broker,
            password: password.unwrap_or_default(),
        }
    }

    /// Lets a module report what it is asked to, one after the other.
    ///
    /// # Errors
    /// What is in the way, for people.
    pub(crate) fn report(&self, device: DeviceIx, says: Vec<Says>) -> Result<(), &'static str> {
        let inbox = self
            .running
            .get(&device)
            .ok_or("this device has no simulated module")?;
        says.into_iter().try_for_each(|said| {
            inbox
                .try_send(Told::Says(said))
                .map_err(|_| "the simulated module does not keep up; try again")
        })
    }
}

/// Whether a module can't tell the one device from the other: name, number, topics and channels are the same.
fn is_same_module(was: (&Program, DeviceIx), is: (&Program, DeviceIx)) -> bool {
    let channels = |(program, device): (&Program, DeviceIx)| -> Vec<_> {
        let channels = program[device].channels.iter().map(|ix| &program[*ix]);
        let channels = channels.map(|channel| {
            let slots = channel.slots.iter().map(|ix| &program[*ix]);
            let slots: Vec<_> = slots
                .map(|slot| (slot.name.clone(), slot.ty.clone()))
                .collect();
            let commands = channel.commands.iter().map(|command| command.name.clone());
            let commands: Vec<_> = commands.collect();
            (channel.name.clone(), slots, commands, channel.codec.clone())
        });
        channels.collect()
    };
    let (row, other) = (&was.0[was.1], &is.0[is.1]);
    (&row.name, row.id, &row.role, &row.carrier)
        == (&other.name, other.id, &other.role, &other.carrier)
        && channels(was) == channels(is)
}
