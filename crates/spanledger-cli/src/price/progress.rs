//! Shows the progress of a long run.

use std::time::{Duration, Instant};

use crate::{render::parts::counted, terminal};

/// A smaller input is priced so fast that no progress is shown.
const BYTES_MIN: u64 = 8 << 20;
const EVERY: Duration = Duration::from_millis(100);

/// A counter on standard error. It is shown only in a terminal and only for a large file.
pub(super) struct Progress {
    /// The length of the input and the moment at which the counter was last shown; `None` if it is not shown.
    shown: Option<(u64, Instant)>,
    bytes: u64,
    lines: usize,
}

impl Progress {
    pub(super) fn new(length: Option<u64>) -> Self {
        let length = length.filter(|&length| length >= BYTES_MIN && terminal::shows_progress());
        Self { shown: length.map(|length| (length, Instant::now())), bytes: 0, lines: 0 }
    }

    pub(super) fn line(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        self.lines += 1;
        let Some((length, shown)) = &mut self.shown else { return };
        if shown.elapsed() >= EVERY {
            *shown = Instant::now();
            let percent = self.bytes.saturating_mul(100) / (*length).max(1);
            terminal::progress(format_args!("{percent:>3} %  {}", counted(self.lines, "line")));
        }
    }

    pub(super) fn end(&self) {
        if self.shown.is_some() {
            terminal::progress("");
        }
    }
}
