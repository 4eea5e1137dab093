//! The firmware's image on a virtual board, against the binary: real instructions, network packets and flash.

use crate::harness::{Board, Dispatcher, Flash, House, image};

const UDP: (&str, &str) = ("UDP__LISTEN", "127.0.0.1:0");

fn start(house: &House) -> Dispatcher<'_> {
    Dispatcher::start_with(house, &[], &[UDP])
}

/// Presses the desk's button and lets it go.
fn press(desk: &mut Board) {
    desk.wire("pin 10 1");
    desk.wire("pin 10 0");
}

#[test]
fn a_key_of_one_module_switches_the_lamp_of_another() {
    let Some(image) = image() else { return };
    let house = House::with_rules("");
    let dispatcher = start(&house);
    let boards = ["piano", "hall"].map(|name| {
        let flash = Flash::new(&house.identity(name), dispatcher.sealed());
        (Board::boot(&image, &flash), flash)
    });
    let [(mut piano, _piano_flash), (hall, _hall_flash)] = boards;
    hall.says(0, " up");
    piano.says(0, " up");
    dispatcher.device_is("piano", "is online", |it| it["online"] == true);
    dispatcher.device_is("hall", "is online", |it| it["online"] == true);
    piano.wire("serial 903c40");
    hall.says(0, "duty 4 1000 1000");
    dispatcher.device_is("hall", "reports", |hall| {
        hall["channels"]["lamp"]["reported"]["on"] == true
    });
    piano.wire("serial 903d40");
    let mark = hall.mark();
    hall.says(mark.saturating_sub(1), "duty 4 0 1000");
}

#[test]
fn a_module_whose_power_is_cut_is_as_it_should_be_when_it_is_back() {
    let Some(image) = image() else { return };
    let house = House::with_rules("");
    let dispatcher = start(&house);
    let flash = Flash::new(&house.identity("desk"), dispatcher.sealed());
    let mut desk = Board::boot(&image, &flash);
    desk.says(0, "boot 1");
    desk.says(0, " up");
    dispatcher.device_is("desk", "is online", |it| it["online"] == true);
    press(&mut desk);
    desk.says(0, "pin 4 1");
    dispatcher.device_is("desk", "reports", |desk| {
        desk["channels"]["lamp"]["reported"]["on"] == true
    });
    desk.cut_off();
    let desk = Board::boot(&image, &flash);
    desk.says(0, "boot 2");
    desk.says(0, "pin 4 1");
}
