//! rumqttc-next, both versions: the same code over two libraries of the same shape.

/// One version of the library.
macro_rules! rumqtt {
    ($version:ident, $library:ident, $packet:path, $will:expr, $limit:expr, $pub_reason:expr, $sub_reason:expr) => {
        pub mod $version {
            use std::{thread, time::Instant};

            use tokio::{sync::mpsc, task::LocalSet};
            use $library::{
                AsyncClient, ConnectionError, Event, EventLoop, MqttOptions, PublishOptions,
                mqttbytes::QoS,
            };
            use $packet as Packet;

            use crate::harness::{
                client::{Backend, Connect, Message, Said},
                wait::Log,
            };

            /// Orders that may wait; a test gives one at a time.
            const WAITING_MAX: usize = 64;

            enum Order {
                Publish {
                    topic: String,
                    payload: Vec<u8>,
                    options: PublishOptions,
                },
                Leave,
            }

            /// A client on a thread of its own.
            pub struct Running {
                orders: mpsc::Sender<Order>,
                thread: thread::JoinHandle<()>,
            }

            /// Connects; all else is told through `said`.
            pub fn start(connect: &Connect, said: &Log<Said>) -> Running {
                let (orders, inbox) = mpsc::channel(WAITING_MAX);
                let (connect, said) = (connect.clone(), said.clone());
                let thread = thread::spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .enable_all()
                        .build()
                        .unwrap();
                    LocalSet::new().block_on(&runtime, run(connect, inbox, said));
                });
                Running { orders, thread }
            }

            impl Backend for Running {
                fn publish(&mut self, topic: &str, payload: &[u8], qos: u8, retain: bool) {
                    let qos = if qos == 0 {
                        QoS::AtMostOnce
                    } else {
                        QoS::AtLeastOnce
                    };
                    let order = Order::Publish {
                        topic: topic.to_owned(),
                        payload: payload.to_vec(),
                        options: PublishOptions::new(qos).retain(retain),
                    };
                    self.orders.blocking_send(order).expect("it still runs");
                }

                fn leave(self: Box<Self>) {
                    // It may have been thrown out before.
                    drop(self.orders.blocking_send(Order::Leave));
                    self.thread.join().expect("it ends in order");
                }

                fn vanish(self: Box<Self>) {
                    let Running { orders, thread } = *self;
                    drop(orders);
                    thread.join().expect("it ends in order");
                }
            }

            async fn run(connect: Connect, mut orders: mpsc::Receiver<Order>, said: Log<Said>) {
                let (client, events) = AsyncClient::builder(options(&connect))
                    .capacity(WAITING_MAX)
                    .build();
                let told =
                    tokio::task::spawn_local(listen(events, client.clone(), connect.filters, said));
                while let Some(order) = orders.recv().await {
                    match order {
                        Order::Publish {
                            topic,
                            payload,
                            options,
                        } => {
                            if client.publish(topic, payload, options).await.is_err() {
                                break;
                            }
                        }
                        Order::Leave => {
                            if client.disconnect().await.is_ok() {
                                drop(told.await);
                            }
                            return;
                        }
                    }
                }
                // Dropping the event loop closes the socket without a goodbye.
                told.abort();
            }

            fn options(connect: &Connect) -> MqttOptions {
                let mut options = MqttOptions::new(&connect.id, ("127.0.0.1", connect.port));
                options.set_keep_alive(30);
                $limit(&mut options);
                if let Some(login) = &connect.login {
                    options.set_credentials(login.user.clone(), login.password.clone());
                }
                if let Some(will) = &connect.will {
                    let (topic, payload) = (will.topic.clone(), will.payload.clone());
                    options.set_last_will($will(topic, payload));
                }
                options
            }

            async fn listen(
                mut events: EventLoop,
                client: AsyncClient,
                filters: Vec<String>,
                said: Log<Said>,
            ) {
                let mut grants = Vec::new();
                loop {
                    match events.poll().await {
                        Ok(Event::Incoming(Packet::ConnAck(_))) => {
                            said.push(Said::Connected);
                            for filter in &filters {
                                let asked = client.try_subscribe(filter, QoS::AtLeastOnce);
                                asked.expect("its queue has room");
                            }
                        }
                        Ok(Event::Incoming(Packet::SubAck(ack))) => {
                            grants.extend(ack.return_codes.iter().map($sub_reason));
                            if grants.len() == filters.len() {
                                said.push(Said::Subscribed(grants.clone()));
                            }
                        }
                        Ok(Event::Incoming(Packet::PubAck(ack))) => {
                            said.push(Said::Published($pub_reason(&ack)));
                        }
                        Ok(Event::Incoming(Packet::Publish(message))) => {
                            said.push(Said::Message(Message {
                                topic: String::from_utf8(message.topic.to_vec()).unwrap(),
                                payload: message.payload.to_vec(),
                                retain: message.retain,
                                qos: message.qos as u8,
                                at: Instant::now(),
                            }));
                        }
                        Ok(_) => {}
                        Err(ConnectionError::ConnectionRefused(code)) => {
                            said.push(Said::Refused(code as u8));
                            return;
                        }
                        Err(_) => {
                            said.push(Said::Lost);
                            return;
                        }
                    }
                }
            }
        }
    };
}

rumqtt!(
    v4,
    rumqttc,
    rumqttc::Packet,
    |topic: String, payload: String| {
        rumqttc::LastWill::new(topic, payload, QoS::AtLeastOnce, true)
    },
    |options: &mut rumqttc::MqttOptions| {
        options.set_max_packet_size(4 << 20, 4 << 20);
    },
    |_: &rumqttc::mqttbytes::v4::PubAck| 0,
    |code: &rumqttc::mqttbytes::v4::SubscribeReasonCode| match code {
        rumqttc::mqttbytes::v4::SubscribeReasonCode::Success(qos) => *qos as u8,
        rumqttc::mqttbytes::v4::SubscribeReasonCode::Failure => 0x80,
    }
);

rumqtt!(
    v5,
    rumqttc_v5,
    rumqttc_v5::mqttbytes::v5::Packet,
    |topic: String, payload: String| {
        rumqttc_v5::mqttbytes::v5::LastWill::new(topic, payload, QoS::AtLeastOnce, true, None)
    },
    |_: &mut rumqttc_v5::MqttOptions| {},
    |ack: &rumqttc_v5::mqttbytes::v5::PubAck| match ack.reason {
        // Nobody subscribes to it: the dispatcher itself is no subscriber.
        rumqttc_v5::mqttbytes::v5::PubAckReason::NoMatchingSubscribers => 0,
        reason => reason as u8,
    },
    |code: &rumqttc_v5::mqttbytes::v5::SubscribeReasonCode| match code {
        rumqttc_v5::mqttbytes::v5::SubscribeReasonCode::Success(qos) => *qos as u8,
        rumqttc_v5::mqttbytes::v5::SubscribeReasonCode::NotAuthorized => 0x87,
        _ => 0x80,
    }
);
