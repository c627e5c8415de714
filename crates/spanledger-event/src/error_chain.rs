//! An error with its causes as one line of text.

use std::{error::Error, fmt};

/// Shows an error and its sources, separated by `: `.
///
/// The errors of this workspace never print their source in their own `Display`. Code that logs an
/// error, or sends it to a client, prints the whole chain once with this type.
///
/// ```
/// use spanledger_event::ErrorChain;
///
/// let error = std::io::Error::other("the disk is full");
/// assert_eq!(ErrorChain(&error).to_string(), "the disk is full");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ErrorChain<'a>(pub &'a (dyn Error + 'static));

impl fmt::Display for ErrorChain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.0, f)?;
        let mut source = self.0.source();
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Layer(&'static str, Option<Box<Layer>>);

    impl fmt::Display for Layer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Layer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|source| source as _)
        }
    }

    #[test]
    fn every_source_is_shown_outermost_first() {
        let inner = Layer("the disk is full", None);
        let outer =
            Layer("cannot open the ledger", Some(Box::new(Layer("cannot write", Some(Box::new(inner))))));
        assert_eq!(ErrorChain(&outer).to_string(), "cannot open the ledger: cannot write: the disk is full");
    }
}
