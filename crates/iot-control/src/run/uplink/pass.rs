//! One connection to the external broker: whose the house is, what crosses over, and in which order it is acknowledged.

use std::{collections::VecDeque, future::pending, time::Duration};

use dispatcher::Outside;
use rumqttc_v5::{
    AsyncClient, ClientError, ManualAck, PublishNotice, PublishNoticeError, PublishOptions,
    SubscribeFilterInput,
    mqttbytes::{
        QoS,
        v5::{Publish, PublishProperties},
    },
};
use tokio::{sync::mpsc, time::timeout};

use super::{
    AVAILABILITY, Road,
    claim::{ASK, CLAIM, Claim},
    reason,
    session::{End, Said},
};

/// How long a dispatcher that is alive may take to say so.
const ANSWER_MAX: Duration = Duration::from_secs(3);

/// How long the external broker may take to answer a subscription.
const SUBSCRIBED_MAX: Duration = Duration::from_secs(30);

/// Acknowledgements that wait for the other end.
const WAITING_MAX: usize = 256;

/// Why a connection is over.
pub(super) enum Ended {
    /// To be tried again.
    Lost(String),
    /// We were asked to end.
    Stopped,
    /// Another dispatcher was there before.
    Yields(String),
}

impl From<ClientError> for Ended {
    fn from(error: ClientError) -> Self {
        Self::Lost(error.to_string())
    }
}

/// Looks for another dispatcher, and claims the house where none answers. Gives what else was heard meanwhile.
pub(super) async fn claimed(outside: &mut End, claim: &Claim) -> Result<VecDeque<Publish>, Ended> {
    let filters = [CLAIM, ASK].map(|topic| SubscribeFilterInput::new(topic, QoS::AtLeastOnce));
    subscribe(&outside.client, filters).await?;
    // Our own question comes back after what lies retained.
    say(&outside.client, ASK, claim.id.clone(), false).await?;
    let mut early = VecDeque::new();
    let mut was_claimed = false;
    loop {
        let message = next(outside).await?;
        match topic(&message) {
            CLAIM => was_claimed |= claim.of_other(&message.payload).is_some(),
            ASK if message.payload == claim.id.as_bytes() => {
                outside.client.ack(&message).await?;
                break;
            }
            ASK => {}
            _ => {
                early.push_back(message);
                continue;
            }
        }
        outside.client.ack(&message).await?;
    }
    if was_claimed {
        let answered = timeout(ANSWER_MAX, answer(outside, claim, &mut early)).await;
        if let Ok(ended) = answered {
            outside.leave().await;
            return Err(ended?);
        }
    }
    say(&outside.client, CLAIM, claim.text(), true).await?;
    Ok(early)
}

/// Waits until a dispatcher that was there before says that it is alive.
async fn answer(
    outside: &mut End,
    claim: &Claim,
    early: &mut VecDeque<Publish>,
) -> Result<Ended, Ended> {
    loop {
        let message = next(outside).await?;
        if topic(&message) != CLAIM {
            early.push_back(message);
            continue;
        }
        outside.client.ack(&message).await?;
        let other = claim.of_other(&message.payload).filter(|_| !message.retain);
        if let Some(why) = other.and_then(|other| claim.yields_to(&other)) {
            return Ok(Ended::Yields(why));
        }
    }
}

/// Passes messages both ways until one end is lost.
pub(super) async fn between(
    road: &Road,
    outside: End,
    inside: End,
    early: VecDeque<Publish>,
) -> Ended {
    let mut crossing = crossing(road);
    let (out, into) = (outside.client.clone(), inside.client.clone());
    let begun = async {
        subscribe(&into, told(&crossing.told)).await?;
        subscribe(&out, heard(&crossing)).await?;
        say(&out, AVAILABILITY, "online".to_owned(), true).await
    };
    if let Err(ended) = begun.await {
        return ended;
    }
    road.uplink.reached();
    let (kept, keeps) = tokio::sync::watch::channel(crossing.kept.clone());
    let (waits_in, acks_out) = mpsc::channel(WAITING_MAX);
    let (waits_out, acks_in) = mpsc::channel(WAITING_MAX);
    let follow = async {
        loop {
            road.uplink.reloaded.notified().await;
            let new = self::crossing(road);
            if let Err(ended) = follow(&out, &into, &crossing, &new).await {
                return ended;
            }
            kept.send_replace(new.kept.clone());
            crossing = new;
        }
    };
    let inward = Inward {
        claim: &road.claim,
        out: &out,
        into: &into,
        keeps,
        waits: waits_in,
    };
    tokio::select! {
        ended = inward.pass(outside, early) => ended,
        ended = outward(inside, &out, waits_out) => ended,
        ended = acknowledge(&out, acks_out, "our own broker") => ended,
        ended = acknowledge(&into, acks_in, "the external broker") => ended,
        ended = follow => ended,
        () = stopped(road, &out) => Ended::Stopped,
    }
}

fn crossing(road: &Road) -> Outside {
    road.server.enter(|_, app, _| app.outside())
}

/// What is heard outside; targets and roles as well, to find those of devices that are gone.
fn heard(crossing: &Outside) -> Vec<SubscribeFilterInput> {
    let ours = ["iot/+/+/target", "iot/+/role"];
    let heard = crossing.heard.iter().map(String::as_str).chain(ours);
    let filter = |filter| SubscribeFilterInput::new(filter, QoS::AtLeastOnce).no_local(true);
    heard.map(filter).collect()
}

/// What the house says. Each time all that lies retained comes again: an external broker may have lost it.
fn told<'f>(filters: impl IntoIterator<Item = &'f String>) -> Vec<SubscribeFilterInput> {
    let filter = |filter: &String| {
        SubscribeFilterInput::new(filter.as_str(), QoS::AtLeastOnce)
            .no_local(true)
            .preserve_retain(true)
    };
    filters.into_iter().map(filter).collect()
}

async fn follow(
    out: &AsyncClient,
    into: &AsyncClient,
    before: &Outside,
    now: &Outside,
) -> Result<(), Ended> {
    let new = now.heard.difference(&before.heard);
    let new = new.map(|filter| SubscribeFilterInput::new(filter.as_str(), QoS::AtLeastOnce));
    let new: Vec<_> = new.map(|filter| filter.no_local(true)).collect();
    if !new.is_empty() {
        subscribe(out, new).await?;
    }
    let new = told(now.told.difference(&before.told));
    if !new.is_empty() {
        subscribe(into, new).await?;
    }
    for gone in before.heard.difference(&now.heard) {
        out.unsubscribe(gone.as_str()).await?;
    }
    for gone in before.told.difference(&now.told) {
        into.unsubscribe(gone.as_str()).await?;
    }
    Ok(())
}

/// A message that was passed on, and what to tell its sender then.
type Waiting = (PublishNotice, ManualAck);

/// From the external broker into the house.
struct Inward<'a> {
    claim: &'a Claim,
    out: &'a AsyncClient,
    into: &'a AsyncClient,
    keeps: tokio::sync::watch::Receiver<std::collections::BTreeSet<std::sync::Arc<str>>>,
    waits: mpsc::Sender<Waiting>,
}

impl Inward<'_> {
    async fn pass(self, mut outside: End, early: VecDeque<Publish>) -> Ended {
        let mut early = early;
        loop {
            let message = match early.pop_front() {
                Some(message) => Ok(message),
                None => next(&mut outside).await,
            };
            let taken = match message {
                Ok(message) => self.take(message).await,
                Err(ended) => Err(ended),
            };
            match taken {
                Ok(()) => {}
                Err(Ended::Yields(why)) => {
                    outside.leave().await;
                    return Ended::Yields(why);
                }
                Err(ended) => return ended,
            }
        }
    }

    async fn take(&self, message: Publish) -> Result<(), Ended> {
        let topic = topic(&message).to_owned();
        let leaf = topic.rsplit('/').next().unwrap_or_default();
        let is_iot = topic.starts_with("iot/");
        match leaf {
            _ if topic == CLAIM || topic == ASK => self.answer(&topic, &message).await?,
            // Our last will, of a connection before this one.
            _ if topic == AVAILABILITY => {
                if message.payload == b"offline"[..] {
                    say(self.out, AVAILABILITY, "online".to_owned(), true).await?;
                }
            }
            "target" | "role" if is_iot => {
                let is_kept = self.keeps.borrow().contains(&*topic);
                if message.retain && !is_kept && !message.payload.is_empty() {
                    say(self.out, &topic, String::new(), true).await?;
                }
            }
            // It lay there and happened long ago.
            "event" | "set" if is_iot && message.retain => {}
            _ => return self.hand_on(topic, message).await,
        }
        self.out.ack(&message).await?;
        Ok(())
    }

    async fn hand_on(&self, topic: String, message: Publish) -> Result<(), Ended> {
        let options = PublishOptions::new(message.qos);
        let Some(ack) = self.out.prepare_ack(&message) else {
            return Ok(self.into.publish(topic, message.payload, options).await?);
        };
        let payload = message.payload;
        let notice = self.into.publish_tracked(topic, payload, options).await?;
        let waits = self.waits.send((notice, ack)).await;
        waits.map_err(|_| Ended::Lost("our own broker".to_owned()))
    }

    /// To another dispatcher.
    async fn answer(&self, topic: &str, message: &Publish) -> Result<(), Ended> {
        if topic == ASK {
            if message.payload != self.claim.id.as_bytes() {
                say(self.out, CLAIM, self.claim.text(), true).await?;
            }
            return Ok(());
        }
        let other = self.claim.of_other(&message.payload);
        let Some(other) = other.filter(|_| !message.retain) else {
            return Ok(());
        };
        if let Some(why) = self.claim.yields_to(&other) {
            return Err(Ended::Yields(why));
        }
        say(self.out, CLAIM, self.claim.text(), true).await
    }
}

/// From the house to the external broker.
async fn outward(mut inside: End, out: &AsyncClient, waits: mpsc::Sender<Waiting>) -> Ended {
    loop {
        let message = match next(&mut inside).await {
            Ok(message) => message,
            Err(Ended::Lost(why)) => return Ended::Lost(format!("our own broker: {why}")),
            Err(ended) => return ended,
        };
        if let Err(ended) = tell(&inside.client, out, message, &waits).await {
            return ended;
        }
    }
}

async fn tell(
    inside: &AsyncClient,
    out: &AsyncClient,
    message: Publish,
    waits: &mpsc::Sender<Waiting>,
) -> Result<(), Ended> {
    let topic = topic(&message).to_owned();
    let mut options = PublishOptions::new(message.qos).retain(message.retain);
    let expiry = message.properties.as_ref();
    if let Some(seconds) = expiry.and_then(|properties| properties.message_expiry_interval) {
        options = options.properties(PublishProperties {
            message_expiry_interval: Some(seconds),
            ..PublishProperties::default()
        });
    }
    let Some(ack) = inside.prepare_ack(&message) else {
        return Ok(out.publish(topic, message.payload, options).await?);
    };
    let payload = message.payload;
    let notice = out.publish_tracked(topic, payload, options).await?;
    let waits = waits.send((notice, ack)).await;
    waits.map_err(|_| Ended::Lost("it is gone".to_owned()))
}

/// Acknowledges to the sender what `other` has acknowledged, in the order in which it came (MQTT 5 section 4.6).
async fn acknowledge(
    sender: &AsyncClient,
    mut waiting: mpsc::Receiver<Waiting>,
    other: &str,
) -> Ended {
    while let Some((notice, ack)) = waiting.recv().await {
        match notice.wait_async().await {
            Ok(_) => {}
            // It will say the same each time. The house's own refusals are counted and told there.
            Err(PublishNoticeError::V5PubAck(reason)) => {
                tracing::debug!(?reason, "{other} refused a message");
            }
            Err(error) => {
                tracing::debug!(%error, "a message comes again");
                // The end that is lost says why.
                return pending().await;
            }
        }
        if sender.manual_ack(ack).await.is_err() {
            return pending().await;
        }
    }
    pending().await
}

/// Done when we were asked to end, and nobody needs our last will any more.
async fn stopped(road: &Road, out: &AsyncClient) {
    road.uplink.stop.notified().await;
    let said = async {
        say(out, CLAIM, String::new(), true).await?;
        say(out, AVAILABILITY, "offline".to_owned(), true).await?;
        out.disconnect().await.map_err(Ended::from)
    };
    if said.await.is_ok() {
        // The other branch sees that it is sent, for it hears that the connection is over.
        pending::<()>().await;
    }
}

/// The next message; an error: the connection is over.
async fn next(end: &mut End) -> Result<Publish, Ended> {
    loop {
        match end.said.recv().await {
            Some(Said::Message(message)) => return Ok(*message),
            Some(Said::Connected) => {}
            Some(Said::Lost(why)) => return Err(Ended::Lost(reason(&why))),
            None => return Err(Ended::Lost("more came than was asked for".to_owned())),
        }
    }
}

fn topic(message: &Publish) -> &str {
    std::str::from_utf8(&message.topic).unwrap_or_default()
}

/// Publishes something of our own, and waits until it is acknowledged.
async fn say(out: &AsyncClient, topic: &str, text: String, retain: bool) -> Result<(), Ended> {
    let options = PublishOptions::at_least_once().retain(retain);
    let notice = out.publish_tracked(topic, text, options).await?;
    match notice.wait_async().await {
        Ok(_) => Ok(()),
        Err(PublishNoticeError::V5PubAck(reason)) => {
            let why = format!(
                "it does not let us publish on {topic} ({reason:?}): give our user the right to iot/#"
            );
            Err(Ended::Lost(why))
        }
        Err(error) => Err(Ended::Lost(error.to_string())),
    }
}

async fn subscribe(
    client: &AsyncClient,
    filters: impl IntoIterator<Item = SubscribeFilterInput>,
) -> Result<(), Ended> {
    let notice = client.subscribe_many_tracked(filters).await?;
    match timeout(SUBSCRIBED_MAX, notice.wait_async()).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(Ended::Lost(format!("it refuses a subscription: {error}"))),
        Err(_) => Err(Ended::Lost("it does not answer a subscription".to_owned())),
    }
}
