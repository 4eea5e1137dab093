//! What is told to the service manager that started this process, where one asks for it: that the house is served, that
//! it ends, and that the thread which switches the lights is alive. systemd's protocol, `sd_notify(3)`.
//!
//! Called by `run`. Without a service manager nothing happens. Must not keep anything from going on.

use std::time::Duration;

use sd_notify::NotifyState;

/// The house is served; `status` is for people who ask the service manager.
pub(super) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The end has begun.
pub(super) fn stopping() {
    tell(&[
        NotifyState::Stopping,
        NotifyState::Status("writing down what is not on the disk yet"),
    ]);
}

/// Says that this thread is alive, twice as often as the service manager wants to hear it; for ever. To be run as a task
/// of the thread that serves the house: one that hangs falls silent, and is started anew.
pub(super) async fn alive() {
    let Some(wanted) = sd_notify::watchdog_enabled() else {
        return;
    };
    let mut ticks = tokio::time::interval((wanted / 2).max(SHORTEST));
    loop {
        ticks.tick().await;
        tell(&[NotifyState::Watchdog]);
    }
}

/// No service manager needs to hear it more often.
const SHORTEST: Duration = Duration::from_millis(10);

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "the service manager can't be told");
    }
}
