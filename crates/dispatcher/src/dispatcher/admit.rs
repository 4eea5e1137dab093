//! From a message to an input: whose it is, what it says, whether it may. Changes nothing that a replay needs.

use std::sync::Arc;

use engine::Who;
use mapping::program::{Carrier, ChannelIx, DeviceIx, SlotIx};
use types::{Now, Value};

use super::Dispatcher;
use crate::{
    explain::{EXTERNAL_BROKER, SUPERUSER},
    input::Input,
    payload::{self, Asked, DecodedEvent},
    refusal::{Reason, Refusal},
    topics::{ForeignUse, Route},
};

/// Who published: from the session, never from a payload. A [`DeviceIx`] holds until the next
/// [`Dispatcher::replace`]; keep the name and look it up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Publisher {
    /// The broker user of a device.
    Device(DeviceIx),
    /// A person.
    Person(Arc<str>),
    /// A program of the house: Node-RED, a bridge of foreign devices.
    Tool(Arc<str>),
    /// The command line on the dispatcher's own machine.
    Superuser,
    /// Whoever spoke at an external broker, which does not say who it was: who may say what is that broker's list.
    ExternalBroker,
}

/// A message as the broker took it.
#[derive(Clone, Copy, Debug)]
pub struct Message<'m> {
    /// Where.
    pub topic: &'m str,
    /// What.
    pub payload: &'m [u8],
    /// Whether the publisher wants it kept.
    pub retain: bool,
    /// Where it is a last will: of whom.
    pub will: Option<Will>,
}

/// How it stands with the session whose last will a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Will {
    /// It ends with this, and counts until [`Dispatcher::disconnected`].
    Ending,
    /// It ended before: the will had a delay.
    Ended,
    /// The same client is back already, and [`Dispatcher::connected`] follows.
    Replaced,
}

/// What became of the last will of a session that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastWill {
    /// There was none, or a goodbye took it back.
    None,
    /// It was published.
    Published,
    /// It has a delay, and is forgotten where the client comes back before.
    Waiting,
}

/// What becomes of a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Admitted {
    /// To be journalled and applied; `None`: nothing changes.
    pub input: Option<Input>,
    /// Whether the broker also hands it to its subscribers and keeps it where it is marked so. Not what
    /// the dispatcher answers with a message of its own on the same topic (availability), and not events
    /// and wishes that ask to be kept: those never are.
    pub route: bool,
    /// Parts of the message that could not be used, counted already; the rest was.
    pub noted: Vec<Refusal>,
}

impl Admitted {
    const PASSED: Self = Self {
        input: None,
        route: true,
        noted: Vec::new(),
    };
}

impl Dispatcher {
    /// Reads a message that passed the broker's access lists.
    ///
    /// # Errors
    /// A [`Refusal`], counted already; the broker answers it with "not authorized" or "payload format invalid",
    /// acknowledges the message and goes on.
    pub fn admit(
        &mut self,
        now: Now,
        from: &Publisher,
        message: &Message<'_>,
    ) -> Result<Admitted, Refusal> {
        let (device, admitted) = match self.topics.route(message.topic) {
            Some(route) => self.read(now, from, message, route),
            None if message.topic.starts_with("iot/") => (None, Err(stranger(message.topic))),
            None => return Ok(Admitted::PASSED),
        };
        let mut admitted =
            admitted.map_err(|reason| self.refused(device, from, message.topic, reason))?;
        let input = admitted.input.take();
        admitted.input = input.and_then(|input| self.without_blocked(now, input));
        Ok(admitted)
    }

    fn read(
        &mut self,
        now: Now,
        from: &Publisher,
        message: &Message<'_>,
        route: Route,
    ) -> (Option<DeviceIx>, Result<Admitted, Reason>) {
        let program = Arc::clone(&self.program);
        match route {
            Route::Event(channel) => {
                let device = program[channel].device;
                (Some(device), self.read_event(from, message, channel))
            }
            Route::State(channel) => {
                let device = program[channel].device;
                (Some(device), self.read_state(now, from, message, channel))
            }
            Route::Set(channel) => {
                let device = program[channel].device;
                (Some(device), self.read_set(from, message, channel))
            }
            Route::Availability(device) => {
                (Some(device), self.read_availability(from, message, device))
            }
            Route::Foreign(row) => self.read_foreign(now, from, message, row),
        }
    }

    fn read_event(
        &self,
        from: &Publisher,
        message: &Message<'_>,
        channel: ChannelIx,
    ) -> Result<Admitted, Reason> {
        self.may_speak(from, self.program[channel].device)?;
        self.short_enough(message)?;
        if message.payload.is_empty() {
            // Deletes what somebody once left retained here.
            return Ok(Admitted::PASSED);
        }
        let event = payload::event(&self.program, channel, message.payload)?;
        Ok(Admitted {
            input: Some(event_input(event)),
            route: !message.retain,
            noted: Vec::new(),
        })
    }

    fn read_state(
        &self,
        now: Now,
        from: &Publisher,
        message: &Message<'_>,
        channel: ChannelIx,
    ) -> Result<Admitted, Reason> {
        self.may_speak(from, self.program[channel].device)?;
        self.short_enough(message)?;
        if message.payload.is_empty() {
            return Ok(Admitted::PASSED);
        }
        let fields = payload::state(&self.program, channel, message.payload)?;
        Ok(Admitted {
            input: Some(self.report_input(now, channel, fields)),
            route: true,
            noted: Vec::new(),
        })
    }

    fn read_set(
        &self,
        from: &Publisher,
        message: &Message<'_>,
        channel: ChannelIx,
    ) -> Result<Admitted, Reason> {
        let who = match from {
            Publisher::Person(name) | Publisher::Tool(name) => Who::Person(Arc::clone(name)),
            Publisher::Superuser => Who::Person(Arc::from(SUPERUSER)),
            Publisher::ExternalBroker => Who::Person(Arc::from(EXTERNAL_BROKER)),
            Publisher::Device(_) => {
                let owner = &self.program[self.program[channel].device].name;
                return Err(Reason::NotYours {
                    owner: Arc::clone(owner),
                });
            }
        };
        self.short_enough(message)?;
        let input = match payload::set(&self.program, channel, message.payload)? {
            Asked::Fields {
                fields,
                hold,
                bound,
            } => Input::Set {
                channel,
                fields,
                who,
                hold,
                bound,
            },
            Asked::Command { command, args } => Input::Command {
                channel,
                command,
                args,
                who,
            },
        };
        Ok(Admitted {
            input: Some(input),
            route: !message.retain,
            noted: Vec::new(),
        })
    }

    fn read_availability(
        &self,
        from: &Publisher,
        message: &Message<'_>,
        device: DeviceIx,
    ) -> Result<Admitted, Reason> {
        self.may_speak(from, device)?;
        self.short_enough(message)?;
        let online = payload::availability(message.payload)? != payload::Said::Gone;
        Ok(Admitted {
            input: self.presence_input(device, online, message.will),
            route: false,
            noted: Vec::new(),
        })
    }

    fn read_foreign(
        &mut self,
        now: Now,
        from: &Publisher,
        message: &Message<'_>,
        row: usize,
    ) -> (Option<DeviceIx>, Result<Admitted, Reason>) {
        let mine: Vec<ForeignUse> = self
            .topics
            .foreign(row)
            .iter()
            .filter(|used| self.may_speak(from, used.device).is_ok())
            .cloned()
            .collect();
        let owner = self.topics.foreign(row).first().map(|used| used.device);
        let Some(first) = mine.first().map(|used| used.device) else {
            let owner_name =
                owner.map_or_else(|| Arc::from(""), |ix| Arc::clone(&self.program[ix].name));
            return (owner, Err(Reason::NotYours { owner: owner_name }));
        };
        if let Err(reason) = self.short_enough(message) {
            return (Some(first), Err(reason));
        }
        if message.payload.is_empty() {
            return (Some(first), Ok(Admitted::PASSED));
        }
        let mut inputs = Vec::new();
        let mut refused = Vec::new();
        for used in mine {
            match self.hear(now, message, &used, &mut inputs) {
                Ok(reasons) => refused.extend(reasons.into_iter().map(|r| (used.device, r))),
                Err(reason) => refused.push((used.device, reason)),
            }
        }
        // What one channel can't read says nothing about the others: refused as a whole only where
        // nobody could read anything. That nothing is there is no mistake of the message.
        let wrong = |(_, reason): &(DeviceIx, Reason)| !matches!(reason, Reason::NothingAt { .. });
        if inputs.is_empty()
            && let Some(place) = refused.iter().rposition(wrong)
        {
            let (device, reason) = refused.swap_remove(place);
            return (Some(device), Err(reason));
        }
        let noted = refused.into_iter();
        let noted = noted
            .map(|(device, reason)| self.refused(Some(device), from, message.topic, reason))
            .collect();
        let input = if inputs.len() > 1 {
            Some(Input::Several(inputs))
        } else {
            inputs.pop()
        };
        let admitted = Admitted {
            input,
            noted,
            ..Admitted::PASSED
        };
        (Some(first), Ok(admitted))
    }

    /// What a foreign message says about one device.
    fn hear(
        &self,
        now: Now,
        message: &Message<'_>,
        used: &ForeignUse,
        inputs: &mut Vec<Input>,
    ) -> Result<Vec<Reason>, Reason> {
        let mut refused = Vec::new();
        if used.availability {
            match payload::availability(message.payload) {
                Ok(said) => {
                    // A sensor that sleeps is as it should be; what would be told to a sleeping lamp waits.
                    let online = match said {
                        payload::Said::There => true,
                        payload::Said::Gone => false,
                        payload::Said::Sleeps => !self.takes_targets(used.device),
                    };
                    inputs.extend(self.presence_input(used.device, online, message.will));
                }
                // A topic that also carries state may say nothing about this.
                Err(_) if !used.states.is_empty() || !used.events.is_empty() => {}
                Err(reason) => return Err(reason),
            }
        }
        if used.states.is_empty() && used.events.is_empty() {
            return Ok(refused);
        }
        let (states, events) = (&used.states, &used.events);
        let heard = payload::foreign(
            &self.program,
            message.topic,
            states,
            events,
            message.payload,
        )?;
        let nothing =
            heard.reports.is_empty() && heard.events.is_empty() && heard.refused.is_empty();
        if nothing && !used.availability && !self.has_preset(used.device) {
            refused.extend(heard.missing.map(|place| Reason::NothingAt { place }));
        }
        for (channel, fields) in heard.reports {
            inputs.push(self.report_input(now, channel, fields));
        }
        inputs.extend(heard.events.into_iter().map(event_input));
        refused.extend(heard.refused);
        Ok(refused)
    }

    fn takes_targets(&self, device: DeviceIx) -> bool {
        let mut channels = self.program[device].channels.iter();
        channels.any(|channel| self.program[*channel].consumer)
    }

    /// A make that is known says many things on its topics that a house does not read.
    fn has_preset(&self, device: DeviceIx) -> bool {
        matches!(&self.program[device].carrier, Carrier::Foreign(foreign) if foreign.preset.is_some())
    }

    fn presence_input(&self, device: DeviceIx, online: bool, will: Option<Will>) -> Option<Input> {
        let there = self.engine.online(device);
        if online {
            return (!there).then_some(Input::Online(device));
        }
        let sessions = self.presence.row(device).sessions;
        // A will speaks for the session that left it and for no other.
        let others = match will {
            None => false,
            Some(Will::Ending) => sessions > 1,
            Some(Will::Ended) => sessions > 0,
            Some(Will::Replaced) => true,
        };
        (there && !others).then_some(Input::Offline(device))
    }

    /// A report, and whether it is somebody's hand on the switch. Reports of devices count as live also right
    /// after they came: that they came is no event, and a value which differs from the known one is.
    pub(crate) fn report_input(
        &self,
        now: Now,
        channel: ChannelIx,
        fields: Vec<(SlotIx, Value)>,
    ) -> Input {
        let adopt = self.is_by_hand(now, channel, &fields);
        Input::Report {
            channel,
            fields,
            live: true,
            adopt,
        }
    }

    /// A device speaks for itself. A virtual device is fed by whom the broker's list grants it, a foreign one
    /// by its own user or by a bridge.
    fn may_speak(&self, from: &Publisher, device: DeviceIx) -> Result<(), Reason> {
        if self.is_sealed(device) {
            return Err(Reason::Sealed {
                owner: Arc::clone(&self.program[device].name),
            });
        }
        let carrier = &self.program[device].carrier;
        let may = match from {
            Publisher::Device(speaker) => *speaker == device,
            Publisher::Person(_) => *carrier == Carrier::Virtual,
            Publisher::Tool(_) => *carrier != Carrier::Own,
            Publisher::Superuser | Publisher::ExternalBroker => true,
        };
        if may {
            return Ok(());
        }
        Err(Reason::NotYours {
            owner: Arc::clone(&self.program[device].name),
        })
    }

    /// Counts a message that somebody else did not pass on to [`Self::admit`], for its length; says why it was not taken.
    pub fn too_long(
        &mut self,
        from: &Publisher,
        topic: &str,
        bytes: usize,
        bytes_max: usize,
    ) -> Refusal {
        let channels = self.topics.heard_on(&self.program, topic);
        let first = channels.and_then(|channels| channels.first().copied());
        let device = first.map(|channel| self.program[channel].device);
        self.refused(device, from, topic, Reason::TooLong { bytes, bytes_max })
    }

    fn short_enough(&self, message: &Message<'_>) -> Result<(), Reason> {
        let (bytes, bytes_max) = (message.payload.len(), self.config.payload_bytes_max);
        if bytes > bytes_max {
            return Err(Reason::TooLong { bytes, bytes_max });
        }
        Ok(())
    }

    pub(super) fn refused(
        &mut self,
        topic_of: Option<DeviceIx>,
        from: &Publisher,
        topic: &str,
        reason: Reason,
    ) -> Refusal {
        // Counted with the device that sent it; a person's mistake with the device it was about.
        let (device, who) = match from {
            Publisher::Device(device) => (Some(*device), Arc::clone(&self.program[*device].name)),
            Publisher::Person(name) | Publisher::Tool(name) => (topic_of, Arc::clone(name)),
            Publisher::Superuser => (topic_of, Arc::from(SUPERUSER)),
            Publisher::ExternalBroker => (topic_of, Arc::from(EXTERNAL_BROKER)),
        };
        self.counters.count(device, reason.code());
        Refusal {
            who,
            device: device.map(|ix| Arc::clone(&self.program[ix].name)),
            topic: topic.into(),
            reason,
        }
    }
}

fn event_input(event: DecodedEvent) -> Input {
    Input::Event {
        event: event.event,
        fields: event.fields,
        produced_ms: event.produced_ms,
        stamp: event.stamp,
    }
}

/// A topic below `iot/` on which nobody but the dispatcher has to say anything.
fn stranger(topic: &str) -> Reason {
    let leaf = topic.rsplit('/').next().unwrap_or_default();
    if topic.starts_with("iot/dispatcher/") || ["target", "command", "role"].contains(&leaf) {
        Reason::DispatchersOwn
    } else {
        Reason::Undeclared
    }
}
