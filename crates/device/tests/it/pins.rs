//! Pins by the traits of `embedded-hal`, played by what writes down what is done to it.

use std::{cell::RefCell, rc::Rc};

use device::{
    Drive, FULL, Moving, Sample,
    pins::{Knob, LampPins, Line, Matrix, Motor, Relay, ServoPin},
};
use embedded_hal::{
    delay::DelayNs,
    digital::{ErrorKind, ErrorType, InputPin, OutputPin},
    pwm::{self, SetDutyCycle},
};

/// What was done to all pins of a board, in its order.
type Log = Rc<RefCell<Vec<String>>>;

struct Pin {
    name: &'static str,
    is_high: bool,
    log: Log,
    breaks: bool,
}

impl Pin {
    fn new(name: &'static str, log: &Log) -> Self {
        Self {
            name,
            is_high: false,
            log: log.clone(),
            breaks: false,
        }
    }

    fn at(level: bool) -> Self {
        Self {
            is_high: level,
            ..Self::new("in", &Log::default())
        }
    }

    fn set(&mut self, level: bool) -> Result<(), ErrorKind> {
        if self.breaks {
            return Err(ErrorKind::Other);
        }
        self.is_high = level;
        self.log
            .borrow_mut()
            .push(format!("{} {}", self.name, u8::from(level)));
        Ok(())
    }
}

impl ErrorType for Pin {
    type Error = ErrorKind;
}

impl OutputPin for Pin {
    fn set_low(&mut self) -> Result<(), ErrorKind> {
        self.set(false)
    }
    fn set_high(&mut self) -> Result<(), ErrorKind> {
        self.set(true)
    }
}

impl InputPin for Pin {
    fn is_high(&mut self) -> Result<bool, ErrorKind> {
        if self.breaks {
            Err(ErrorKind::Other)
        } else {
            Ok(self.is_high)
        }
    }
    fn is_low(&mut self) -> Result<bool, ErrorKind> {
        self.is_high().map(|level| !level)
    }
}

/// A timer's output.
struct Pwm {
    most: u16,
    duty: Rc<RefCell<u16>>,
}

impl Pwm {
    fn new(most: u16) -> (Self, Rc<RefCell<u16>>) {
        let duty = Rc::new(RefCell::new(u16::MAX));
        (
            Self {
                most,
                duty: duty.clone(),
            },
            duty,
        )
    }
}

impl pwm::ErrorType for Pwm {
    type Error = pwm::ErrorKind;
}

impl SetDutyCycle for Pwm {
    fn max_duty_cycle(&self) -> u16 {
        self.most
    }
    fn set_duty_cycle(&mut self, duty: u16) -> Result<(), pwm::ErrorKind> {
        assert!(duty <= self.most);
        *self.duty.borrow_mut() = duty;
        Ok(())
    }
}

#[test]
fn a_relay_that_works_the_other_way_round_is_off_while_its_pin_is_high() {
    for (invert, on, expected) in [
        (false, true, "relay 1"),
        (false, false, "relay 0"),
        (true, true, "relay 0"),
        (true, false, "relay 1"),
    ] {
        let log = Log::default();
        let mut relay = Relay::new(Pin::new("relay", &log), invert);
        relay.drive(Drive::Level(on)).expect("the pin works");
        relay.drive(Drive::Lamp([FULL; 4])).expect("not for it");
        assert_eq!(*log.borrow(), [expected]);
    }
}

#[test]
fn a_level_becomes_its_part_of_what_the_timer_can() {
    for (most, level, expected) in [
        (1_000, 0, 0),
        (1_000, FULL, 1_000),
        (u16::MAX, FULL, u16::MAX),
        (255, 5_000, 128),
        (1_000, 4_000, 400),
        (100, u16::MAX, 100),
    ] {
        let (pwm, duty) = Pwm::new(most);
        let drive = Drive::Lamp([FULL, FULL, FULL, level]);
        LampPins::dimmer(pwm, false)
            .drive(drive)
            .expect("the timer works");
        assert_eq!(*duty.borrow(), expected, "{most} {level}");
        let (pwm, duty) = Pwm::new(most);
        LampPins::dimmer(pwm, true)
            .drive(drive)
            .expect("the timer works");
        assert_eq!(*duty.borrow(), most - expected, "{most} {level}");
    }
}

#[test]
fn each_colour_has_its_pin_where_there_is_one() {
    let ((red, red_duty), (blue, blue_duty)) = (Pwm::new(1_000), Pwm::new(1_000));
    let mut light = LampPins::light([Some(red), None, Some(blue), None], false);
    light
        .drive(Drive::Lamp([1_000, 2_000, 3_000, 4_000]))
        .expect("the timers work");
    assert_eq!((*red_duty.borrow(), *blue_duty.borrow()), (100, 300));
}

#[test]
fn a_motor_is_never_switched_on_both_ways() {
    let log = Log::default();
    let mut motor = Motor::new(Pin::new("up", &log), Pin::new("down", &log), false);
    for moving in [Moving::Opening, Moving::Closing, Moving::Stopped] {
        motor.drive(Drive::Cover(moving)).expect("the pins work");
    }
    assert_eq!(
        *log.borrow(),
        ["down 0", "up 1", "up 0", "down 1", "up 0", "down 0"]
    );
}

#[test]
fn where_a_way_cannot_be_switched_off_the_other_is_not_switched_on_and_stop_stops_what_it_can() {
    let log = Log::default();
    let broken = Pin {
        breaks: true,
        ..Pin::new("up", &log)
    };
    let mut motor = Motor::new(broken, Pin::new("down", &log), false);
    assert!(motor.drive(Drive::Cover(Moving::Closing)).is_err());
    assert!(log.borrow().is_empty());
    assert!(motor.drive(Drive::Cover(Moving::Stopped)).is_err());
    assert_eq!(*log.borrow(), ["down 0"]);
}

#[test]
fn an_angle_becomes_a_pulse_of_one_to_two_milliseconds() {
    let (pwm, duty) = Pwm::new(20_000);
    let mut servo = ServoPin::new(pwm, -90.0, 90.0);
    for (angle, expected) in [
        (Some(-90.0), 1_000),
        (Some(0.0), 1_500),
        (Some(90.0), 2_000),
        (Some(500.0), 2_000),
        (Some(f32::NAN), 1_000),
        (None, 0),
    ] {
        servo.drive(Drive::Angle(angle)).expect("the timer works");
        assert_eq!(*duty.borrow(), expected, "{angle:?}");
    }
}

#[test]
fn an_input_that_works_the_other_way_round_is_read_so() {
    for (level, invert) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut line = Line::new(Pin::at(level), invert);
        assert_eq!(line.sample(), Ok(Sample::Level(level != invert)));
        let mut knob = Knob::new(Pin::at(level), Pin::at(!level), invert);
        let expected = Sample::Quadrature(level != invert, level == invert);
        assert_eq!(knob.sample(), Ok(expected));
    }
}

/// A row, and a column that conducts for some of them.
struct Wire {
    rows: Rc<RefCell<[bool; 2]>>,
    of: usize,
    keys: [bool; 2],
}

impl ErrorType for Wire {
    type Error = ErrorKind;
}

impl OutputPin for Wire {
    fn set_low(&mut self) -> Result<(), ErrorKind> {
        self.rows.borrow_mut()[self.of] = false;
        Ok(())
    }
    fn set_high(&mut self) -> Result<(), ErrorKind> {
        assert_eq!(*self.rows.borrow(), [false; 2], "one row at a time");
        self.rows.borrow_mut()[self.of] = true;
        Ok(())
    }
}

impl InputPin for Wire {
    fn is_high(&mut self) -> Result<bool, ErrorKind> {
        if self.of == 9 {
            return Err(ErrorKind::Other);
        }
        let rows = self.rows.borrow();
        Ok(rows.iter().zip(self.keys).any(|(on, key)| *on && key))
    }
    fn is_low(&mut self) -> Result<bool, ErrorKind> {
        self.is_high().map(|level| !level)
    }
}

struct Patience(u32);

impl DelayNs for Patience {
    fn delay_ns(&mut self, ns: u32) {
        self.0 += ns;
    }
}

#[test]
fn a_matrix_is_read_row_by_row_and_no_row_stays_on() {
    let rows = Rc::new(RefCell::new([false; 2]));
    let wire = |of, keys| Wire {
        rows: rows.clone(),
        of,
        keys,
    };
    let columns = [
        wire(0, [true, false]),
        wire(0, [false, true]),
        wire(0, [true, true]),
    ];
    let mut matrix = Matrix::new([0, 1].map(|of| wire(of, [false; 2])), columns);
    let mut patience = Patience(0);
    assert_eq!(
        matrix.sample(&mut patience),
        Ok(Sample::Keys(&[0b101, 0b110]))
    );
    assert_eq!(patience.0, 10_000);
    assert_eq!(*rows.borrow(), [false; 2]);
    // A column that can't be read leaves none on either.
    let mut broken = Matrix::new([0, 1].map(|of| wire(of, [false; 2])), [wire(9, [false; 2])]);
    assert!(broken.sample(&mut patience).is_err());
    assert_eq!(*rows.borrow(), [false; 2]);
}
