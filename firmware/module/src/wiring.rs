//! What hangs at a module's pins: set up as its role says, driven and looked at by the device's runtime.

use core::array;

use device::{
    Drive, Runtime, Sample,
    pins::{Knob, LampPins, Line, Matrix, Motor, Relay, ServoPin},
};
use embedded_hal::delay::DelayNs;
use link::Millis;
use log::warn;
use wire::{Channel, ChannelKind, Options, Pin, Role};

use crate::board::{NoPin, Pins};

/// How often a second a dimmed lamp is switched on where its channel does not say: nobody sees it flicker.
const DIM_HZ: u32 = 1_000;
/// What every servo takes.
const SERVO_HZ: u32 = 50;
/// A servo's angles where its channel does not say.
const SERVO_MAX: f32 = 180.0;

/// Why a channel has no hardware here.
enum Unwired {
    Pin(NoPin),
    /// It names no pin.
    Nowhere,
    /// This firmware can't drive it.
    Unable,
}

impl From<NoPin> for Unwired {
    fn from(no: NoPin) -> Self {
        Self::Pin(no)
    }
}

impl core::fmt::Display for Unwired {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Pin(no) => no.fmt(f),
            Self::Nowhere => f.write_str("the mapping names no pin for it"),
            Self::Unable => f.write_str("this firmware can't drive that"),
        }
    }
}

enum Wired<P: Pins> {
    Relay(Relay<P::Out>),
    Lamp(LampPins<P::Pwm>),
    Motor(Motor<P::Out, P::Out>),
    Servo(ServoPin<P::Pwm>),
    Line(Line<P::In>),
    Knob(Knob<P::In, P::In>),
    Keys(Matrix<P::Out, P::In>),
    Analog(Pin),
    Serial,
}

pub(crate) struct Wiring<P: Pins, const N: usize> {
    pins: P,
    wired: [Option<Wired<P>>; N],
}

impl<P: Pins, const N: usize> Wiring<P, N> {
    pub(crate) fn new(pins: P) -> Self {
        Self {
            pins,
            wired: array::from_fn(|_| None),
        }
    }

    /// Sets up what a new role names. What can't be is told, and the rest works.
    pub(crate) fn wire(&mut self, role: &Role<'_>) {
        // No pin is held twice.
        self.wired = array::from_fn(|_| None);
        let serial = role.buses().uart.map(|(rx, _)| rx);
        for (place, channel) in role.channels().take(N).enumerate() {
            match wire(&mut self.pins, &channel, serial) {
                Ok(wired) => self.wired[place] = Some(wired),
                Err(why) => warn!("channel {place}: {why}"),
            }
        }
    }

    /// Does what an output should be.
    pub(crate) fn drive(&mut self, channel: u8, drive: Drive) {
        let is_done = match self.wired.get_mut(usize::from(channel)) {
            Some(Some(Wired::Relay(relay))) => relay.drive(drive).is_ok(),
            Some(Some(Wired::Lamp(lamp))) => lamp.drive(drive).is_ok(),
            Some(Some(Wired::Motor(motor))) => motor.drive(drive).is_ok(),
            Some(Some(Wired::Servo(servo))) => servo.drive(drive).is_ok(),
            // It has no hardware here, which was told.
            _ => true,
        };
        if !is_done {
            warn!("channel {channel}: its pin fails");
        }
    }

    /// Looks at all inputs.
    pub(crate) fn sample(&mut self, runtime: &mut Runtime<N>, now: Millis) {
        for (place, wired) in (0..).zip(&mut self.wired) {
            let Some(wired) = wired else { continue };
            let sample = match wired {
                Wired::Line(line) => line.sample().ok(),
                Wired::Knob(knob) => knob.sample().ok(),
                Wired::Keys(matrix) => matrix.sample(&mut Spin).ok(),
                Wired::Analog(pin) => {
                    let share = self.pins.analog(*pin).ok();
                    share.map(|share| Sample::Measured(f64::from(share)))
                }
                Wired::Serial => {
                    while let Some(byte) = self.pins.poll_byte() {
                        let _ = runtime.sample(place, Sample::Byte(byte), now);
                    }
                    None
                }
                Wired::Relay(_) | Wired::Lamp(_) | Wired::Motor(_) | Wired::Servo(_) => None,
            };
            // What a sensor can't mean is left out, as if it had said nothing.
            if let Some(sample) = sample {
                let _ = runtime.sample(place, sample, now);
            }
        }
    }

    /// Returns when an input may have changed.
    pub(crate) async fn changed(&mut self) {
        self.pins.changed().await;
    }
}

fn wire<P: Pins>(
    pins: &mut P,
    channel: &Channel,
    serial: Option<Pin>,
) -> Result<Wired<P>, Unwired> {
    let options = &channel.options;
    let invert = options.invert;
    let hz = options.pwm_hz.unwrap_or(DIM_HZ);
    Ok(match channel.kind {
        ChannelKind::Switch | ChannelKind::Buzzer => {
            Wired::Relay(Relay::new(pins.output(named(options.pin)?)?, invert))
        }
        ChannelKind::Dimmer => {
            Wired::Lamp(LampPins::dimmer(pins.pwm(named(options.pin)?, hz)?, invert))
        }
        ChannelKind::Light if options.pixels.is_some() => return Err(Unwired::Unable),
        ChannelKind::Light => Wired::Lamp(light(pins, options, hz)?),
        ChannelKind::Cover => {
            let up = pins.output(named(options.up)?)?;
            Wired::Motor(Motor::new(up, pins.output(named(options.down)?)?, invert))
        }
        ChannelKind::Servo => {
            let pin = pins.pwm(named(options.pin)?, SERVO_HZ)?;
            let end = |end: Option<f64>, other| end.map_or(other, |end| end as f32);
            let ends = (end(options.min, 0.0), end(options.max, SERVO_MAX));
            Wired::Servo(ServoPin::new(pin, ends.0, ends.1))
        }
        ChannelKind::Button
        | ChannelKind::Motion
        | ChannelKind::Contact
        | ChannelKind::Presence
        | ChannelKind::Counter => {
            let pin = pins.input(named(options.pin)?, options.pull)?;
            Wired::Line(Line::new(pin, invert))
        }
        ChannelKind::Encoder => {
            let a = pins.input(named(options.a)?, options.pull)?;
            let b = pins.input(named(options.b)?, options.pull)?;
            Wired::Knob(Knob::new(a, b, invert))
        }
        ChannelKind::Keyboard => Wired::Keys(keyboard(pins, options)?),
        ChannelKind::Midi => {
            pins.serial(named(serial)?)?;
            Wired::Serial
        }
        ChannelKind::Analog if options.i2c.is_none() => {
            let pin = named(options.pin)?;
            pins.analog(pin)?;
            Wired::Analog(pin)
        }
        _ => return Err(Unwired::Unable),
    })
}

fn named(pin: Option<Pin>) -> Result<Pin, Unwired> {
    pin.ok_or(Unwired::Nowhere)
}

fn light<P: Pins>(pins: &mut P, options: &Options, hz: u32) -> Result<LampPins<P::Pwm>, Unwired> {
    let mut colours = [None, None, None, None];
    let named = [options.red, options.green, options.blue, options.white];
    for (colour, pin) in colours.iter_mut().zip(named) {
        *colour = pin.map(|pin| pins.pwm(pin, hz)).transpose()?;
    }
    if colours.iter().all(Option::is_none) {
        return Err(Unwired::Nowhere);
    }
    Ok(LampPins::light(colours, options.invert))
}

fn keyboard<P: Pins>(pins: &mut P, options: &Options) -> Result<Matrix<P::Out, P::In>, Unwired> {
    let mut rows: heapless::Vec<P::Out, { wire::PINS_MAX }> = heapless::Vec::new();
    let mut columns: heapless::Vec<P::In, { wire::PINS_MAX }> = heapless::Vec::new();
    for pin in options.rows.iter() {
        let _ = rows.push(pins.output(pin)?);
    }
    for pin in options.columns.iter() {
        // A row that is on pulls it up through a key.
        let _ = columns.push(pins.input(pin, Some(wire::Pull::Down))?);
    }
    Ok(Matrix::new(rows, columns))
}

/// Waits by doing nothing: some microseconds, for which no task is worth waking.
struct Spin;

impl DelayNs for Spin {
    fn delay_ns(&mut self, ns: u32) {
        embassy_time::block_for(embassy_time::Duration::from_micros(u64::from(ns.div_ceil(1_000))));
    }
}
