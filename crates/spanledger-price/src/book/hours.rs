//! The hours of the day for which a price holds.

use std::fmt;

use spanledger_event::Timestamp;

/// Hours of the day and days of the week in UTC, for example cheaper hours at night. Hours may extend past
/// midnight. The weekday is that of the priced moment, not that of the start of the hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hours {
    /// The first minute after midnight that is included.
    start: u16,
    /// The first minute after midnight that is not included any more.
    end: u16,
    /// The first and the last day of the week. Monday is 0.
    days: (u8, u8),
}

impl Hours {
    const DAY: u16 = 24 * 60;
    const WEEK: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

    /// Reads `16:30-00:30`.
    pub fn parse(text: &str) -> Option<Self> {
        let minutes = |text: &str| {
            let (hour, minute) = text.split_once(':')?;
            let number = |text: &str| {
                (text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
            };
            let (hour, minute): (u16, u16) = (number(hour)?, number(minute)?);
            (hour < 24 && minute < 60).then_some(hour * 60 + minute)
        };
        let (start, end) = text.split_once('-')?;
        let hours = Self { start: minutes(start)?, end: minutes(end)?, days: (0, 6) };
        (hours.start != hours.end).then_some(hours)
    }

    /// The same hours on some days of the week only: `mon-fri`.
    pub fn on_days(self, text: &str) -> Option<Self> {
        let day = |name: &str| Self::WEEK.iter().position(|day| *day == name)?.try_into().ok();
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let days: (u8, u8) = (day(first)?, day(last)?);
        (days.0 <= days.1).then_some(Self { days, ..self })
    }

    /// Whether the hours contain the moment.
    pub fn contain(self, at: Timestamp) -> bool {
        const MINUTE: i64 = 60 * 1_000_000_000;
        /// The first day of Unix time was a Thursday; Monday is 0.
        const THURSDAY: i64 = 3;
        let minutes = at.nanos().div_euclid(MINUTE);
        let (day, minute) = (minutes.div_euclid(Self::DAY.into()), minutes.rem_euclid(Self::DAY.into()));
        let weekday = u8::try_from((day + THURSDAY).rem_euclid(7)).unwrap_or_default();
        (self.days.0..=self.days.1).contains(&weekday) && self.has(u16::try_from(minute).unwrap_or_default())
    }

    fn has(self, minute: u16) -> bool {
        if self.start < self.end {
            (self.start..self.end).contains(&minute)
        } else {
            minute >= self.start || minute < self.end
        }
    }

    /// Whether both contain the same minute of some day.
    pub fn overlap(self, other: Self) -> bool {
        let same_days = self.days.0 <= other.days.1 && other.days.0 <= self.days.1;
        same_days && (self.has(other.start) || other.has(self.start))
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { start, end, days: (first, last) } = self;
        write!(f, "{:02}:{:02}-{:02}:{:02}", start / 60, start % 60, end / 60, end % 60)?;
        if (*first, *last) != (0, 6) {
            let day = |day: u8| Self::WEEK.get(usize::from(day)).unwrap_or(&"");
            write!(f, " {}-{}", day(*first), day(*last))?;
        }
        Ok(())
    }
}
