//! Simulated modules: one MQTT client for each device of the house, or the runtime of its firmware with a key, over real
//! sockets, on a thread of their own. Started by `run --simulate`; must not touch the dispatcher other than through those.

mod faults;
mod foreign;
mod module;
mod payload;
mod sealed;
mod told;
mod way;

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, thread};

use mapping::{
    Program,
    program::{ChannelIx, DeviceIx, EventIx, SlotIx, Succession},
};
use tokio::{sync::mpsc, task};
use types::Value;
use wire::Identity;

pub(crate) use faults::Faults;
use foreign::States;
use module::{Link, Module};
pub(crate) use payload::{value_of, words_of};
use told::{Follows, Next, Told};
pub(crate) use way::Transport;

/// How many events may wait for one module; a person presses more slowly.
const WAITING_EVENTS_MAX: usize = 64;

/// How many edits of the house may bring modules before the thread that runs them takes them.
const WAITING_ARRIVALS_MAX: usize = 16;

/// The running modules; they end when this is dropped.
pub(crate) struct Modules {
    program: Arc<Program>,
    broker: SocketAddr,
    /// How modules of ours come in over the sealed link; `None`: they are plain ones.
    ways: Option<Ways>,
    running: BTreeMap<DeviceIx, Running>,
    arrivals: mpsc::Sender<Vec<Arrival>>,
}

/// A module that runs.
struct Running {
    inbox: mpsc::Sender<Told>,
    is_sealed: bool,
}

/// A module on its way to the thread that runs it.
enum Arrival {
    Plain(Box<Module>),
    Sealed(Box<sealed::Module>),
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

/// How modules come in over the sealed link.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ways {
    /// Where they find the dispatcher.
    pub(crate) to: SocketAddr,
    /// What carries their frames there.
    pub(crate) transport: Transport,
    /// How bad their network is.
    pub(crate) faults: Faults,
    /// Which datagrams that are.
    pub(crate) seed: u64,
}

/// What is known of the house already: of an output what it is to be, of everything else what was reported last.
pub(crate) type Known = BTreeMap<SlotIx, Value>;

/// Passwords of the simulated modules by device; made anew at each start of the dispatcher.
pub(crate) type Passwords = BTreeMap<Arc<str>, String>;

impl Modules {
    /// Starts the thread on which modules run that connect to `broker`, and none yet.
    ///
    /// # Errors
    /// The thread can't be started.
    pub(crate) fn start(broker: SocketAddr, ways: Option<Ways>) -> std::io::Result<Self> {
        let (arrivals, mut arriving) = mpsc::channel::<Vec<Arrival>>(WAITING_ARRIVALS_MAX);
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
                            match module {
                                Arrival::Plain(module) => task::spawn_local(module.run()),
                                Arrival::Sealed(module) => task::spawn_local(module.run()),
                            };
                        }
                    }
                });
                // They say that they leave.
                runtime.block_on(tasks);
            })?;
        Ok(Self {
            program: Arc::new(Program::default()),
            broker,
            ways,
            running: BTreeMap::new(),
            arrivals,
        })
    }

    /// Goes on with another mapping, at first from none: what is a module of the same name there stays connected and takes its
    /// new role, one that is reached otherwise connects anew and is what it was, others come and go. One on the sealed link stays
    /// connected whatever changed: its new role comes to it. What the edit showed of who is who is not looked for again; they may be an
    /// edit behind. Who comes begins where `known` has it. `passwords` are those of today, `lend` gives a key. Says how many
    /// connect.
    ///
    /// # Errors
    /// No key can be made.
    pub(crate) fn follow(
        &mut self,
        (program, edit): (&Arc<Program>, Option<&Succession<'_>>),
        (passwords, known): (&Passwords, &Known),
        mut lend: impl FnMut(DeviceIx) -> anyhow::Result<Option<Identity>>,
    ) -> anyhow::Result<usize> {
        let before = std::mem::replace(&mut self.program, Arc::clone(program));
        let found;
        let succession = match edit.filter(|edit| edit.programs().0.hash == before.hash) {
            Some(edit) => edit,
            None => {
                found = Succession::new(&before, program);
                &found
            }
        };
        let mut were_running = std::mem::take(&mut self.running);
        let (mut connect, mut came) = (0, Vec::new());
        for device in DeviceIx::all(program.devices.len()) {
            let is_sealed = self.ways.is_some() && sealed::can_run(program, device);
            let was = succession.device_before(device);
            let running = was.and_then(|was| Some((was, were_running.remove(&was)?)));
            let running = running.filter(|(_, running)| running.is_sealed == is_sealed);
            if let Some((was, running)) = running {
                let (was_there, is_there) = ((&*before, was), (&**program, device));
                let how = if is_sealed || is_same_module(was_there, is_there) {
                    Follows::AsItIs
                } else if module::is_reached_alike(was_there, is_there) {
                    Follows::NewRole
                } else {
                    Follows::Anew(self.link(device, passwords))
                };
                let connects = matches!(how, Follows::Anew(_));
                let next = Next::new(succession, program, (was, device), how);
                if running.inbox.try_send(Told::Next(Box::new(next))).is_ok() {
                    connect += usize::from(connects);
                    self.running.insert(device, running);
                    continue;
                }
            }
            let identity = if is_sealed { lend(device)? } else { None };
            let states = payload::known_states(program, device, known);
            came.push(self.arrival((device, states), passwords, identity));
        }
        connect += came.len();
        if self.arrivals.try_send(came).is_err() {
            tracing::warn!("new simulated modules could not be started; edit the house again");
        }
        Ok(connect)
    }

    /// A module that runs from now on; with a key it comes in over the sealed link.
    fn arrival(
        &mut self,
        (device, states): (DeviceIx, States),
        passwords: &Passwords,
        identity: Option<Identity>,
    ) -> Arrival {
        let (inbox, told) = mpsc::channel(WAITING_EVENTS_MAX);
        let program = Arc::clone(&self.program);
        let key = self.ways.zip(identity);
        let is_sealed = key.is_some();
        self.running.insert(device, Running { inbox, is_sealed });
        match key {
            Some(key) => {
                let module = sealed::Module::new(program, (device, states), key, told);
                Arrival::Sealed(Box::new(module))
            }
            None => {
                let link = self.link(device, passwords);
                Arrival::Plain(Box::new(Module::new(program, (device, states), link, told)))
            }
        }
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
        let running = self
            .running
            .get(&device)
            .ok_or("this device has no simulated module")?;
        says.into_iter().try_for_each(|said| {
            running
                .inbox
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
