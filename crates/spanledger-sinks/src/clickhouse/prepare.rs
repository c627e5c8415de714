//! Whether the database can be used, and what is missing is made.

use serde::{Deserialize, de::DeserializeOwned};
use spanledger_event::Column;

use super::{ClickHouseConfig, http::Server};
use crate::{
    Fault, Purpose,
    table::{Dialect, ExistingColumn, Table},
};

/// The oldest version that has every type and setting that the sink uses.
const OLDEST: (u32, u32) = (24, 3);

#[derive(Deserialize)]
struct Engine {
    engine: String,
    engine_full: String,
}

#[derive(Deserialize)]
struct FoundColumn {
    name: String,
    r#type: String,
}

/// Looks at the server and the table, and makes what is missing if that is allowed and asked for. Returns remarks.
pub(super) async fn prepare(
    server: &Server,
    config: &ClickHouseConfig,
    table: &Table,
    purpose: Purpose,
) -> Result<Vec<String>, Fault> {
    check_version(server).await?;
    let mut remarks = Vec::new();
    let name = table.name.table();
    let mut is_new = false;
    if engine(server, name).await?.is_none() {
        if !config.create_table {
            return Err(Fault::blocked(
                format!("{}: the table `{name}` does not exist", server.name),
                "make it with the statements that `spanledger sinks ddl clickhouse` prints, or set `create_table = true`",
            ));
        }
        if purpose == Purpose::Check {
            remarks.push(format!("the table `{name}` does not exist; the sink makes it when it delivers"));
            return Ok(remarks);
        }
        for statement in table.create_table() {
            server.run("make the table", statement).await?;
        }
        is_new = true;
    }
    check_rights(server, table).await?;
    let columns = check_columns(server, config, table, purpose, &mut remarks).await?;
    let Some(engine) = engine(server, name).await? else { return Ok(remarks) };
    layers(&engine, name, &mut remarks);
    if purpose == Purpose::Deliver && config.create_table {
        let table = Table { columns, engine: engine.engine, ..table.clone() };
        make_views(server, &table, is_new, &mut remarks).await;
    }
    Ok(remarks)
}

async fn check_version(server: &Server) -> Result<(), Fault> {
    let version = server.run("ask for the version", "SELECT version()".to_owned()).await?;
    let version = version.trim();
    let mut parts = version.split('.').map_while(|part| part.parse::<u32>().ok());
    match (parts.next(), parts.next()) {
        (Some(major), Some(minor)) if (major, minor) < OLDEST => Err(Fault::blocked(
            format!("{}: it is ClickHouse {version}, which is too old", server.name),
            format!("use ClickHouse {}.{} or newer", OLDEST.0, OLDEST.1),
        )),
        (Some(_), Some(_)) => Ok(()),
        _ => Err(Fault::blocked(
            format!(
                "{}: the answer is not one of ClickHouse: {}",
                server.name,
                version.chars().take(80).collect::<String>()
            ),
            "correct the option `url`: it must be the HTTP interface of ClickHouse",
        )),
    }
}

/// The rows of a query, one JSON object a line.
async fn rows<T: DeserializeOwned>(server: &Server, task: &str, sql: String) -> Result<Vec<T>, Fault> {
    let text = server.run(task, format!("{sql} FORMAT JSONEachRow")).await?;
    let row =
        |line| serde_json::from_str(line).map_err(|error| Fault::retry(format!("{}: {error}", server.name)));
    text.lines().filter(|line| !line.is_empty()).map(row).collect()
}

async fn engine(server: &Server, table: &str) -> Result<Option<Engine>, Fault> {
    let name = Dialect::ClickHouse.literal(table);
    let sql = format!(
        "SELECT engine, engine_full FROM system.tables WHERE database = currentDatabase() AND name = {name}"
    );
    Ok(rows(server, "look for the table", sql).await?.pop())
}

/// Whether the user may insert, as far as the server says it.
async fn check_rights(server: &Server, table: &Table) -> Result<(), Fault> {
    let sql = format!("CHECK GRANT INSERT ON {}", table.quoted_name());
    // Older servers do not know the statement. The first insert then tells.
    let Ok(answer) = server.run("look at the rights", sql).await else { return Ok(()) };
    if answer.trim() == "0" {
        return Err(Fault::blocked(
            format!("{}: the user lacks the right INSERT on `{}`", server.name, table.name),
            format!("`GRANT SELECT, INSERT ON {} TO` the user", table.quoted_name()),
        ));
    }
    Ok(())
}

async fn columns_of(server: &Server, table: &str) -> Result<Vec<ExistingColumn>, Fault> {
    let name = Dialect::ClickHouse.literal(table);
    let sql = format!(
        "SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = {name} ORDER BY position"
    );
    let found: Vec<FoundColumn> = rows(server, "read the columns of the table", sql).await?;
    // A column of the user's own gets the default of its type.
    let column =
        |found: FoundColumn| ExistingColumn { name: found.name, data_type: found.r#type, required: false };
    Ok(found.into_iter().map(column).collect())
}

/// Compares the columns, and adds those that are missing. Returns the columns in the table's order.
async fn check_columns(
    server: &Server,
    config: &ClickHouseConfig,
    table: &Table,
    purpose: Purpose,
    remarks: &mut Vec<String>,
) -> Result<Vec<&'static Column>, Fault> {
    let name = table.name.table();
    let existing = columns_of(server, name).await?;
    let difference = table.compare(&existing);
    if difference.is_blocking() || (!difference.missing.is_empty() && !config.add_columns) {
        return Err(Fault::blocked(
            format!("{}: the table `{name}` has another shape: {difference}", server.name),
            difference.remedy(),
        ));
    }
    if !difference.missing.is_empty() {
        if purpose == Purpose::Check {
            remarks.push(format!(
                "the table `{name}` differs: {difference}; the sink adds the columns when it delivers"
            ));
        } else {
            let missing: Vec<&'static Column> =
                difference.missing.iter().filter_map(|name| Column::named(name)).collect();
            for statement in table.add_columns(&missing) {
                server.run("add a column", statement).await?;
            }
            remarks.push(format!("the table `{name}` got the columns {}", difference.missing.join(", ")));
        }
    }
    Ok(table.in_order_of(&existing))
}

/// Says which of the two layers the table lacks that keep a repeated event from counting twice.
fn layers(engine: &Engine, table: &str, remarks: &mut Vec<String>) {
    let Engine { engine, engine_full } = engine;
    let is_replicated = engine.starts_with("Replicated") || engine.starts_with("Shared");
    let window = engine_full
        .split_once("non_replicated_deduplication_window = ")
        .is_some_and(|(_, rest)| !rest.starts_with('0'));
    if !is_replicated && !window {
        remarks.push(format!(
            "the table `{table}` does not recognize an insert that is repeated after its answer was lost: \
             `ALTER TABLE {table} MODIFY SETTING non_replicated_deduplication_window = 10000`"
        ));
    }
    if !engine.ends_with("ReplacingMergeTree") || !engine_full.contains("revision") {
        remarks.push(format!(
            "the engine of the table `{table}` is {engine} and not ReplacingMergeTree(revision): it keeps every revision \
             of an event, and only the views of the sink leave the older ones out"
        ));
    }
}

/// Makes the views if they do not exist or lack columns. A view that cannot be made is a remark: the delivery does not
/// need it.
async fn make_views(server: &Server, table: &Table, is_new: bool, remarks: &mut Vec<String>) {
    for (name, statement) in
        [table.live_view(), table.quarantined_view()].into_iter().zip(table.create_views())
    {
        let existing = columns_of(server, name.table()).await.unwrap_or_default();
        let has_all =
            table.columns.iter().all(|column| existing.iter().any(|found| found.name == column.name));
        if !existing.is_empty() && (has_all || is_new) {
            continue;
        }
        if let Err(problem) = server.run("make the view", statement).await {
            remarks.push(format!("the view `{name}` could not be made: {}", problem.reason()));
        }
    }
}
