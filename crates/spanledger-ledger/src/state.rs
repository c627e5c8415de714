//! What the writer keeps in memory.

use rusqlite::Connection;

use crate::{
    LedgerError, journal,
    keys::{self, KeyIndex},
    outbox::{Followers, Tail},
    prepare::Keys,
    rollup::behind::Behind,
    upkeep,
    words::Words,
};

/// What the writer keeps in memory, and what the row of the table `ledger` holds.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) index: KeyIndex,
    pub(crate) followers: Followers,
    /// The latest changes, for the followers.
    pub(crate) tail: Tail,
    /// The latest number. Observations and changes of events share one sequence.
    pub(crate) last_number: i64,
    /// The latest change that a follower was given. Events up to it keep their timestamps.
    pub(crate) handed_out: i64,
    /// The number of repricings.
    pub(crate) epoch: i64,
    /// The number of observations that were ever journaled.
    pub(crate) observations: i64,
    /// The greatest change of an event that was pruned.
    pub(crate) pruned_to: i64,
    /// The roll-ups have the events of the rows up to this number.
    pub(crate) rolled_up: i64,
    pub(crate) behind: Behind,
    /// The secret with which the keys are hashed.
    pub(crate) seed: u64,
}

impl State {
    /// Reads the state of a file.
    pub(crate) fn load(connection: &Connection, words: &Words) -> Result<Self, LedgerError> {
        let mut index = match KeyIndex::open(connection) {
            Err(error) if error.rebuild_needed() => {
                tracing::warn!(%error, "ledger.keys.rebuilt");
                let transaction = connection.unchecked_transaction()?;
                keys::clear(&transaction)?;
                transaction.commit()?;
                KeyIndex::open(connection)?
            }
            index => index?,
        };
        let (seed, numbers) = connection.query_row(
            "SELECT key_seed, last_number, handed_out, epoch, observations, rolled_up, pruned_to FROM ledger",
            [],
            |row| {
                let key_seed: i64 = row.get(0)?;
                Ok((key_seed, [row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?]))
            },
        )?;
        let seed = seed.cast_unsigned();
        // The keys of the latest observations are only in memory.
        let after = index.last_seq().cast_signed();
        let mut pruned = upkeep::pruned_keys(connection, after)?.into_iter().peekable();
        journal::scan(connection, words, after, |seq, observation| {
            while let Some((pruned, key)) = pruned.next_if(|(pruned, _)| *pruned < seq) {
                index.insert(key, pruned.cast_unsigned());
            }
            for key in Keys::of(&observation, seed).filed() {
                index.insert(*key, seq.cast_unsigned());
            }
            Ok(())
        })?;
        for (seq, key) in pruned {
            index.insert(key, seq.cast_unsigned());
        }
        let [last_number, handed_out, epoch, observations, rolled_up, pruned_to] = numbers;
        let (followers, mut tail) = (Followers::load(connection)?, Tail::default());
        tail.turn(followers.is_any(), last_number);
        Ok(Self {
            index,
            followers,
            tail,
            last_number,
            handed_out,
            epoch,
            observations,
            pruned_to,
            rolled_up,
            behind: Behind::default(),
            seed,
        })
    }

    pub(crate) fn numbers(&self) -> [i64; 6] {
        let Self { last_number, handed_out, epoch, observations, rolled_up, pruned_to, .. } = *self;
        [last_number, handed_out, epoch, observations, rolled_up, pruned_to]
    }

    pub(crate) fn set_numbers(&mut self, numbers: [i64; 6]) {
        [self.last_number, self.handed_out, self.epoch, self.observations, self.rolled_up, self.pruned_to] =
            numbers;
    }

    pub(crate) fn save(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection
            .prepare_cached(
                "UPDATE ledger SET last_number = ?, handed_out = ?, epoch = ?, observations = ?, rolled_up = ?,
                    pruned_to = ?",
            )?
            .execute(self.numbers())?;
        Ok(())
    }
}
