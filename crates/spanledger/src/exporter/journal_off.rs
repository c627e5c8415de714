//! The journal of an exporter without the feature `spool`: records are in memory only.

use tokio::{sync::oneshot, time::Instant};

use super::{ExporterConfig, InitError, outbox::Pending};

/// Writes nothing.
#[derive(Debug)]
pub(super) struct Journal;

/// What was read from disk.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    pub(super) records: Vec<Pending>,
    pub(super) lost: Vec<(u64, u64)>,
}

#[expect(clippy::unused_self, clippy::needless_pass_by_ref_mut, reason = "as with the feature `spool`")]
impl Journal {
    #[expect(clippy::unnecessary_wraps, reason = "as with the feature `spool`")]
    pub(super) fn open(_: &ExporterConfig) -> Result<Self, InitError> {
        Ok(Self)
    }

    pub(super) fn without_disk(_: &ExporterConfig, _: Instant) -> Self {
        Self
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

    pub(super) fn end_intent(&mut self, _: u64) {}

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

    pub(super) fn retry<'a>(&mut self, _: Instant, _: impl Iterator<Item = &'a Pending>) -> Vec<(u64, u64)> {
        Vec::new()
    }

    pub(super) fn retry_at(&self) -> Option<Instant> {
        None
    }

    pub(super) fn load(&mut self, _: Instant, _: usize, _: usize) -> Loaded {
        Loaded::default()
    }
}
