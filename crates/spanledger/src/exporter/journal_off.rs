//! The journal of an exporter without the feature `spool`: records are in memory only.

use std::path::Path;

use tokio::{sync::oneshot, time::Instant};

use super::{InitError, outbox::Pending};

/// Writes nothing.
#[derive(Debug)]
pub(super) struct Journal;

#[expect(clippy::unused_self, clippy::needless_pass_by_ref_mut, reason = "as with the feature `spool`")]
impl Journal {
    #[expect(clippy::unnecessary_wraps, reason = "as with the feature `spool`")]
    pub(super) fn open(_: Option<&Path>, _: u64) -> Result<Self, InitError> {
        Ok(Self)
    }

    pub(super) fn is_configured(&self) -> bool {
        false
    }

    pub(super) fn has_room(&self) -> bool {
        false
    }

    pub(super) fn first_number(&self) -> u64 {
        0
    }

    pub(super) fn on_disk(&self) -> usize {
        0
    }

    pub(super) fn add(&mut self, _: &Pending, _: Option<u64>) {}

    pub(super) fn add_only_here(&mut self, _: Pending, _: Option<u64>) {}

    pub(super) fn add_intent(&mut self, _: u64, _: Vec<u8>, noted: oneshot::Sender<()>) {
        noted.send(()).unwrap_or_default();
    }

    pub(super) fn settle(&mut self, _: &Pending) {}

    pub(super) fn is_due(&self, _: bool) -> bool {
        false
    }

    pub(super) fn commit(&mut self, _: Instant) -> Vec<Pending> {
        Vec::new()
    }

    pub(super) fn retry<'a>(&mut self, _: Instant, _: impl Iterator<Item = &'a Pending>) {}

    pub(super) fn retry_at(&self) -> Option<Instant> {
        None
    }

    pub(super) fn load(&mut self, _: Instant, _: usize, _: usize) -> Vec<Pending> {
        Vec::new()
    }
}
