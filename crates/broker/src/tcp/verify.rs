//! The worker that checks people's passwords: one thread, started with the first of them. The core lets
//! one job out at a time, and keeps the others in the order that is fair; a job that the worker can't
//! take counts as a wrong password.

use std::{
    cell::RefCell,
    panic::catch_unwind,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

use tokio::sync::mpsc;

use crate::{ConnKey, VerifyJob, password};

/// Jobs that the core lets out.
const JOBS_MAX: usize = 1;

type Verdict = (ConnKey, bool);

/// Jobs out, verdicts back.
pub(super) struct Verifier {
    jobs: RefCell<Option<SyncSender<VerifyJob>>>,
    verdicts_in: mpsc::Sender<Verdict>,
    verdicts: tokio::sync::Mutex<mpsc::Receiver<Verdict>>,
}

impl Default for Verifier {
    fn default() -> Self {
        let (verdicts_in, verdicts) = mpsc::channel(JOBS_MAX);
        Self {
            jobs: RefCell::new(None),
            verdicts_in,
            verdicts: tokio::sync::Mutex::new(verdicts),
        }
    }
}

impl Verifier {
    /// Queues a job; it comes back where it can't be.
    pub(super) fn submit(&self, job: VerifyJob) -> Result<(), VerifyJob> {
        let mut jobs = self.jobs.borrow_mut();
        if jobs.is_none() {
            let (sender, receiver) = sync_channel(JOBS_MAX);
            let verdicts = self.verdicts_in.clone();
            let thread = thread::Builder::new().name("passwords".into());
            match thread.spawn(move || work(&receiver, &verdicts)) {
                Ok(_) => *jobs = Some(sender),
                Err(error) => {
                    tracing::error!(%error, "can't start the thread that checks passwords");
                    return Err(job);
                }
            }
        }
        match jobs.as_ref().map(|jobs| jobs.try_send(job)) {
            Some(Err(
                std::sync::mpsc::TrySendError::Full(job)
                | std::sync::mpsc::TrySendError::Disconnected(job),
            )) => Err(job),
            Some(Ok(())) | None => Ok(()),
        }
    }

    pub(super) async fn verdict(&self) -> Verdict {
        match self.verdicts.lock().await.recv().await {
            Some(verdict) => verdict,
            // Never: this side holds a sender.
            None => std::future::pending().await,
        }
    }
}

/// Runs on the worker until the server is gone.
fn work(jobs: &Receiver<VerifyJob>, verdicts: &mpsc::Sender<Verdict>) {
    while let Ok(job) = jobs.recv() {
        // The core waits for the verdict, whatever the library makes of a hash.
        let fits = catch_unwind(|| password::verify(&job.hash, &job.password)).unwrap_or(false);
        if verdicts.blocking_send((job.conn, fits)).is_err() {
            return;
        }
    }
}
