//! Real sockets and real clients: rumqttc for both versions, mosquitto's tools where they are
//! installed, and raw sockets for what a decent client doesn't do.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    future::Future,
    process::{Command, Output},
    rc::Rc,
    time::{Duration, Instant as Clock},
};

use broker::{Core, Limits, Version, password, tcp::Server};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::oneshot,
    task::{JoinHandle, LocalSet, spawn_blocking, spawn_local, yield_now},
};
use types::{InputNo, Instant, Now, UnixTime};

use crate::harness::{self, Got, Relay, decode, message, own, packet, qos, text, v3, v5};

/// A broker on a port of its own.
pub struct Wire {
    port: u16,
    server: Server<Relay>,
    /// How often the broker asked what time it is.
    looks: Rc<Cell<u64>>,
    /// How far its clock is ahead of ours.
    ahead: Rc<Cell<Duration>>,
    stop: RefCell<Option<oneshot::Sender<()>>>,
    served: RefCell<Option<JoinHandle<std::io::Result<()>>>>,
}

/// Messages closer together than this are a burst: longer than a slow machine takes between two of them.
const BURST_PAUSE_MAX: Duration = Duration::from_secs(10);

/// Runs a test next to a broker, on the thread they share.
pub fn with_broker<F: Future<Output = ()>>(limits: Limits, test: impl FnOnce(Rc<Wire>) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let local = LocalSet::new();
    local.block_on(&runtime, async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let start = Clock::now();
        let (looks, ahead) = (Rc::new(Cell::new(0)), Rc::new(Cell::default()));
        let (counted, skipped) = (Rc::clone(&looks), Rc::<Cell<Duration>>::clone(&ahead));
        let clock = move || {
            counted.set(counted.get() + 1);
            Now {
                at: Instant((start.elapsed() + skipped.get()).as_micros() as u64),
                wall: UnixTime(0),
                synced: false,
            }
        };
        let core = Rc::new(RefCell::new(Core::new(limits)));
        let app = Rc::new(RefCell::new(Relay::default()));
        let server = Server::new(core, app, clock, BURST_PAUSE_MAX);
        let (stop, stopped) = oneshot::channel();
        let serving = server.clone();
        let served = spawn_local(async move {
            serving
                .serve(vec![listener.into()], async { drop(stopped.await) })
                .await
        });
        let wire = Wire {
            port,
            server,
            looks,
            ahead,
            stop: RefCell::new(Some(stop)),
            served: RefCell::new(Some(served)),
        };
        let wire = Rc::new(wire);
        tokio::time::timeout(Duration::from_secs(60), test(wire))
            .await
            .expect("in time");
    });
}

impl Wire {
    /// A socket that has not said anything yet.
    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).await.unwrap()
    }

    async fn raw(&self, hello: &harness::Hello) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        stream.write_all(&hello.packet()).await.unwrap();
        stream
    }

    /// Lets everything run until the broker has come so far.
    async fn until(&self, reached: impl Fn(&Core, &Relay) -> bool) {
        while !self.server.enter(|core, app, _| reached(core, app)) {
            yield_now().await;
        }
    }

    /// Lets this much time pass for the broker.
    fn skip(&self, time: Duration) {
        self.ahead.set(self.ahead.get() + time);
    }

    async fn subscriptions(&self, count: usize) {
        self.until(|core, _| core.stats().subscriptions == count)
            .await;
    }

    fn send(&self, topic: &str, payload: &str) {
        let message = own(topic, payload).qos(qos(1));
        self.server
            .enter(|core, app, now| core.publish(now, &message, app));
    }
}

/// Reads until there are so many packets, or the end.
pub async fn read_packets(stream: &mut TcpStream, version: Version, count: usize) -> Vec<Got> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 65_536];
    loop {
        let whole = whole_packets(&bytes);
        if whole.1 >= count {
            return decode(&bytes[..whole.0], version);
        }
        match stream.read(&mut buffer).await {
            Ok(len) if len > 0 => bytes.extend_from_slice(&buffer[..len]),
            _ => return decode(&bytes[..whole.0], version),
        }
    }
}

/// Bytes and number of whole packets.
fn whole_packets(bytes: &[u8]) -> (usize, usize) {
    let (mut used, mut count) = (0, 0);
    loop {
        let (mut len, mut at) = (0, used + 1);
        loop {
            let Some(byte) = bytes.get(at) else {
                return (used, count);
            };
            len |= usize::from(byte & 0x7F) << (7 * (at - used - 1));
            at += 1;
            if byte & 0x80 == 0 {
                break;
            }
        }
        if bytes.len() < at + len {
            return (used, count);
        }
        used = at + len;
        count += 1;
    }
}

fn subscribe_packet(version: Version, filter: &str, qos: u8) -> Vec<u8> {
    let mut body = vec![0, 1];
    body.extend(vec![0; usize::from(version == Version::V5)]);
    body.extend(text(filter));
    body.push(qos);
    packet(0x82, &body)
}

/// The same tests with each version of rumqttc.
macro_rules! rumqttc_tests {
    ($version:ident, $client:ident, $packet:path, $session:expr, $will:expr) => {
        mod $version {
            use super::*;
            use $client::{
                AsyncClient, Event, EventLoop, MqttOptions, PublishOptions, mqttbytes::QoS,
            };
            use $packet as Packet;

            const QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

            fn options(wire: &Wire, id: &str) -> MqttOptions {
                MqttOptions::new(id, ("127.0.0.1", wire.port))
            }

            fn client(options: MqttOptions) -> (AsyncClient, EventLoop) {
                AsyncClient::builder(options).capacity(100).build()
            }

            /// Payloads of the next so many messages.
            async fn receive(events: &mut EventLoop, count: usize) -> Vec<String> {
                let mut payloads = Vec::new();
                while payloads.len() < count {
                    if let Event::Incoming(Packet::Publish(publish)) = events.poll().await.unwrap()
                    {
                        payloads.push(String::from_utf8(publish.payload.to_vec()).unwrap());
                    }
                }
                payloads
            }

            async fn run(mut events: EventLoop) {
                while events.poll().await.is_ok() {}
            }

            #[test]
            fn messages_of_every_qos_arrive_in_order() {
                with_broker(Limits::default(), |wire| async move {
                    for qos in QOS {
                        let (reader, mut inbox) = client(options(&wire, "reader"));
                        reader.subscribe("house/#", qos).await.unwrap();
                        let (writer, outbox) = client(options(&wire, "writer"));
                        let running = spawn_local(run(outbox));
                        let receiving = spawn_local(async move { receive(&mut inbox, 300).await });
                        wire.subscriptions(1).await;
                        for number in 0..300 {
                            let options = PublishOptions::new(qos);
                            writer
                                .publish("house/lamp", number.to_string(), options)
                                .await
                                .unwrap();
                        }
                        let got = receiving.await.unwrap();
                        assert_eq!(got, (0..300).map(|n| n.to_string()).collect::<Vec<_>>());
                        running.abort();
                        wire.subscriptions(0).await;
                    }
                });
            }

            #[test]
            fn a_lost_client_has_its_will_published() {
                with_broker(Limits::default(), |wire| async move {
                    let (reader, mut inbox) = client(options(&wire, "reader"));
                    reader
                        .subscribe("+/availability", QoS::AtLeastOnce)
                        .await
                        .unwrap();
                    let receiving = spawn_local(async move { receive(&mut inbox, 1).await });
                    wire.subscriptions(1).await;
                    let mut dying = options(&wire, "dying");
                    dying.set_last_will($will);
                    let (_dying, mut events) = client(dying);
                    events.poll().await.unwrap();
                    drop(events);
                    assert_eq!(receiving.await.unwrap(), ["offline"]);
                });
            }

            #[test]
            fn a_session_keeps_what_came_while_its_client_was_away() {
                with_broker(Limits::default(), |wire| async move {
                    let mut keeps = options(&wire, "reader");
                    $session(&mut keeps);
                    let (reader, mut inbox) = client(keeps.clone());
                    reader.subscribe("t", QoS::AtLeastOnce).await.unwrap();
                    let polling = spawn_local(async move { receive(&mut inbox, 1).await });
                    wire.subscriptions(1).await;
                    wire.send("t", "here");
                    polling.await.unwrap();
                    wire.until(|_, app| {
                        app.log.iter().any(|line| line.starts_with("disconnected"))
                    })
                    .await;
                    for number in 0..50 {
                        wire.send("t", &number.to_string());
                    }
                    // Its own memory of the session is gone; the broker's is not.
                    let (_again, mut inbox) = client(keeps);
                    let mut got = Vec::new();
                    while got.last().is_none_or(|last| last != "49") {
                        if let Ok(Event::Incoming(Packet::Publish(publish))) = inbox.poll().await {
                            got.push(String::from_utf8(publish.payload.to_vec()).unwrap());
                        }
                    }
                    got.retain(|payload| payload != "here");
                    assert_eq!(got, (0..50).map(|n| n.to_string()).collect::<Vec<_>>());
                });
            }

            #[test]
            fn passwords_of_both_kinds_are_checked() {
                with_broker(Limits::default(), |wire| async move {
                    let chosen = password::hash_chosen("open sesame", &[1; 16]).unwrap();
                    wire.server.enter(|_, app, _| {
                        app.hashes.insert("ann".into(), chosen);
                        app.hashes
                            .insert("lamp".into(), password::hash_generated("00ff"));
                    });
                    for (user, password, fits) in [
                        ("ann", "open sesame", true),
                        ("ann", "open", false),
                        ("lamp", "00ff", true),
                        ("lamp", "00fe", false),
                    ] {
                        let mut login = options(&wire, user);
                        login.set_credentials(user, password);
                        let (_client, mut events) = client(login);
                        assert_eq!(events.poll().await.is_ok(), fits, "{user} {password}");
                    }
                });
            }
        }
    };
}

rumqttc_tests!(
    rumqttc_v4_client,
    rumqttc,
    rumqttc::Packet,
    |options: &mut rumqttc::MqttOptions| {
        options.set_clean_session(false);
    },
    rumqttc::LastWill::new("dying/availability", "offline", QoS::AtLeastOnce, false)
);

rumqttc_tests!(
    rumqttc_v5_client,
    rumqttc_v5,
    rumqttc_v5::mqttbytes::v5::Packet,
    |options: &mut rumqttc_v5::MqttOptions| {
        options.set_clean_start(false);
        options.set_session_expiry_interval(Some(3_600));
        let policy = rumqttc_v5::BrokerSessionResumePolicy::AllowBrokerOnly;
        options.set_broker_session_resume_policy(policy);
    },
    rumqttc_v5::mqttbytes::v5::LastWill::new(
        "dying/availability",
        "offline",
        QoS::AtLeastOnce,
        false,
        None
    )
);

#[test]
fn acks_leave_when_the_store_reports_from_its_thread() {
    with_broker(Limits::default(), |wire| async move {
        wire.server.enter(|_, app, _| app.journal = true);
        let mut stream = wire.raw(&v3("writer")).await;
        for id in 1..=3 {
            let send = message("t", "x").qos(1, id);
            stream.write_all(&send.packet(Version::V3)).await.unwrap();
        }
        wire.until(|_, app| app.inputs == 3).await;
        let durable = wire.server.durable();
        std::thread::spawn(move || durable.report(InputNo(3)));
        let got = read_packets(&mut stream, Version::V3, 4).await;
        assert_eq!(
            got[1..],
            [Got::Puback(1, 0), Got::Puback(2, 0), Got::Puback(3, 0)]
        );
    });
}

#[test]
fn a_client_that_reads_late_gets_everything_that_its_queue_held() {
    with_broker(Limits::default(), |wire| async move {
        let mut stream = wire.raw(&v3("late")).await;
        stream
            .write_all(&subscribe_packet(Version::V3, "t", 0))
            .await
            .unwrap();
        wire.subscriptions(1).await;
        // More than a socket takes, so that messages have to wait in the broker.
        let mut sent = 0;
        let waits = |core: &Core| core.stats().queued_bytes > 100_000;
        while !wire.server.enter(|core, _, _| waits(core)) {
            let payload = format!("{sent:05}{}", "x".repeat(2_000));
            wire.server
                .enter(|core, app, now| core.publish(now, &own("t", &payload), app));
            sent += 1;
        }
        let got = read_packets(&mut stream, Version::V3, sent + 2).await;
        let numbers = got.iter().filter_map(|got| match got {
            Got::Publish(delivered) => delivered.payload[..5].parse::<usize>().ok(),
            _ => None,
        });
        assert_eq!(numbers.collect::<Vec<_>>(), (0..sent).collect::<Vec<_>>());
    });
}

#[test]
fn a_client_that_never_reads_is_cut_off_and_disturbs_nobody() {
    with_broker(Limits::default(), |wire| async move {
        let mut dead = wire.raw(&v5("dead")).await;
        dead.write_all(&subscribe_packet(Version::V5, "#", 0))
            .await
            .unwrap();
        let mut alive = wire.raw(&v3("alive")).await;
        alive
            .write_all(&subscribe_packet(Version::V3, "small", 0))
            .await
            .unwrap();
        wire.subscriptions(2).await;
        let payload = "x".repeat(10_000);
        while wire.server.enter(|core, _, _| core.stats().slow_readers) == 0 {
            wire.server
                .enter(|core, app, now| core.publish(now, &own("large", &payload), app));
        }
        wire.send("small", "fine");
        let got = read_packets(&mut alive, Version::V3, 3).await;
        assert_eq!(harness::brief(&got)[2..], ["small=fine q0"]);
        wire.until(|core, _| core.stats().connections == 1).await;
    });
}

#[test]
fn a_client_that_reads_byte_by_byte_is_cut_off_in_time() {
    let mut limits = Limits::default();
    limits.stall_timeout_s = 1;
    with_broker(limits, |wire| async move {
        let mut slow = wire.raw(&v3("slow")).await;
        slow.write_all(&subscribe_packet(Version::V3, "t", 0))
            .await
            .unwrap();
        wire.subscriptions(1).await;
        // As much as its socket takes, and then a little.
        let payload = "x".repeat(10_000);
        while wire.server.enter(|core, _, _| core.stats().stuck_bytes) == 0 {
            wire.server
                .enter(|core, app, now| core.publish(now, &own("t", &payload), app));
        }
        let mut byte = [0];
        while wire.server.enter(|core, _, _| core.stats().stalls) == 0 {
            slow.read_exact(&mut byte).await.unwrap();
            yield_now().await;
        }
        wire.until(|core, _| core.stats().connections == 0).await;
        assert_eq!(wire.server.enter(|core, _, _| core.stats().stuck_bytes), 0);
    });
}

#[test]
fn an_address_that_floods_keeps_no_other_out() {
    with_broker(Limits::default(), |wire| async move {
        let port = wire.port;
        let from = move |address: [u8; 4]| {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind((address, 0).into()).unwrap();
            socket.connect(([127, 0, 0, 1], port).into())
        };
        let mut flood = Vec::new();
        for _ in 0..300 {
            flood.push(from([127, 0, 0, 2]).await.unwrap());
        }
        wire.until(|core, app| {
            let denied = app.log.iter().filter(|line| line.contains("accept"));
            denied.count() as u64 == core.stats().refused_at_accept
                && core.stats().refused_at_accept > 100
        })
        .await;
        // It goes on, and another address gets in at its first try.
        let flooding = spawn_local(async move {
            loop {
                flood.push(from([127, 0, 0, 2]).await.unwrap());
                flood.remove(0);
            }
        });
        let start = Clock::now();
        let mut module = from([127, 0, 0, 3]).await.unwrap();
        module.write_all(&v3("module").packet()).await.unwrap();
        let got = read_packets(&mut module, Version::V3, 1).await;
        assert!(matches!(got[0], Got::Connack { code: 0, .. }), "{got:?}");
        assert!(start.elapsed() < Duration::from_secs(1));
        flooding.abort();
    });
}

#[test]
fn a_client_that_sends_without_end_gets_its_turns_and_no_more() {
    with_broker(Limits::default(), |wire| async move {
        let tiny = [0x30, 3, 0, 1, b'a'];
        let flood = tiny.repeat(20_000);
        let mut flooders = Vec::new();
        let mut module = wire.raw(&v3("module")).await;
        read_packets(&mut module, Version::V3, 1).await;
        for name in ["a", "b", "c"] {
            let mut flooder = wire.raw(&v3(name)).await;
            read_packets(&mut flooder, Version::V3, 1).await;
            flooders.push(flooder);
        }
        // All that the sockets take, before the broker reads any of it.
        for flooder in &mut flooders {
            let mut sent = 0;
            while let Ok(written) = flooder.try_write(&flood[sent % tiny.len()..]) {
                sent += written;
            }
            assert!(sent > 1 << 20, "{sent}");
        }
        module.try_write(&[0xC0, 0]).unwrap();
        let got = read_packets(&mut module, Version::V3, 1).await;
        assert_eq!(got, [Got::Pong]);
        let taken = wire.server.enter(|core, _, _| core.stats().messages_in) as usize * tiny.len();
        assert!(
            taken <= 3 * 4 * (16 << 10),
            "{taken} bytes of the others came first"
        );
    });
}

#[test]
fn a_refusal_reaches_a_client_that_already_sent_more() {
    with_broker(Limits::default(), |wire| async move {
        wire.server
            .enter(|_, app, _| app.refuse = Some(broker::Refusal::Banned));
        let mut stream = wire.raw(&v5("banned")).await;
        let _ = stream
            .write_all(&message("t", "x").packet(Version::V5))
            .await;
        let got = read_packets(&mut stream, Version::V5, 2).await;
        assert_eq!(
            got,
            [Got::Connack {
                present: false,
                code: 0x8A
            }]
        );
    });
}

#[test]
fn rubbish_is_closed_at_once() {
    with_broker(Limits::default(), |wire| async move {
        let mut stream = TcpStream::connect(("127.0.0.1", wire.port)).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        assert_eq!(read_packets(&mut stream, Version::V3, 1).await, []);
        wire.until(|core, _| core.stats().connections == 0).await;
    });
}

/// How often the broker asks for the time in this many turns of the runtime, in which nothing comes: in each where it polls.
async fn looks(wire: &Wire) -> u64 {
    let before = wire.looks.get();
    for _ in 0..TURNS {
        yield_now().await;
    }
    wire.looks.get() - before
}

const TURNS: u64 = 200;

#[test]
fn messages_of_a_burst_are_polled_for_and_nothing_else_is() {
    with_broker(Limits::default(), |wire| async move {
        let mut client = wire.raw(&v3("keys")).await;
        read_packets(&mut client, Version::V3, 1).await;
        let mut hidden = TcpStream::connect(("127.0.0.1", wire.port)).await.unwrap();
        wire.until(|core, _| core.stats().connections == 2).await;
        let ping = packet(0xC0, b"");
        let key = message("keys/60", "on").packet(Version::V3);
        for _ in 0..5 {
            let before = wire.server.enter(|core, _, _| core.stats().bytes_in);
            client.write_all(&ping).await.unwrap();
            read_packets(&mut client, Version::V3, 1).await;
            hidden.write_all(b"\x10").await.unwrap();
            wire.until(|core, _| core.stats().bytes_in == before + 3)
                .await;
            assert_eq!(looks(&wire).await, 0, "nothing was said");
        }
        client.write_all(&key).await.unwrap();
        wire.until(|core, _| core.stats().messages_in == 1).await;
        assert_eq!(looks(&wire).await, 0, "one alone is no burst");
        client.write_all(&key).await.unwrap();
        wire.until(|core, _| core.stats().messages_in == 2).await;
        assert!(looks(&wire).await >= TURNS / 2);
        wire.skip(BURST_PAUSE_MAX);
        looks(&wire).await;
        assert_eq!(looks(&wire).await, 0, "it is over");
    });
}

#[test]
fn a_socket_without_connect_is_closed_in_time() {
    let mut limits = Limits::default();
    limits.connect_timeout_s = 1;
    with_broker(limits, |wire| async move {
        let mut stream = TcpStream::connect(("127.0.0.1", wire.port)).await.unwrap();
        let start = Clock::now();
        assert_eq!(read_packets(&mut stream, Version::V3, 1).await, []);
        assert!(start.elapsed() >= Duration::from_millis(900));
    });
}

#[test]
fn shutdown_says_goodbye_and_returns() {
    with_broker(Limits::default(), |wire| async move {
        let mut stream = wire.raw(&v5("a").will("w", "x", 0, false)).await;
        wire.until(|_, app| app.log.len() == 1).await;
        drop(wire.stop.take());
        let got = read_packets(&mut stream, Version::V5, 3).await;
        assert_eq!(got[1..], [Got::Disconnect(0x8B)]);
        drop(stream);
        let served = wire.served.take().unwrap();
        served.await.unwrap().unwrap();
        let log = wire.server.enter(|_, app, _| app.log.clone());
        assert_eq!(log[1..], ["disconnected anyone/a Shutdown siblings 0"]);
        assert!(TcpStream::connect(("127.0.0.1", wire.port)).await.is_err());
    });
}

/// Whether mosquitto's tools are there; a test without them says so and passes, unless the
/// environment demands them.
#[allow(
    clippy::print_stdout,
    reason = "who reads the test's output is to know"
)]
fn mosquitto_is_installed() -> bool {
    let installed = Command::new("mosquitto_pub").arg("--help").output().is_ok();
    if !installed {
        let required = std::env::var_os("IOT_CONTROL_REQUIRE_PEERS").is_some_and(|v| v == "1");
        assert!(
            !required,
            "mosquitto_pub and mosquitto_sub are required: install mosquitto-clients"
        );
        println!("skipped: not installed");
    }
    installed
}

async fn mosquitto(tool: &'static str, port: u16, args: &[&str]) -> Output {
    let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
    let run = move || {
        let mut command = Command::new(tool);
        command
            .args(["-h", "127.0.0.1", "-p", &port.to_string()])
            .args(args);
        command.output().unwrap()
    };
    spawn_blocking(run).await.unwrap()
}

#[test]
fn mosquittos_tools_talk_to_each_other_at_every_qos_and_version() {
    if !mosquitto_is_installed() {
        return;
    }
    with_broker(Limits::default(), |wire| async move {
        for version in ["311", "5"] {
            for qos in ["0", "1", "2"] {
                let port = wire.port;
                let reading = spawn_local(async move {
                    let args = [
                        "-V", version, "-t", "house/#", "-q", qos, "-C", "2", "-W", "20", "-v",
                    ];
                    mosquitto("mosquitto_sub", port, &args).await
                });
                wire.subscriptions(1).await;
                for payload in ["one", "two"] {
                    let args = ["-V", version, "-t", "house/lamp", "-m", payload, "-q", qos];
                    let output = mosquitto("mosquitto_pub", port, &args).await;
                    assert!(output.status.success(), "{output:?}");
                }
                let output = reading.await.unwrap();
                let text = String::from_utf8_lossy(&output.stdout);
                assert_eq!(
                    text, "house/lamp one\nhouse/lamp two\n",
                    "{version} {qos} {output:?}"
                );
                wire.subscriptions(0).await;
            }
        }
    });
}

#[test]
fn mosquitto_sub_gets_retained_messages_and_properties() {
    if !mosquitto_is_installed() {
        return;
    }
    with_broker(Limits::default(), |wire| async move {
        let publish = [
            "-V",
            "5",
            "-t",
            "house/state",
            "-m",
            "on",
            "-q",
            "1",
            "-r",
            "-D",
            "publish",
            "user-property",
            "room",
            "hall",
            "-D",
            "publish",
            "message-expiry-interval",
            "100",
        ];
        let output = mosquitto("mosquitto_pub", wire.port, &publish).await;
        assert!(output.status.success(), "{output:?}");
        let read = [
            "-V",
            "5",
            "-t",
            "#",
            "-C",
            "1",
            "-W",
            "20",
            "-F",
            "%t %p %r %P",
        ];
        let output = mosquitto("mosquitto_sub", wire.port, &read).await;
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(text, "house/state on 1 room:hall\n", "{output:?}");
    });
}

#[test]
fn mosquitto_pub_reports_a_refusal() {
    if !mosquitto_is_installed() {
        return;
    }
    with_broker(Limits::default(), |wire| async move {
        wire.server.enter(|_, app, _| {
            app.hashes = HashMap::from([("ann".to_owned(), password::hash_generated("right"))])
                .into_iter()
                .collect();
            app.users
                .insert("ann".into(), harness::access("ann", &["ann/#"], &[]));
        });
        let wrong = ["-u", "ann", "-P", "wrong", "-t", "ann/x", "-m", "x"];
        let output = mosquitto("mosquitto_pub", wire.port, &wrong).await;
        assert!(!output.status.success());
        let foreign = [
            "-V", "5", "-u", "ann", "-P", "right", "-t", "bob/x", "-m", "x", "-q", "1",
        ];
        let output = mosquitto("mosquitto_pub", wire.port, &foreign).await;
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(text.contains("Not authorized"), "{output:?}");
    });
}
