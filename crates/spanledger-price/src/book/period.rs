//! The time for which a price, a fee or a discount holds.

use spanledger_event::Timestamp;

#[cfg(test)]
mod tests;

/// A period from a moment (included) until another one (excluded). A side without a moment is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Period {
    from: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Period {
    /// The period from the first moment until the second.
    pub const fn new(from: Option<Timestamp>, until: Option<Timestamp>) -> Self {
        Self { from, until }
    }

    /// The first moment of the period; `None` if it has no start.
    pub const fn from(self) -> Option<Timestamp> {
        self.from
    }

    /// The first moment after the period; `None` if it has no end.
    pub const fn until(self) -> Option<Timestamp> {
        self.until
    }

    /// Whether the period contains no moment.
    pub fn is_empty(self) -> bool {
        self.from.zip(self.until).is_some_and(|(from, until)| from >= until)
    }

    /// Whether the period contains the moment.
    pub fn contains(self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at < until)
    }

    /// Whether this period contains every moment of the other one.
    pub fn covers(self, other: Self) -> bool {
        self.from <= other.from
            && self.until.is_none_or(|until| other.until.is_some_and(|other| other <= until))
    }

    /// Whether the two have a moment in common.
    pub fn overlaps(self, other: Self) -> bool {
        self.intersection(other).is_some()
    }

    /// Whether this period ends before the other one begins, or at the same moment.
    pub fn ends_before(self, other: Self) -> bool {
        self.until.zip(other.from).is_some_and(|(until, from)| until <= from)
    }

    /// The moments that both periods contain; `None` if there are none.
    pub fn intersection(self, other: Self) -> Option<Self> {
        let until = match (self.until, other.until) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        // An open start is less than every moment.
        let both = Self { from: self.from.max(other.from), until };
        (!both.is_empty()).then_some(both)
    }

    /// The parts of this period before and after the other one.
    pub fn without(self, other: Self) -> impl Iterator<Item = Self> {
        let [before, after] = if self.overlaps(other) {
            let before = other.from.map(|from| Self { until: Some(from), ..self });
            [before, other.until.map(|until| Self { from: Some(until), ..self })]
        } else {
            [Some(self), None]
        };
        before.into_iter().chain(after).filter(|rest| !rest.is_empty())
    }
}
