//! The queue of requests to the writer, and which of them share a commit.

use std::{
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

use crate::job::Job;

/// A transaction takes no further request once it has this many observations. This bounds the memory of
/// a commit group.
const GROUP_MAX: usize = 8_192;
/// Requests of followers alone wait this long for an append whose commit they join. A commit of their own would
/// keep the next append waiting for a sync of the disk.
const FOLLOWERS_WAIT: Duration = Duration::from_millis(5);
/// They wait only if the last append is not older than this. A quiet ledger answers at once.
const BUSY_FOR: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub(crate) struct Queue {
    jobs: mpsc::Receiver<Job>,
    last_append: Option<Instant>,
}

impl Queue {
    pub(crate) const fn new(jobs: mpsc::Receiver<Job>) -> Self {
        Self { jobs, last_append: None }
    }

    /// Waits for the requests of the next transaction, of which some may be there already. `None` if there will
    /// be no more.
    pub(crate) fn next_group(&mut self, mut group: Vec<Job>) -> Option<Vec<Job>> {
        if group.is_empty() {
            group.push(self.jobs.blocking_recv()?);
        }
        let mut size: usize = group.iter().map(Job::size).sum();
        let deadline = Instant::now() + FOLLOWERS_WAIT;
        loop {
            while size < GROUP_MAX
                && let Ok(job) = self.jobs.try_recv()
            {
                size += job.size();
                group.push(job);
            }
            if !group.iter().all(|job| matches!(job, Job::Outbox { .. })) {
                break;
            }
            let is_busy = self.last_append.is_some_and(|append| append.elapsed() < BUSY_FOR);
            match is_busy.then(|| self.receive_until(deadline)).flatten() {
                Some(job) => {
                    size += job.size();
                    group.push(job);
                }
                None => break,
            }
        }
        if group.iter().any(|job| matches!(job, Job::Append { .. })) {
            self.last_append = Some(Instant::now());
        }
        Some(group)
    }

    /// The next request, if one comes before the deadline.
    fn receive_until(&mut self, deadline: Instant) -> Option<Job> {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        loop {
            if let Poll::Ready(job) = self.jobs.poll_recv(&mut context) {
                return job;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            thread::park_timeout(left);
        }
    }
}

/// Wakes the thread of the writer.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
