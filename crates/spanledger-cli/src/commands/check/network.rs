//! Checks whether the ports are free and whether the destination of traces answers.

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

/// The longest time to wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Checks ports and recognizes those of a running `spanledger serve`.
pub(super) struct Probe {
    client: Client,
    /// Whether a running `serve` answers on the configured admin port.
    serve_runs: bool,
}

impl Probe {
    /// Requests the metrics from the admin port to find out whether `serve` is running.
    pub(super) async fn new(admin: Option<SocketAddr>) -> anyhow::Result<Self> {
        let client = Client::builder()
            .timeout(TIMEOUT)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .context("the HTTP client for the port checks could not be created")?;
        let mut probe = Self { client, serve_runs: false };
        if let Some(address) = admin {
            probe.serve_runs = probe.is_admin_of_serve(address).await;
        }
        Ok(probe)
    }

    /// Checks whether `serve` can listen on an address, or whether a running `serve` uses it already.
    pub(super) async fn port(&self, address: SocketAddr, flag: &str) -> Finding {
        let Err(error) = TcpListener::bind(address).await else {
            return Ok(format!("{address} is free"));
        };
        if error.kind() != ErrorKind::AddrInUse {
            return Err(format!(
                "`serve` cannot listen on {address} ({error}): choose another address with --{flag}"
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

    /// Recognizes `serve` by the name of one of its metrics.
    async fn is_admin_of_serve(&self, address: SocketAddr) -> bool {
        let response = self.client.get(format!("http://{}/metrics", reachable(address))).send().await;
        let Ok(response) = response else { return false };
        response.text().await.is_ok_and(|text| text.contains("spanledger_requests_total"))
    }

    /// Whether the address accepts an empty OTLP message, which records nothing. Both OTLP ports accept HTTP.
    async fn answers_otlp(&self, address: SocketAddr) -> bool {
        let url = format!("http://{}/v1/traces", reachable(address));
        let request = self.client.post(url).header(CONTENT_TYPE, "application/x-protobuf");
        request.send().await.is_ok_and(|response| response.status() == StatusCode::OK)
    }
}

/// Replaces an unspecified address (all interfaces) by the loopback address, to which a client can connect.
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
