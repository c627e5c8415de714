//! What an error of the server means for the delivery.

use std::time::Duration;

use reqwest::{StatusCode, header::HeaderMap};

use crate::{Fault, web};

/// What an answer means that is not a success.
pub(super) fn of_answer(
    server: &str,
    task: &str,
    status: StatusCode,
    headers: &HeaderMap,
    body: &str,
) -> Fault {
    let message = web::excerpt(body);
    // Servers before 22.3 state the code only in the message.
    let stated = headers.get("x-clickhouse-exception-code").and_then(|code| code.to_str().ok()?.parse().ok());
    let in_message = || message.strip_prefix("Code: ")?.split([',', '.']).next()?.trim().parse().ok();
    let reason = |message: &str| format!("{server}: cannot {task}: {message}");
    match stated.or_else(in_message) {
        Some(code) => of_code(code, reason(&message)),
        None => of_status(status, web::retry_after(headers), reason(&format!("{status} {message}"))),
    }
}

/// What an exception of ClickHouse means.
pub(super) fn of_code(code: u32, reason: String) -> Fault {
    let remedy = match code {
        // AUTHENTICATION_FAILED; UNKNOWN_USER, WRONG_PASSWORD, REQUIRED_PASSWORD of older servers.
        192..=194 | 516 => "correct the options `user` and `password`",
        // ACCESS_DENIED, READONLY.
        497 | 164 => {
            "grant the user `SELECT, INSERT` on the table, and `CREATE TABLE, CREATE VIEW, ALTER ADD COLUMN` if the sink \
             is to make it; `spanledger sinks ddl clickhouse` prints the table"
        }
        // UNKNOWN_DATABASE.
        81 => "correct the option `database`, or make it with `CREATE DATABASE`",
        // UNKNOWN_TABLE, and columns that are not there any more.
        60 | 8 | 10 | 16 | 47 => {
            "the table was changed while the sink wrote it; the sink compares it again within a minute"
        }
        // UNKNOWN_SETTING, NOT_IMPLEMENTED, SYNTAX_ERROR, UNKNOWN_TYPE, UNKNOWN_STORAGE, BAD_ARGUMENTS, and engines that
        // are not allowed.
        115 | 48 | 62 | 50 | 56 | 36 | 344 => {
            "look at the options `engine` and `settings`, and at the version of the server"
        }
        // NOT_ENOUGH_SPACE.
        243 => "free space on the disk of the server",
        // Values: CANNOT_PARSE_TEXT and its kin, ARGUMENT_OUT_OF_BOUND, INCORRECT_DATA,
        // CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN, DECIMAL_OVERFLOW, VIOLATED_CONSTRAINT.
        6 | 25..=28 | 38 | 41 | 53 | 69 | 70 | 72 | 117 | 131 | 349 | 407 | 469 => {
            return Fault::Rejected { reason };
        }
        // The body is larger than `http_max_request_body_size`; the query than `max_query_size`.
        594 | 307 => return Fault::TooLarge { reason },
        // Too many queries or parts, memory, timeouts, a replica that cannot write now, Keeper, the start of the server.
        _ => return Fault::retry(reason),
    };
    Fault::blocked(reason, remedy)
}

/// What a status means of which ClickHouse says no more, because it comes from a proxy before it.
pub(super) fn of_status(status: StatusCode, after: Option<Duration>, reason: String) -> Fault {
    match status.as_u16() {
        401 | 403 => Fault::blocked(reason, "correct the options `user` and `password`"),
        404 | 405 | 301..=308 => {
            Fault::blocked(reason, "correct the option `url`: it must be the HTTP interface of ClickHouse")
        }
        400 => Fault::Rejected { reason },
        413 => Fault::TooLarge { reason },
        _ => Fault::retry_after(reason, after),
    }
}
