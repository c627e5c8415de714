//! Requests to the HTTP interface.

use reqwest::{Client, Url};

use super::{ClickHouseConfig, fault};
use crate::{Fault, web};

/// A server and who asks it.
#[derive(Clone, Debug)]
pub(super) struct Server {
    client: Client,
    url: Url,
    user: String,
    password: String,
    database: String,
    /// The server and the database, for messages.
    pub(super) name: String,
}

impl Server {
    /// Reads the options. It reads files, so it runs on a thread for blocking work.
    pub(super) fn new(config: &ClickHouseConfig, url: &Url) -> Result<Self, Fault> {
        let client = web::client(config.timeout(), &config.ca_file)?;
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or_default();
        Ok(Self {
            client,
            url: url.clone(),
            user: config.user.clone(),
            password: config.password.read()?,
            database: config.database.clone(),
            name: format!("ClickHouse at {host}:{port}/{}", config.database),
        })
    }

    /// Runs a statement. `task` says for messages what it does.
    pub(super) async fn run(&self, task: &str, sql: String) -> Result<String, Fault> {
        self.send(task, None, sql.into_bytes()).await
    }

    /// Runs an insert with its rows.
    pub(super) async fn insert(&self, task: &str, sql: &str, rows: Vec<u8>) -> Result<(), Fault> {
        self.send(task, Some(sql), rows).await.map(drop)
    }

    async fn send(&self, task: &str, query: Option<&str>, body: Vec<u8>) -> Result<String, Fault> {
        let mut url = self.url.clone();
        // With `wait_end_of_query`, a statement that fails late has no status of success.
        url.query_pairs_mut().append_pair("database", &self.database).append_pair("wait_end_of_query", "1");
        if let Some(query) = query {
            url.query_pairs_mut().append_pair("query", query);
        }
        let request = self
            .client
            .post(url)
            .header("X-ClickHouse-User", &self.user)
            .header("X-ClickHouse-Key", &self.password)
            .body(body);
        let lost = |error| web::lost(&format!("{}: cannot {task}", self.name), error);
        let answer = request.send().await.map_err(lost)?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.text().await.map_err(lost)?;
        if status.is_success() && !headers.contains_key("x-clickhouse-exception-code") {
            return Ok(body);
        }
        Err(fault::of_answer(&self.name, task, status, &headers, &body))
    }
}
