//! The name of a table as a user gives it.

use super::{DEFAULT_TABLE, Dialect};

/// The name of a table, with the schema, dataset or database that it is in if the user names one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName {
    /// Everything before the last dot, in its parts.
    path: Vec<String>,
    table: String,
}

/// A name that no table can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TableNameError {
    /// There is nothing before or behind a dot, or nothing at all.
    #[error("`{name}` has an empty part; write it as `table` or `{example}`")]
    Empty {
        /// The name.
        name: String,
        /// A name with all its parts.
        example: &'static str,
    },
    /// There are more parts than the dialect has levels.
    #[error("`{name}` has too many parts; write it as `table` or `{example}`")]
    Parts {
        /// The name.
        name: String,
        /// A name with all its parts.
        example: &'static str,
    },
    /// A part is too long for a name that others are derived from.
    #[error("`{part}` is too long for the name of a table: it may have {max} bytes")]
    Long {
        /// The part.
        part: String,
        /// The most bytes that it may have.
        max: usize,
    },
    /// A control character would be in the way of every message that shows the name.
    #[error("`{}` has a control character, which the name of a table cannot have", part.escape_debug())]
    Control {
        /// The part.
        part: String,
    },
}

impl TableName {
    /// Reads a name such as `analytics.openai_event_revisions`. A dot separates the parts; every other character
    /// belongs to the name, because it is quoted wherever it is used.
    pub fn parse(dialect: Dialect, name: &str) -> Result<Self, TableNameError> {
        let (levels, example, max) = dialect.name_limits();
        let mut path: Vec<String> = name.split('.').map(str::to_owned).collect();
        for part in &path {
            if part.trim().is_empty() {
                return Err(TableNameError::Empty { name: name.to_owned(), example });
            }
            if part.chars().any(char::is_control) {
                return Err(TableNameError::Control { part: part.clone() });
            }
            if part.len() > max {
                return Err(TableNameError::Long { part: part.clone(), max });
            }
        }
        if path.len() > levels {
            return Err(TableNameError::Parts { name: name.to_owned(), example });
        }
        let table = path.pop().unwrap_or_default();
        Ok(Self { path, table })
    }

    /// The table's own name.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// The schema, dataset or database that the name states, innermost last.
    pub fn path(&self) -> &[String] {
        &self.path
    }

    /// Another table or view in the same schema.
    #[must_use]
    pub fn sibling(&self, table: &str) -> Self {
        Self { path: self.path.clone(), table: table.to_owned() }
    }

    /// The name as SQL.
    pub fn quoted(&self, dialect: Dialect) -> String {
        let parts = self.path.iter().chain([&self.table]);
        parts.map(|part| dialect.quote(part)).collect::<Vec<_>>().join(".")
    }
}

impl Default for TableName {
    fn default() -> Self {
        Self { path: Vec::new(), table: DEFAULT_TABLE.to_owned() }
    }
}

impl std::fmt::Display for TableName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for part in &self.path {
            write!(f, "{part}.")?;
        }
        f.write_str(&self.table)
    }
}
