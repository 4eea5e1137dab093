//! A module on QEMU's virtual RISC-V machine, which has the instructions of an ESP32-C3: `module`, the program of all boards,
//! with network and random numbers by virtio, flash by the machine's second flash chip, and pins that a test sets and reads
//! over the serial line.

#![no_std]
#![no_main]

mod clint;
mod console;
mod flash;
mod pins;
mod plic;
mod virtio;

use core::panic::PanicInfo;

use embassy_executor::{Executor, Spawner};
use embassy_net::{Config, Runner, Stack, StackResources};
use log::error;
use module::Board;
use static_cell::StaticCell;
use virtio::{Entropy, Net};

static EXECUTOR: StaticCell<Executor> = StaticCell::new();
/// Of the module's datagrams, DHCP and DNS.
static RESOURCES: StaticCell<StackResources<3>> = StaticCell::new();

#[riscv_rt::entry]
fn main() -> ! {
    console::begin();
    clint::begin();
    plic::begin();
    EXECUTOR.init(Executor::new()).run(start)
}

fn start(spawner: Spawner) {
    let mut random = Entropy::find();
    let net = Net::find();
    let mut seed = [0; 8];
    module::Random::fill(&mut random, &mut seed);
    let resources = RESOURCES.init(StackResources::new());
    let config = Config::dhcpv4(embassy_net::DhcpConfig::default());
    let (stack, runner) = embassy_net::new(net, config, resources, u64::from_le_bytes(seed));
    // Each is the first of its kind: there is room.
    spawner.spawn(network(runner).expect("the network's task is spawned once"));
    spawner.spawn(live(stack, random).expect("the module's task is spawned once"));
}

#[embassy_executor::task]
async fn network(mut runner: Runner<'static, Net>) -> ! {
    runner.run().await
}

#[embassy_executor::task]
async fn live(stack: Stack<'static>, random: Entropy) {
    let board = Board {
        pins: pins::Bank,
        flash: flash::Flash,
        partitions: flash::PARTITIONS,
        random,
    };
    let Err(why) = module::run(stack, board).await;
    error!("{why}");
    end(1);
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    error!("{info}");
    end(101);
}

/// Ends the machine: QEMU exits with this code.
fn end(code: u32) -> ! {
    const TEST: *mut u32 = 0x10_0000 as *mut u32;
    const FAIL: u32 = 0x3333;
    // SAFETY: the machine's test device takes a word there.
    unsafe { TEST.write_volatile(code << 16 | FAIL) };
    loop {
        riscv::asm::wfi();
    }
}
