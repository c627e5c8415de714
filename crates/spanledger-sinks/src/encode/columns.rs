//! The columns that a sink writes.

use std::sync::Arc;

use spanledger_event::{COLUMNS, Column};

use crate::OptionError;

#[cfg(test)]
mod tests;

/// The columns that a reader needs to tell which row of an event is the present one, and whether it counts.
/// No selection is without them.
pub const KEY_COLUMNS: [&str; 3] = ["event_id", "revision", "state"];

/// A selection of the columns of an event, in the order of the table.
///
/// The options of a sink make it: `columns` names the columns to write, `omit_columns` those to leave out.
#[derive(Clone, Debug)]
pub struct Columns(Arc<[&'static Column]>);

impl Default for Columns {
    /// All columns.
    fn default() -> Self {
        Self(COLUMNS.iter().collect())
    }
}

impl PartialEq for Columns {
    fn eq(&self, other: &Self) -> bool {
        self.iter().map(|column| column.name).eq(other.iter().map(|column| column.name))
    }
}

impl Eq for Columns {}

/// Why a selection of columns cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ColumnsError {
    /// No column has this name.
    #[error("`{name}` is not a column of an event; `spanledger tail --format json` shows the columns")]
    Unknown {
        /// The option that names it.
        option: &'static str,
        /// The name.
        name: String,
    },
    /// The column cannot be left out.
    #[error("`{name}` cannot be left out, because a reader needs it to tell which row of an event counts")]
    Key {
        /// The name.
        name: String,
    },
    /// Both options have a value.
    #[error("`columns` and `omit_columns` cannot be used together: name the columns in one of them")]
    Both,
}

impl ColumnsError {
    /// The option that is wrong.
    pub fn option(&self) -> &'static str {
        match self {
            Self::Unknown { option, .. } => option,
            Self::Key { .. } | Self::Both => "omit_columns",
        }
    }
}

impl From<ColumnsError> for OptionError {
    fn from(error: ColumnsError) -> Self {
        Self { option: error.option(), problem: error.to_string() }
    }
}

impl Columns {
    /// The selection that the two options make. An empty `columns` means all columns; otherwise the
    /// [key columns](KEY_COLUMNS) are added to those that it names.
    pub fn from_options(columns: &[String], omit_columns: &[String]) -> Result<Self, ColumnsError> {
        if !columns.is_empty() && !omit_columns.is_empty() {
            return Err(ColumnsError::Both);
        }
        for (option, names) in [("columns", columns), ("omit_columns", omit_columns)] {
            if let Some(name) = names.iter().find(|name| Column::named(name).is_none()) {
                return Err(ColumnsError::Unknown { option, name: name.clone() });
            }
        }
        if let Some(name) = omit_columns.iter().find(|name| is_key(name)) {
            return Err(ColumnsError::Key { name: name.clone() });
        }
        let names = |list: &[String], column: &Column| list.iter().any(|name| name == column.name);
        let is_selected = |column: &&Column| {
            if columns.is_empty() {
                !names(omit_columns, column)
            } else {
                is_key(column.name) || names(columns, column)
            }
        };
        Ok(Self(COLUMNS.iter().filter(is_selected).collect()))
    }

    /// The columns.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'static Column> {
        self.0.iter().copied()
    }

    /// The columns, as a slice.
    pub fn as_slice(&self) -> &[&'static Column] {
        &self.0
    }

    /// Whether no column is left out.
    pub fn is_all(&self) -> bool {
        self.0.len() == COLUMNS.len()
    }
}

fn is_key(name: &str) -> bool {
    KEY_COLUMNS.contains(&name)
}
