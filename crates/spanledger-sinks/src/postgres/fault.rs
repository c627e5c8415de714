//! What an error of the server means for the delivery.

use std::error::Error as _;

use tokio_postgres::{Error, error::SqlState};

use crate::Fault;

/// Translates an error of the library.
pub(super) trait Translate<T> {
    /// `server` names the server, and `task` says what was tried, such as `connect`.
    fn translate(self, server: &str, task: &str) -> Result<T, Fault>;
}

impl<T> Translate<T> for Result<T, Error> {
    fn translate(self, server: &str, task: &str) -> Result<T, Fault> {
        self.map_err(|error| fault(&error, server, task))
    }
}

/// What an error means.
pub(super) fn fault(error: &Error, server: &str, task: &str) -> Fault {
    let Some(answer) = error.as_db_error() else { return of_connection(error, server, task) };
    let detail = answer.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
    let code = answer.code();
    let reason = format!("{server}: cannot {task}: {}{detail} (SQLSTATE {})", answer.message(), code.code());
    // Messages are in the language of the server. A row that violates a constraint comes with its name; a row for which
    // there is no partition has the same code and no name.
    if code == &SqlState::CHECK_VIOLATION && answer.constraint().is_none() {
        return Fault::blocked(
            reason,
            "make a partition for the month, or let the sink make it (`create_table = true`)",
        );
    }
    of_code(code, reason)
}

/// What an answer of the server with this code means.
pub(super) fn of_code(code: &SqlState, reason: String) -> Fault {
    let class = &code.code()[..2];
    let remedy = match code.code() {
        "28P01" => "correct the password in the option `url` or `password`",
        "28000" => {
            "correct the user in the option `url`, or allow this user and host in pg_hba.conf of the server"
        }
        "3D000" => "correct the database in the option `url`, or make it with `CREATE DATABASE`",
        "3F000" => "make the schema with `CREATE SCHEMA`, or correct the option `table`",
        "42501" => {
            "grant the user the rights `USAGE, CREATE` on the schema, `SELECT, INSERT, UPDATE` on the table and on \
             spanledger_cursors, and `TEMPORARY` on the database; `spanledger sinks ddl postgres` prints the tables"
        }
        "42P01" | "42703" | "42804" | "42P10" => {
            "the table was changed while the sink wrote it; the sink compares it again within a minute"
        }
        "25006" => "point the option `url` at the primary server; this one can only be read",
        "53100" => "free space on the disk of the server",
        _ => match class {
            // A statement that the server does not understand.
            "0A" | "42" => "look at the version of the server: it must be PostgreSQL 12 or newer",
            // Damaged data or index.
            "XX" if code == &SqlState::DATA_CORRUPTED || code == &SqlState::INDEX_CORRUPTED => {
                "repair the table, for instance with `REINDEX`"
            }
            // A value, a check of the user's own, a row that is too long, an exception of a trigger.
            "21" | "22" | "23" | "44" | "54" | "P0" => return Fault::Rejected { reason },
            // The connection, a conflict with other transactions, the end or the start of the server, its memory.
            _ => return Fault::retry(reason),
        },
    };
    Fault::blocked(reason, remedy)
}

/// An error that does not come from the server.
fn of_connection(error: &Error, server: &str, task: &str) -> Fault {
    let mut reason = format!("{server}: cannot {task}: {error}");
    let mut causes = error.source();
    while let Some(cause) = causes {
        let text = cause.to_string();
        if !reason.ends_with(&text) {
            reason.push_str(": ");
            reason.push_str(&text);
        }
        causes = cause.source();
    }
    // The library has no public names for the kinds of its errors; these are the beginnings of their messages.
    let kind = error.to_string();
    if kind.starts_with("error performing TLS handshake") {
        let remedy = if reason.contains("server does not support TLS") {
            "switch on TLS at the server (`ssl = on`), or set `tls = \"disable\"` if the network is trusted"
        } else {
            "give the option `ca_file` the certificate that signed the server's, or correct the host in `url`"
        };
        Fault::blocked(reason, remedy)
    } else if kind.starts_with("authentication error") || kind.starts_with("invalid configuration") {
        Fault::blocked(reason, "give the password in the option `password`, and the address in `url`")
    } else {
        Fault::retry(reason)
    }
}
