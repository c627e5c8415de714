//! Whether the ports are free, and whether the destination of traces answers.

use std::{
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use anyhow::Context as _;
use reqwest::{Client, StatusCode, header::CONTENT_TYPE};
use spanledger_receiver::Destination;
use tokio::net::TcpListener;

use super::Finding;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Looks at ports, and knows whether `spanledger serve` runs already.
pub(super) struct Probe {
    client: Client,
    /// Whether the configured admin port is that of a running `serve`.
    serve_runs: bool,
}

impl Probe {
    /// Asks the admin port.
    pub(super) async fn new(admin: Option<SocketAddr>) -> anyhow::Result<Self> {
        let client = Client::builder()
            .timeout(TIMEOUT)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .context("no HTTP client could be made to look at the ports")?;
        let mut probe = Self { client, serve_runs: false };
        if let Some(address) = admin {
            probe.serve_runs = probe.is_admin_of_serve(address).await;
        }
        Ok(probe)
    }

    /// Whether a port can be listened on, or is held by a `serve` that runs already.
    pub(super) async fn port(&self, address: SocketAddr, flag: &str) -> Finding {
        let Err(error) = TcpListener::bind(address).await else {
            return Ok(format!("{address} is free"));
        };
        if error.kind() != ErrorKind::AddrInUse {
            return Err(format!(
                "{address} cannot be listened on ({error}): choose another address with --{flag}"
            ));
        }
        let is_ours = match flag {
            "admin-addr" => self.serve_runs,
            _ => self.serve_runs && self.answers_otlp(address).await,
        };
        if is_ours {
            return Ok(format!("{address} is in use by a running `spanledger serve`"));
        }
        Err(format!(
            "{address} is in use by another program: stop it, or choose another address with --{flag}"
        ))
    }

    /// The metrics of `serve` have names of their own.
    async fn is_admin_of_serve(&self, address: SocketAddr) -> bool {
        let response = self.client.get(format!("http://{}/metrics", reachable(address))).send().await;
        let Ok(response) = response else { return false };
        response.text().await.is_ok_and(|text| text.contains("spanledger_requests_total"))
    }

    /// Whether an empty OTLP message, which records nothing, is accepted there. It holds logs, because
    /// traces are forwarded: `serve` would refuse them while their destination is down. Both OTLP
    /// ports take HTTP.
    async fn answers_otlp(&self, address: SocketAddr) -> bool {
        let url = format!("http://{}/v1/logs", reachable(address));
        let request = self.client.post(url).header(CONTENT_TYPE, "application/x-protobuf");
        request.send().await.is_ok_and(|response| response.status() == StatusCode::OK)
    }
}

/// Where a program on this machine reaches a port that listens on all interfaces.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

/// Sends an empty OTLP message to the destination of traces.
pub(super) async fn destination(address: &str) -> Finding {
    let destination = Destination::new(address).map_err(|error| error.to_string())?;
    let remedy = "start it, or choose another with --forward-traces";
    match tokio::time::timeout(TIMEOUT, destination.probe()).await {
        Ok(Ok(())) => Ok(format!("{address} accepts traces")),
        Ok(Err(error)) => Err(format!("{address}: {error}; {remedy}")),
        Err(_) => Err(format!("{address} did not answer within {} seconds: {remedy}", TIMEOUT.as_secs())),
    }
}
