//! The kinds of errors, for metrics and for what the writer does next.

/// What went wrong, as one of a few words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Another program has locked the file, or is its writer.
    Busy,
    /// The disk is full, or a quota is used up.
    DiskFull,
    /// The disk, or the file system, reported an error.
    Io,
    /// The content of the file cannot be read.
    Damaged,
    /// The file, or one that belongs to it, was deleted or replaced while it was open.
    Replaced,
    /// This user may not write, or not open, the file or its folder.
    ReadOnly,
    /// Anything else.
    Other,
}

impl ErrorKind {
    /// All kinds.
    pub const ALL: [Self; 7] =
        [Self::Busy, Self::DiskFull, Self::Io, Self::Damaged, Self::Replaced, Self::ReadOnly, Self::Other];

    /// The word for metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::DiskFull => "disk_full",
            Self::Io => "io",
            Self::Damaged => "damaged",
            Self::Replaced => "replaced",
            Self::ReadOnly => "read_only",
            Self::Other => "other",
        }
    }

    /// Whether the file as a whole is affected, so that another request would fail in the same way. A
    /// damaged row concerns only the requests that need it.
    pub(crate) fn concerns_all_requests(self) -> bool {
        matches!(self, Self::Busy | Self::DiskFull | Self::Io | Self::Replaced | Self::ReadOnly)
    }
}

impl std::fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
