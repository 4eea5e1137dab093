//! A network between a module and its dispatcher that a test can look into: it writes down what passes, and loses, doubles
//! and turns round what it is told to.

use std::{
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// How long it waits for a datagram before it lets go of one that it held back.
const PATIENCE: Duration = Duration::from_millis(4);

/// What becomes of datagrams, each out of a hundred.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// Are lost.
    pub lost: u64,
    /// Come twice.
    pub doubled: u64,
    /// Come after the next one.
    pub late: u64,
}

/// A datagram that passed, and whether it was on its way to the dispatcher.
pub type Seen = (bool, Vec<u8>);

/// The network; down once dropped.
pub struct Network {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    is_mute: Arc<AtomicBool>,
    ended: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Network {
    /// For one module, to the dispatcher at `to`.
    pub fn to(to: SocketAddr, faults: Faults, seed: u64) -> Self {
        let near = UdpSocket::bind("127.0.0.1:0").unwrap();
        let far = UdpSocket::bind("127.0.0.1:0").unwrap();
        far.connect(to).unwrap();
        for socket in [&near, &far] {
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
        }
        let address = near.local_addr().unwrap();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (is_mute, ended): (Arc<AtomicBool>, Arc<AtomicBool>) = Default::default();
        let module: Arc<Mutex<Option<SocketAddr>>> = Arc::default();
        let mut threads = Vec::new();
        for is_up in [true, false] {
            let (near, far) = (near.try_clone().unwrap(), far.try_clone().unwrap());
            let (seen, ended, module) = (seen.clone(), ended.clone(), module.clone());
            let is_mute = is_mute.clone();
            let mut dice = Dice(seed.wrapping_mul(2) + u64::from(is_up));
            threads.push(thread::spawn(move || {
                let mut room = [0; 2_048];
                let mut held: Option<Vec<u8>> = None;
                // A side that is gone comes back as an error.
                let send = |bytes: &[u8]| match (is_up, *module.lock().unwrap()) {
                    (true, _) => drop(far.send(bytes)),
                    (false, Some(to)) => drop(near.send_to(bytes, to)),
                    (false, None) => {}
                };
                while !ended.load(Ordering::Relaxed) {
                    let came = if is_up {
                        near.recv_from(&mut room).map(|(len, from)| {
                            *module.lock().unwrap() = Some(from);
                            len
                        })
                    } else {
                        far.recv(&mut room)
                    };
                    let Ok(len) = came else {
                        held.take().iter().for_each(|bytes| send(bytes));
                        continue;
                    };
                    let bytes = &room[..len];
                    seen.lock().unwrap().push((is_up, bytes.to_vec()));
                    let is_mute = is_up && is_mute.load(Ordering::Relaxed);
                    if is_mute || dice.below(100) < faults.lost {
                        continue;
                    }
                    if held.is_none() && dice.below(100) < faults.late {
                        held = Some(bytes.to_vec());
                        continue;
                    }
                    send(bytes);
                    if dice.below(100) < faults.doubled {
                        send(bytes);
                    }
                    held.take().iter().for_each(|bytes| send(bytes));
                }
            }));
        }
        Self {
            address,
            seen,
            is_mute,
            ended,
            threads,
        }
    }

    /// Where the module sends to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether nothing of what the module says gets through from now on.
    pub fn mute(&self, is_mute: bool) {
        self.is_mute.store(is_mute, Ordering::Relaxed);
    }

    /// All that was sent so far, also what was lost.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            drop(thread.join());
        }
    }
}

/// Knuth's numbers: the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = { self.0 }
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}
