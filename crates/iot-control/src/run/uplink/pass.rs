//! One connection to the external broker: whose the house is, what crosses over, and in which order it is acknowledged.

use std::{future::pending, rc::Rc, time::Duration};

use dispatcher::Outside;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep, timeout},
};

use super::{
    AVAILABILITY, Road, canary,
    claim::{ASK, CLAIM, Claim, Newcomer, Step},
    client::{Ack, Answer, Client, Filter, Gone, Heard, Notice, Say, Version},
    session::{End, OVERRUN, Said},
};
use crate::run::sealed::mqtt;

/// How long a newcomer listens where there is a sign of another dispatcher: so long one that is alive may take to say so.
const LISTENS_MAX: Duration = Duration::from_secs(3);

/// The same where there is none.
const LISTENS_MIN: Duration = Duration::from_millis(500);

/// How long after another dispatcher claimed the house ours claims it again.
const CLAIM_AGAIN: Duration = Duration::from_secs(10);

/// How long a broker may take to acknowledge what we say of ourselves, and to send it back.
const ANSWERED_MAX: Duration = Duration::from_secs(10);

const NOTHING_BACK: &str = "it does not pass on what is published on iot/dispatcher/ask";

/// How often it is tried whether the broker holds devices to their own topics.
const PROVE_EVERY: Duration = Duration::from_secs(60);

/// Acknowledgements that wait for the other end.
const WAITING_MAX: usize = 256;

/// Why a connection is over.
pub(super) enum Ended {
    /// To be tried again, for this reason.
    Lost(String),
    /// To be tried again: no broker is there.
    Away(String),
    /// To be tried again: an end is over, and whoever polls it knows why.
    Closed,
    /// We were asked to end.
    Stopped,
    /// Another dispatcher has the house.
    Yields(String),
}

impl From<Gone> for Ended {
    fn from(gone: Gone) -> Self {
        match gone {
            Gone::Closed => Self::Closed,
            Gone::Refused(why) => Self::Lost(why),
        }
    }
}

/// Looks for another dispatcher, and claims the house where none answers; over a connection that hears nothing else. What waits
/// for the house at the broker would be in the way of an answer: it is not acknowledged before the house has it.
pub(super) async fn claimed(asking: &mut End, claim: &Claim) -> Result<(), Ended> {
    let filters = [CLAIM, ASK].map(Filter::of_all);
    asking.client.subscribe(&filters).await?;
    // Our own question comes back after what lies retained.
    say(&asking.client, ASK, claim.id.clone(), false).await?;
    let mut newcomer = Newcomer::new(claim);
    loop {
        let message = timeout(ANSWERED_MAX, next(asking)).await;
        let message = message.map_err(|_| Ended::Lost(NOTHING_BACK.to_owned()))??;
        if hears(asking, &mut newcomer, message).await? {
            break;
        }
    }
    let begun = Instant::now();
    loop {
        let listens = match newcomer.is_alone() {
            true => LISTENS_MIN,
            false => LISTENS_MAX,
        };
        // Whoever talks all the time keeps nobody waiting.
        let left = listens.saturating_sub(begun.elapsed());
        if left.is_zero() {
            break;
        }
        let Ok(message) = timeout(left, next(asking)).await else {
            break;
        };
        hears(asking, &mut newcomer, message?).await?;
    }
    say(&asking.client, CLAIM, claim.text(), true).await
}

/// Hears one message before the house is ours; true: it is our own question.
async fn hears(
    asking: &mut End,
    newcomer: &mut Newcomer<'_>,
    message: Heard,
) -> Result<bool, Ended> {
    asking.client.acknowledge(message.ack).await?;
    match newcomer.hears(&message.topic, &message.payload, message.retain) {
        Step::Listens => Ok(false),
        Step::Says(text) => {
            say(&asking.client, CLAIM, text, false).await?;
            Ok(false)
        }
        Step::Asked => Ok(true),
        Step::Yields(why) => Err(Ended::Yields(why)),
    }
}

/// Passes messages both ways until one end is lost.
pub(super) async fn between(road: &Road, outside: End, inside: End) -> Ended {
    let mut crossing = crossing(road);
    let (out, into) = (outside.client.clone(), inside.client.clone());
    let begun = async {
        into.subscribe(&told(&crossing.told)).await?;
        out.subscribe(&[CLAIM, ASK].map(Filter::of_others)).await?;
        out.subscribe(&heard(&crossing)).await?;
        // Who asked a moment ago was not heard.
        say(&out, CLAIM, road.claim.text(), true).await?;
        say(&out, AVAILABILITY, "online".to_owned(), true).await
    };
    if let Err(ended) = begun.await {
        return ended;
    }
    road.uplink.reached(out.version());
    let (crosses, seen) = watch::channel(Rc::clone(&crossing));
    let (waits_in, acks_out) = mpsc::channel(WAITING_MAX);
    let (waits_out, acks_in) = mpsc::channel(WAITING_MAX);
    let follow = async {
        loop {
            road.uplink.reloaded.notified().await;
            let new = self::crossing(road);
            if let Err(ended) = follow(&out, &into, &crossing, &new).await {
                return ended;
            }
            crosses.send_replace(Rc::clone(&new));
            crossing = new;
        }
    };
    let proof = prove(road, &out, seen.clone());
    let inward = Inward {
        road,
        out: &out,
        into: &into,
        crossing: seen.clone(),
        waits: waits_in,
    };
    let outward = Outward {
        road,
        inside: &into,
        out: &out,
        crossing: seen,
        waits: waits_out,
    };
    tokio::select! {
        ended = inward.pass(outside) => ended,
        ended = outward.pass(inside) => ended,
        ended = acknowledge(&out, acks_out, "our own broker") => ended,
        ended = acknowledge(&into, acks_in, "the external broker") => ended,
        ended = follow => ended,
        ended = proof => ended,
        ended = contest(road, &out) => ended,
        () = stopped(road, &out) => Ended::Stopped,
    }
}

/// Tries again and again whether the broker holds devices to their own topics: somebody may change its list at any time.
async fn prove(road: &Road, out: &Client, mut crossing: watch::Receiver<Rc<Outside>>) -> Ended {
    loop {
        let list = road.server.enter(|_, app, _| road.uplink.list(app));
        match canary::is_refused(out, list.canary()).await {
            Ok(is_refused) => road.uplink.confines.set(is_refused),
            Err(gone) => return gone.into(),
        }
        // Another mapping has another list; that nobody can tell us any more, the others hear too.
        drop(timeout(PROVE_EVERY, crossing.changed()).await);
    }
}

fn crossing(road: &Road) -> Rc<Outside> {
    Rc::new(road.server.enter(|_, app, _| app.outside()))
}

/// What is heard outside; targets and roles as well, to find those of devices that are gone.
fn heard(crossing: &Outside) -> Vec<Filter> {
    let ours = ["iot/+/+/target", "iot/+/role"];
    let heard = crossing.heard.iter().map(String::as_str).chain(ours);
    heard.map(Filter::of_others).collect()
}

/// What the house says. Each time all that lies retained comes again: an external broker may have lost it.
fn told<'f>(filters: impl IntoIterator<Item = &'f String>) -> Vec<Filter> {
    let filters = filters.into_iter();
    filters.map(|filter| Filter::as_said(filter)).collect()
}

async fn follow(out: &Client, into: &Client, before: &Outside, now: &Outside) -> Result<(), Ended> {
    let new = now.heard.difference(&before.heard);
    let new: Vec<_> = new.map(|filter| Filter::of_others(filter)).collect();
    out.subscribe(&new).await?;
    into.subscribe(&told(now.told.difference(&before.told)))
        .await?;
    for gone in before.heard.difference(&now.heard) {
        out.unsubscribe(gone.as_str()).await?;
    }
    for gone in before.told.difference(&now.told) {
        into.unsubscribe(gone.as_str()).await?;
    }
    // Of a device that got a key: from now on nobody is told in clear what it should be.
    for gone in before.kept.difference(&now.kept) {
        say(out, gone, String::new(), true).await?;
    }
    Ok(())
}

/// A message that was passed on, and what to tell its sender then.
type Waiting = (Notice, Ack);

/// From the external broker into the house.
struct Inward<'a> {
    road: &'a Road,
    out: &'a Client,
    into: &'a Client,
    crossing: watch::Receiver<Rc<Outside>>,
    waits: mpsc::Sender<Waiting>,
}

impl Inward<'_> {
    async fn pass(self, mut outside: End) -> Ended {
        loop {
            let taken = match next(&mut outside).await {
                Ok(message) => self.take(message).await,
                Err(ended) => Err(ended),
            };
            if let Err(ended) = taken {
                return ended;
            }
        }
    }

    async fn take(&self, message: Heard) -> Result<(), Ended> {
        if let Some(bytes) = message.too_large {
            // Not acknowledged, it would come again for ever.
            self.road.refuse(&message.topic, bytes);
            return Ok(self.out.acknowledge(message.ack).await?);
        }
        let leaf = message.topic.rsplit('/').next().unwrap_or_default();
        let is_iot = message.topic.starts_with("iot/");
        match leaf {
            _ if message.topic == CLAIM || message.topic == ASK => self.answer(&message).await?,
            // Our last will, of a connection before this one.
            _ if message.topic == AVAILABILITY => {
                if message.payload == b"offline" {
                    say(self.out, AVAILABILITY, "online".to_owned(), true).await?;
                }
            }
            "target" | "role" if is_iot => {
                let is_kept = self.crossing.borrow().kept.contains(&*message.topic);
                if message.retain && !is_kept && !message.payload.is_empty() {
                    say(self.out, &message.topic, String::new(), true).await?;
                }
            }
            // It lay there and happened long ago.
            "event" | "set" if is_iot && message.retain => {}
            // A frame is of its moment.
            _ if mqtt::is_of_link(&message.topic) && message.retain => {}
            _ if self.is_ours(&message) => {}
            _ => return self.hand_on(message).await,
        }
        Ok(self.out.acknowledge(message.ack).await?)
    }

    /// Whether we said it: MQTT 5 keeps that from us. What lies retained where the house speaks itself is what it said last.
    fn is_ours(&self, message: &Heard) -> bool {
        if self.out.version() == Version::Five {
            return false;
        }
        let is_of_house = || self.crossing.borrow().told.contains(&message.topic);
        let mut echoes = self.road.echoes.borrow_mut();
        echoes.take(&message.topic, &message.payload) || message.retain && is_of_house()
    }

    async fn hand_on(&self, message: Heard) -> Result<(), Ended> {
        let say = Say {
            topic: message.topic,
            payload: message.payload,
            retain: false,
            expiry_s: None,
        };
        let Some(ack) = message.ack else {
            return Ok(self.into.publish(say).await?);
        };
        let notice = self.into.publish_tracked(say).await?;
        let waits = self.waits.send((notice, ack)).await;
        waits.map_err(|_| Ended::Closed)
    }

    /// To another dispatcher. Ours has the house, and stays.
    async fn answer(&self, message: &Heard) -> Result<(), Ended> {
        let (claim, uplink) = (&self.road.claim, &self.road.uplink);
        if message.topic == ASK {
            if message.payload != claim.id.as_bytes() {
                say(self.out, CLAIM, claim.text(), true).await?;
            }
            return Ok(());
        }
        if message.retain || uplink.is_stopping.get() {
            return Ok(());
        }
        match claim.of_other(&message.payload) {
            Some(other) if other.is_newcomer => {}
            Some(other) => {
                uplink.has_rival(&other);
                return Ok(());
            }
            // The other one left, or somebody else took our claim away: who comes now has to find it.
            None if message.payload.is_empty() => uplink.has_no_rival(),
            None => return Ok(()),
        }
        say(self.out, CLAIM, claim.text(), true).await
    }
}

/// Says again that the house is ours after another one said so too: both hear of each other as long as both are there.
async fn contest(road: &Road, out: &Client) -> Ended {
    loop {
        road.uplink.contested.notified().await;
        sleep(CLAIM_AGAIN).await;
        if let Err(ended) = say(out, CLAIM, road.claim.text(), true).await {
            return ended;
        }
    }
}

/// From the house to the external broker.
struct Outward<'a> {
    road: &'a Road,
    inside: &'a Client,
    out: &'a Client,
    crossing: watch::Receiver<Rc<Outside>>,
    waits: mpsc::Sender<Waiting>,
}

impl Outward<'_> {
    async fn pass(self, mut inside: End) -> Ended {
        loop {
            let message = match next(&mut inside).await {
                Ok(message) => message,
                Err(Ended::Lost(why)) => return Ended::Lost(format!("our own broker: {why}")),
                Err(ended) => return ended,
            };
            if let Err(ended) = self.tell(message).await {
                return ended;
            }
        }
    }

    async fn tell(&self, message: Heard) -> Result<(), Ended> {
        let is_three = self.out.version() == Version::Three;
        if is_three && comes_back(&message.topic, &self.crossing.borrow()) {
            let mut echoes = self.road.echoes.borrow_mut();
            echoes.expect(&message.topic, &message.payload);
        }
        // No broker keeps QoS 0 for who is away: what expires must not come when it means nothing any more.
        let is_loose = is_three && message.expiry_s.is_some();
        let say = Say {
            topic: mqtt::outside_topic(&message.topic).unwrap_or(message.topic),
            payload: message.payload,
            retain: message.retain,
            expiry_s: message.expiry_s,
        };
        let ack = match message.ack {
            Some(ack) if !is_loose => ack,
            ack => {
                self.out.publish(say).await?;
                return Ok(self.inside.acknowledge(ack).await?);
            }
        };
        let notice = self.out.publish_tracked(say).await?;
        let waits = self.waits.send((notice, ack)).await;
        waits.map_err(|_| Ended::Closed)
    }
}

/// Whether what the house says on `topic` comes back to it as what others say: on virtual devices both speak.
fn comes_back(topic: &str, crossing: &Outside) -> bool {
    let leaf = topic.rsplit('/').next().unwrap_or_default();
    topic.starts_with("iot/") && ["state", "event"].contains(&leaf)
        || crossing.heard.contains(topic)
}

/// Acknowledges to the sender what `other` has acknowledged, in the order in which it came (MQTT 5 section 4.6).
async fn acknowledge(sender: &Client, mut waiting: mpsc::Receiver<Waiting>, other: &str) -> Ended {
    while let Some((notice, ack)) = waiting.recv().await {
        match notice.answer().await {
            Answer::Taken => {}
            // The house's own refusals are counted and told there.
            Answer::Refused { reason, .. } => tracing::debug!(reason, "{other} refused a message"),
            Answer::None => {
                tracing::debug!("{other} is lost: a message comes again");
                return Ended::Closed;
            }
        }
        if sender.acknowledge(Some(ack)).await.is_err() {
            return Ended::Closed;
        }
    }
    pending().await
}

/// Done when we were asked to end, and nobody needs our last will any more.
async fn stopped(road: &Road, out: &Client) {
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
async fn next(end: &mut End) -> Result<Heard, Ended> {
    loop {
        match end.said.recv().await {
            Some(Said::Message(message)) => return Ok(*message),
            Some(Said::Connected { .. }) => {}
            Some(Said::Lost(lost)) => return Err(Ended::Lost(lost.why)),
            None => return Err(Ended::Lost(OVERRUN.to_owned())),
        }
    }
}

/// Publishes something of our own, and waits until it is acknowledged.
async fn say(out: &Client, topic: &str, text: String, retain: bool) -> Result<(), Ended> {
    let said = out.publish_tracked(Say {
        topic: topic.to_owned(),
        payload: text.into_bytes(),
        retain,
        expiry_s: None,
    });
    let answer = timeout(ANSWERED_MAX, said.await?.answer()).await;
    let late = |_| {
        Ended::Lost(format!(
            "it does not acknowledge what we publish on {topic}"
        ))
    };
    match answer.map_err(late)? {
        Answer::Taken => Ok(()),
        Answer::Refused { reason, .. } => Err(Ended::Lost(format!(
            "it does not let us publish on {topic} ({reason}): give our user the right to iot/#"
        ))),
        Answer::None => Err(Ended::Closed),
    }
}
