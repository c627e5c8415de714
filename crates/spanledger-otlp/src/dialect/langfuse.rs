//! Langfuse. Its spans follow the convention.

use super::Dialect;
use crate::quirks::Quirks;

pub(super) const DIALECT: Dialect =
    Dialect { reader: None, quirks: Quirks { user: &["langfuse.user.id"], ..Quirks::NONE } };
