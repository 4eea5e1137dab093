//! Whether an external broker holds devices to their own topics: it refuses us the one topic that the exported list keeps
//! from everybody. What it lets through there says nothing, and nobody hears it.

use std::time::Duration;

use anyhow::{Context, bail};
use tokio::time::timeout;

use super::{
    CLOSED, Reach,
    client::{Answer, Client, Gone, Say, Version},
    session::{End, Said},
};
use crate::settings::{External, Settings};

/// How long `doctor` waits for the broker.
const PATIENCE: Duration = Duration::from_secs(10);

/// Tries it. Only MQTT 5 says why something is not taken.
pub(super) async fn is_refused(out: &Client, topic: String) -> Result<bool, Gone> {
    if out.version() == Version::Three {
        return Ok(false);
    }
    let say = Say {
        topic,
        payload: b"canary".to_vec(),
        retain: false,
        expiry_s: Some(1),
    };
    match out.publish_tracked(say).await?.answer().await {
        Answer::Taken => Ok(false),
        Answer::Refused { for_rights, .. } => Ok(for_rights),
        Answer::None => Err(Gone::Closed),
    }
}

/// Tries it over a connection of its own, beside a dispatcher that may run.
///
/// # Errors
/// The broker can't be reached, or does not speak MQTT 5.
pub(crate) fn prove(settings: &Settings, to: &External, topic: String) -> anyhow::Result<bool> {
    let reach = Reach::new(settings, to, &format!("doctor-{:08x}", getrandom::u32()?))?;
    let options = reach.five()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let tried = async {
        let mut end = End::brief(options, usize::MAX);
        match end.said.recv().await {
            Some(Said::Connected { .. }) => {}
            Some(Said::Lost(lost)) => bail!(lost.why),
            _ => bail!("it says other things than MQTT does"),
        }
        let fate = end.fate();
        match is_refused(&end.client, topic).await {
            Ok(is_refused) => {
                end.leave().await;
                Ok(is_refused)
            }
            Err(Gone::Refused(why)) => bail!(why),
            Err(Gone::Closed) => bail!(fate.why().await.unwrap_or_else(|| CLOSED.to_owned())),
        }
    };
    let local = tokio::task::LocalSet::new();
    let tried = async {
        timeout(PATIENCE, tried)
            .await
            .context("it does not answer")?
    };
    local.block_on(&runtime, tried)
}
