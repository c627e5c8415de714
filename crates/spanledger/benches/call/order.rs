//! What the coordinator asks a subject for, and what the subject answers. Each is a line of text, so that a subject
//! can be written in another language.

use std::{fmt, str::FromStr, time::Duration};

/// Calls to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    /// Whether all calls run at the same time, or one after the other.
    pub(crate) at_once: bool,
    /// The base URL, or `memory`.
    pub(crate) target: String,
    pub(crate) calls: usize,
    /// The chunks of each stream; none if the calls are not streamed.
    pub(crate) chunks: usize,
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at_once, target, calls, chunks } = self;
        write!(f, "{} {target} {calls} {chunks}", if *at_once { "together" } else { "alone" })
    }
}

impl FromStr for Order {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [mode, target, calls, chunks] = words.as_slice() else {
            return Err(format!("`{line}` is not four words"));
        };
        let number = |word: &str| word.parse().map_err(|_| format!("`{word}` is not a number"));
        let (calls, chunks) = (number(calls)?, number(chunks)?);
        Ok(Self { at_once: *mode == "together", target: (*target).to_owned(), calls, chunks })
    }
}

/// What the calls of an order took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    /// From the first call to the end of the last.
    pub(crate) wall: Duration,
    /// CPU time of the thread that makes the calls.
    pub(crate) caller: Duration,
    /// CPU time of all threads, up to the end of the export that follows.
    pub(crate) all: Duration,
    /// CPU time of the thread that exports the records, which is a part of `all`.
    pub(crate) exporter: Duration,
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [wall, caller, all, exporter] =
            [self.wall, self.caller, self.all, self.exporter].map(|time| time.as_nanos());
        write!(f, "{wall} {caller} {all} {exporter}")
    }
}

impl FromStr for Taken {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let nanos: Option<Vec<u64>> = line.split_whitespace().map(|word| word.parse().ok()).collect();
        let times: Vec<Duration> = nanos.unwrap_or_default().into_iter().map(Duration::from_nanos).collect();
        match times.as_slice() {
            &[wall, caller, all, exporter] => Ok(Self { wall, caller, all, exporter }),
            _ => Err(format!("`{line}` is not four numbers of nanoseconds")),
        }
    }
}
