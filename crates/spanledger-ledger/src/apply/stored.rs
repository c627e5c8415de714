//! What the ledger has, as the fold asks for it, and where its events go.

use std::{collections::HashMap, sync::Arc};

use rusqlite::Connection;
use spanledger_event::{Component, EventId, Journal, Observation, Relation, RelationKind};

use crate::{LedgerError, journal, keys::KeyIndex, words::Words};

/// The stored observations, as the fold asks for them.
pub(crate) struct Stored<'a> {
    pub(super) connection: &'a Connection,
    pub(super) index: &'a KeyIndex,
    pub(super) words: &'a Words,
    pub(super) seed: u64,
}

impl Journal for Stored<'_> {
    type Error = LedgerError;

    fn find(&mut self, relation: Relation<'_>, limit: usize) -> Result<Vec<u64>, LedgerError> {
        let key = relation.hash(self.seed);
        if self.index.may_contain(key) {
            Ok(self.index.find(self.connection, key, limit)?)
        } else {
            Ok(Vec::new())
        }
    }

    fn load(&mut self, number: u64) -> Result<Option<Arc<Observation>>, LedgerError> {
        journal::load(self.connection, self.words, number.cast_signed())
    }
}

/// The number of each event's row: that of its first observation. The event of a call under a reused
/// request id has the negative number, because the positive one belongs to the event of that id.
pub(super) fn rows_of_events(
    members: &[(i64, Arc<Observation>)],
    component: &Component,
) -> HashMap<EventId, i64> {
    let mut rows = HashMap::new();
    for (seq, o) in members {
        let relation = Relation { kind: RelationKind::Event, value: o.event_id.as_str() };
        if component.crowded.iter().any(|crowded| crowded.relation() == relation) {
            rows.entry(EventId::of_reused(&o.event_id, &o.call_id)).or_insert(-*seq);
        } else {
            rows.entry(o.event_id.clone()).or_insert(*seq);
        }
    }
    rows
}
