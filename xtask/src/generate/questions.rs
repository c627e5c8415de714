//! Generates `docs/sql`: the questions that people ask of the events, in the SQL of each database.
//!
//! A question is a file in `questions/`. It is SQL that all databases understand, apart from a few expressions in
//! `{{…}}` that each spells differently: a database is a row of [`DATABASES`].

use super::Generated;

/// A question, as the name of its file and its text.
const QUESTIONS: &[(&str, &str)] = &[
    ("spend_by_feature_and_day", include_str!("questions/spend_by_feature_and_day.sql")),
    ("spend_by_customer_and_month", include_str!("questions/spend_by_customer_and_month.sql")),
    ("top_routes_of_the_day", include_str!("questions/top_routes_of_the_day.sql")),
    ("cache_hit_rate_by_feature", include_str!("questions/cache_hit_rate_by_feature.sql")),
    ("prompt_size_by_feature", include_str!("questions/prompt_size_by_feature.sql")),
    ("reasoning_effort_and_cost", include_str!("questions/reasoning_effort_and_cost.sql")),
    ("hourly_spend_against_baseline", include_str!("questions/hourly_spend_against_baseline.sql")),
    ("gross_margin_by_customer", include_str!("questions/gross_margin_by_customer.sql")),
    ("retry_spend", include_str!("questions/retry_spend.sql")),
    ("unpriced_and_quarantined", include_str!("questions/unpriced_and_quarantined.sql")),
];

/// How a database spells what differs. `e` is a row of the view.
struct Database {
    /// The name of its folder.
    name: &'static str,
    title: &'static str,
    /// How the files were tested, as a sentence.
    tested: &'static str,
    day: &'static str,
    month: &'static str,
    hour: &'static str,
    hour_number: &'static str,
    live: &'static str,
    quarantined: &'static str,
    /// What else must be said of the table of revenues.
    revenue_note: &'static str,
    /// What a query with a left join ends with.
    left_join_setting: &'static str,
}

/// The views of a warehouse; see `spanledger-sinks/src/table`.
const LIVE: &str = "openai_events";
const QUARANTINED: &str = "openai_events_quarantined";

const DATABASES: &[Database] = &[
    Database {
        name: "postgres",
        title: "Postgres",
        tested: "It runs in the tests on PostgreSQL 15.",
        day: "CAST(e.timestamp AT TIME ZONE 'UTC' AS date)",
        month: "CAST(date_trunc('month', e.timestamp AT TIME ZONE 'UTC') AS date)",
        hour: "date_trunc('hour', e.timestamp AT TIME ZONE 'UTC')",
        hour_number: "CAST(floor(extract(epoch FROM e.timestamp) / 3600) AS bigint)",
        live: LIVE,
        quarantined: QUARANTINED,
        revenue_note: "",
        left_join_setting: "",
    },
    Database {
        name: "clickhouse",
        title: "ClickHouse",
        tested: "It runs in the tests on the engine of ClickHouse 26.9 (chdb).",
        day: "toDate(e.timestamp, 'UTC')",
        month: "toStartOfMonth(toDate(e.timestamp, 'UTC'))",
        hour: "toStartOfHour(toDateTime(e.timestamp, 'UTC'))",
        hour_number: "intDiv(toUnixTimestamp(toDateTime(e.timestamp, 'UTC')), 3600)",
        live: LIVE,
        quarantined: QUARANTINED,
        revenue_note: "",
        // A row without a partner would otherwise have zeros instead of nulls.
        left_join_setting: "\nSETTINGS join_use_nulls = 1",
    },
    Database {
        name: "bigquery",
        title: "BigQuery",
        tested: "In the tests, sqlglot parses it as GoogleSQL, translates it, and DuckDB runs it; it has not met BigQuery.",
        day: "DATE(e.timestamp)",
        month: "DATE_TRUNC(DATE(e.timestamp), MONTH)",
        hour: "TIMESTAMP_TRUNC(e.timestamp, HOUR)",
        hour_number: "DIV(UNIX_SECONDS(e.timestamp), 3600)",
        live: LIVE,
        quarantined: QUARANTINED,
        revenue_note: "",
        left_join_setting: "",
    },
    Database {
        name: "snowflake",
        title: "Snowflake",
        tested: "It runs in the tests on fakesnow, an emulator of Snowflake; it has not met Snowflake.",
        day: "CAST(CONVERT_TIMEZONE('UTC', e.timestamp) AS DATE)",
        month: "CAST(DATE_TRUNC('month', CONVERT_TIMEZONE('UTC', e.timestamp)) AS DATE)",
        hour: "DATE_TRUNC('hour', CONVERT_TIMEZONE('UTC', e.timestamp))",
        hour_number: "FLOOR(DATE_PART(epoch_second, e.timestamp) / 3600)",
        live: LIVE,
        quarantined: QUARANTINED,
        revenue_note: "",
        left_join_setting: "",
    },
    Database {
        name: "duckdb",
        title: "DuckDB",
        tested: "It runs in the tests on DuckDB 2.0.",
        day: "CAST(e.timestamp AT TIME ZONE 'UTC' AS DATE)",
        month: "CAST(date_trunc('month', e.timestamp AT TIME ZONE 'UTC') AS DATE)",
        hour: "date_trunc('hour', e.timestamp AT TIME ZONE 'UTC')",
        hour_number: "CAST(floor(epoch(e.timestamp) / 3600) AS BIGINT)",
        live: LIVE,
        quarantined: QUARANTINED,
        revenue_note: "",
        left_join_setting: "",
    },
    Database {
        name: "sqlite",
        title: "SQLite, the ledger itself",
        tested: "It runs in the tests on a ledger. Amounts are floats here; docs/ledger.md shows exact sums.",
        day: "date(e.timestamp)",
        month: "date(e.timestamp, 'start of month')",
        hour: "strftime('%Y-%m-%d %H:00:00', e.timestamp)",
        hour_number: "(CAST(strftime('%s', e.timestamp) AS INTEGER) / 3600)",
        // The ledger's view has the quarantined events, too.
        live: "(SELECT * FROM openai_events WHERE state = 'live')",
        quarantined: "(SELECT * FROM openai_events WHERE state = 'quarantined')",
        left_join_setting: "",
        revenue_note: "\n-- Keep it in a file of its own and attach that: ATTACH 'revenue.db' AS revenue.",
    },
];

/// All files of `docs/sql`.
pub(super) fn files() -> Vec<Generated> {
    let mut files = vec![Generated { path: "docs/sql/README.md".to_owned(), text: page() }];
    for database in DATABASES {
        for (name, question) in QUESTIONS {
            files.push(Generated {
                path: format!("docs/sql/{}/{name}.sql", database.name),
                text: sql(database, name, question),
            });
        }
    }
    files
}

/// A question in the SQL of a database.
fn sql(database: &Database, name: &str, question: &str) -> String {
    let sql = [
        ("day", database.day),
        ("month", database.month),
        ("hour", database.hour),
        ("hour_number", database.hour_number),
        ("live", database.live),
        ("quarantined", database.quarantined),
        ("revenue_note", database.revenue_note),
        ("left_join_setting", database.left_join_setting),
    ]
    .into_iter()
    .fold(question.to_owned(), |sql, (key, text)| sql.replace(&format!("{{{{{key}}}}}"), text));
    let head = sql.lines().take_while(|line| line.starts_with("--")).count();
    let (comment, query): (Vec<_>, Vec<_>) = sql.lines().enumerate().partition(|(number, _)| *number < head);
    let text = |lines: Vec<(usize, &str)>| {
        lines.into_iter().fold(String::new(), |text, (_, line)| text + line + "\n")
    };
    format!(
        "{}--\n-- {} `cargo xtask gen` writes this file from\n-- xtask/src/generate/questions/{name}.sql.\n{}",
        text(comment),
        database.tested,
        text(query)
    )
}

/// What a question answers: the first line of its file.
fn title(question: &str) -> &str {
    question.lines().next().unwrap_or_default().trim_start_matches("--").trim()
}

fn page() -> String {
    let mut page = String::from(
        "# Questions in SQL\n\n<!-- Generated by `cargo xtask gen` from xtask/src/generate/questions. -->\n\n\
         Each file answers one question and says in its first lines what may be changed. The files of all databases come\n\
         from one source, and the tests run each on the same events and expect the same answers.\n\n\
         | question |",
    );
    for database in DATABASES {
        page.push_str(&format!(" {} |", database.title));
    }
    page.push_str("\n|---|");
    page.push_str(&"---|".repeat(DATABASES.len()));
    page.push('\n');
    for (name, question) in QUESTIONS {
        page.push_str(&format!("| {} |", title(question)));
        for database in DATABASES {
            page.push_str(&format!(" [{0}]({0}/{name}.sql) |", database.name));
        }
        page.push('\n');
    }
    page.push_str(
        "\nThe files read the views that a sink makes beside its table (`spanledger sinks ddl` prints them): `openai_events` has\n\
         the latest revision of each live event, and `openai_events_quarantined` that of each event without attribution. In\n\
         the ledger, `openai_events` has both. [events.md](../events.md) describes the columns. In BigQuery, choose the\n\
         default dataset of the query or write it before the names of the views.\n\n\
         Three rules are in every file:\n\n\
         * **Unknown is not zero.** A cost that is unknown is null, and a sum leaves it out. The number of such requests\n\
         \x20 stands beside the sum, which is then a lower bound.\n\
         * **Times are UTC**, whatever the session's time zone is.\n\
         * **Amounts are exact** (`DECIMAL(24,12)`), except in SQLite, which has no decimal numbers.\n\n\
         ## How they were tested\n\n",
    );
    for database in DATABASES {
        page.push_str(&format!("* **{}**. {}\n", database.title, database.tested));
    }
    page
}
