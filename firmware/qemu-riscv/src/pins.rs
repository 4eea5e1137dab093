//! Pins that nothing hangs at but a test. It writes lines:
//!
//! - `pin 4 1`: the level that is put at an input
//! - `join 2 9`, `part 2 9`: two pins are connected, as by a key of a matrix, and no longer
//! - `analog 3 500`: what an analog input measures, in thousandths of its range
//! - `serial 903c40`: bytes of the serial line
//!
//! and reads what outputs do: `pin 5 1`, `duty 6 250 1000`.

use core::{cell::RefCell, convert::Infallible, future::poll_fn, task::Poll};

use critical_section::Mutex;
use embassy_sync::waitqueue::AtomicWaker;
use embedded_hal::{digital, pwm};
use heapless::{Deque, LinearMap, Vec};
use module::{NoPin, Pins};
use portable_atomic::{AtomicBool, Ordering};
use wire::{Pin, Pull};

use crate::console::{self, tell};

/// Pins in use at most: a keyboard has 32.
const PINS_MAX: usize = 64;
/// Keys that are held at most.
const JOINS_MAX: usize = 32;
const BYTES_MAX: usize = 256;
/// Steps from off to fully on.
const FULL: u16 = 1_000;

struct State {
    /// What a test puts at inputs.
    levels: LinearMap<u16, bool, PINS_MAX>,
    /// Outputs that are on.
    on: LinearMap<u16, bool, PINS_MAX>,
    joins: Vec<(u16, u16), JOINS_MAX>,
    analog: LinearMap<u16, u16, PINS_MAX>,
    bytes: Deque<u8, BYTES_MAX>,
}

static STATE: Mutex<RefCell<State>> = Mutex::new(RefCell::new(State {
    levels: LinearMap::new(),
    on: LinearMap::new(),
    joins: Vec::new(),
    analog: LinearMap::new(),
    bytes: Deque::new(),
}));
static CHANGED: AtomicBool = AtomicBool::new(false);
static WAKER: AtomicWaker = AtomicWaker::new();

fn with<T>(change: impl FnOnce(&mut State) -> T) -> T {
    critical_section::with(|section| change(&mut STATE.borrow(section).borrow_mut()))
}

/// Does what a line says; `false`: it says nothing.
pub(crate) fn take(line: &str) -> bool {
    let is_done = with(|state| state.take(line)).is_some();
    CHANGED.store(true, Ordering::Release);
    WAKER.wake();
    is_done
}

impl State {
    fn take(&mut self, line: &str) -> Option<()> {
        let mut words = line.split_whitespace();
        let word = words.next()?;
        if word == "serial" {
            let hex = words.next()?.as_bytes().as_chunks::<2>().0;
            for pair in hex {
                let byte = u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok()?;
                self.bytes.push_back(byte).ok()?;
            }
            return Some(());
        }
        let pin = Pin::parse(words.next()?)?.code();
        let argument = words.next()?;
        let other = || Some((pin, Pin::parse(argument)?.code()));
        match word {
            "pin" => self.levels.insert(pin, argument == "1").ok().map(drop),
            "analog" => self
                .analog
                .insert(pin, argument.parse().ok()?)
                .ok()
                .map(drop),
            "join" => self.joins.push(other()?).ok(),
            "part" => {
                let other = other()?;
                self.joins.retain(|join| *join != other);
                Some(())
            }
            _ => None,
        }
    }

    fn is_high(&self, pin: u16, pull: Option<Pull>) -> bool {
        let mut joins = self.joins.iter();
        let is_driven =
            joins.any(|(out, into)| *into == pin && self.on.get(out).copied().unwrap_or_default());
        let rests = pull == Some(Pull::Up);
        is_driven || self.levels.get(&pin).copied().unwrap_or(rests)
    }
}

/// All pins of the machine: as many as one likes.
#[derive(Debug)]
pub(crate) struct Bank;

impl Pins for Bank {
    type Error = Infallible;
    type In = Input;
    type Out = Output;
    type Pwm = Duty;

    fn input(&mut self, pin: Pin, pull: Option<Pull>) -> Result<Input, NoPin> {
        Ok(Input { pin, pull })
    }

    fn output(&mut self, pin: Pin) -> Result<Output, NoPin> {
        Ok(Output { pin })
    }

    fn pwm(&mut self, pin: Pin, _: u32) -> Result<Duty, NoPin> {
        Ok(Duty { pin })
    }

    fn analog(&mut self, pin: Pin) -> Result<f32, NoPin> {
        let thousandths = with(|state| state.analog.get(&pin.code()).copied());
        Ok(f32::from(thousandths.unwrap_or_default()) / f32::from(FULL))
    }

    fn serial(&mut self, _: Pin) -> Result<(), NoPin> {
        Ok(())
    }

    fn poll_byte(&mut self) -> Option<u8> {
        with(|state| state.bytes.pop_front())
    }

    async fn changed(&mut self) {
        poll_fn(|context| {
            WAKER.register(context.waker());
            // No line may come in between.
            critical_section::with(|_| {
                if CHANGED.swap(false, Ordering::Acquire) {
                    return Poll::Ready(());
                }
                // All that changed was looked at.
                console::listen(true);
                Poll::Pending
            })
        })
        .await;
    }
}

#[derive(Debug)]
pub(crate) struct Input {
    pin: Pin,
    pull: Option<Pull>,
}

impl digital::ErrorType for Input {
    type Error = Infallible;
}

impl digital::InputPin for Input {
    fn is_high(&mut self) -> Result<bool, Infallible> {
        Ok(with(|state| state.is_high(self.pin.code(), self.pull)))
    }

    fn is_low(&mut self) -> Result<bool, Infallible> {
        self.is_high().map(|is| !is)
    }
}

#[derive(Debug)]
pub(crate) struct Output {
    pin: Pin,
}

impl Output {
    fn set(&mut self, level: bool) {
        let pin = self.pin;
        let (was, is_key) = with(|state| {
            let joins = state.joins.iter();
            let is_key = joins.clone().any(|(out, _)| *out == pin.code());
            let was = state.on.insert(pin.code(), level);
            (was.ok().flatten(), is_key)
        });
        // A keyboard's rows go on and off all the time.
        if was != Some(level) && !is_key {
            tell(format_args!("pin {pin} {}", u8::from(level)));
        }
    }
}

impl digital::ErrorType for Output {
    type Error = Infallible;
}

impl digital::OutputPin for Output {
    fn set_low(&mut self) -> Result<(), Infallible> {
        self.set(false);
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        self.set(true);
        Ok(())
    }
}

#[derive(Debug)]
pub(crate) struct Duty {
    pin: Pin,
}

impl pwm::ErrorType for Duty {
    type Error = Infallible;
}

impl pwm::SetDutyCycle for Duty {
    fn max_duty_cycle(&self) -> u16 {
        FULL
    }

    fn set_duty_cycle(&mut self, duty: u16) -> Result<(), Infallible> {
        tell(format_args!("duty {} {duty} {FULL}", self.pin));
        Ok(())
    }
}
