//! Resolves the configuration of `serve` from the file, the environment, the command line and the
//! defaults.

mod address;
mod options;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use spanledger_otlp::AttributionKeys;
use spanledger_receiver::{Limits, PriceFiles, Retention};
use spanledger_sinks::{ConfiguredSink, SinkConfigError, SinkSpec};

pub(crate) use self::{
    address::{AdminAddr, ListenAddr},
    options::{AttributionOptions, Options},
};
use crate::sinks::SINKS;

/// The default file of the ledger.
pub(crate) const LEDGER: &str = "spanledger.db";
/// The default address of OTLP/gRPC.
pub(crate) const GRPC_ADDR: ListenAddr = on_this_machine(4317);
/// The default address of OTLP/HTTP.
pub(crate) const HTTP_ADDR: ListenAddr = on_this_machine(4318);
/// The default address of health and metrics.
const ADMIN_ADDR: ListenAddr = on_this_machine(4319);

/// An address that only programs on this machine can reach. With port 0 the system chooses a free port.
pub(crate) const fn on_this_machine(port: u16) -> ListenAddr {
    ListenAddr(SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), port))
}

/// The resolved configuration: every option has its value.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) ledger: PathBuf,
    pub(crate) grpc_addr: SocketAddr,
    pub(crate) http_addr: SocketAddr,
    pub(crate) forward_traces: Option<String>,
    pub(crate) sinks: Vec<ConfiguredSink>,
    pub(crate) prices: PriceFiles,
    pub(crate) retention: Option<Retention>,
    pub(crate) admin_addr: Option<SocketAddr>,
    pub(crate) limits: Limits,
    pub(crate) keys: AttributionKeys,
}

impl Config {
    /// Reads the file, if one is named. An option that is given in the environment or on the command line
    /// overrides the file.
    pub(crate) fn load(file: Option<&Path>, mut given: Options) -> anyhow::Result<Self> {
        // An environment variable that is set to nothing names no file.
        given.prices.retain(|path| !path.as_os_str().is_empty());
        let options = match file {
            None => given,
            Some(path) => given.or(read(path)?),
        };
        Self::resolve(options)
    }

    /// Fills in the defaults of options that are not given.
    fn resolve(options: Options) -> anyhow::Result<Self> {
        let receiver = options.receiver;
        let mut limits = Limits::default();
        limits.body_bytes_max = receiver.body_bytes_max.unwrap_or(limits.body_bytes_max);
        limits.in_flight_bytes_max = receiver.in_flight_bytes_max.unwrap_or(limits.in_flight_bytes_max);
        limits.connections_max = receiver.connections_max.unwrap_or(limits.connections_max);
        anyhow::ensure!(
            limits.body_bytes_max <= limits.in_flight_bytes_max,
            "receiver.body_bytes_max ({}) is larger than receiver.in_flight_bytes_max ({}), so that a message of \
             that size could never be received: lower the former or raise the latter",
            limits.body_bytes_max,
            limits.in_flight_bytes_max,
        );
        let sinks = sinks(options.sinks, &options.sink_tables)?;
        let admin_addr = match options.admin_addr.unwrap_or(AdminAddr::At(ADMIN_ADDR)) {
            AdminAddr::At(address) => Some(address.0),
            AdminAddr::Off => None,
        };
        Ok(Self {
            ledger: options.ledger.unwrap_or_else(|| LEDGER.into()),
            grpc_addr: receiver.grpc_addr.unwrap_or(GRPC_ADDR).0,
            http_addr: receiver.http_addr.unwrap_or(HTTP_ADDR).0,
            forward_traces: receiver.forward_traces,
            sinks,
            prices: PriceFiles::new(options.prices),
            retention: options.keep_days.map(Retention::days),
            admin_addr,
            limits,
            keys: keys(options.attribution),
        })
    }

    /// Names the price files that are laid over the built-in book, for a message.
    pub(crate) fn price_files(&self) -> String {
        let names: Vec<String> = self.prices.paths().iter().map(|path| path.display().to_string()).collect();
        if names.is_empty() { String::new() } else { format!(", with {}", names.join(", ")) }
    }
}

/// Reads the options of a file. Paths of price files are relative to the file's folder.
fn read(path: &Path) -> anyhow::Result<Options> {
    let text = fs::read_to_string(path)
        .with_context(|| format!("cannot read the configuration {}", path.display()))?;
    let mut options: Options = toml::from_str(&text)
        .with_context(|| format!("the configuration {} is not valid", path.display()))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    for prices in &mut options.prices {
        *prices = folder.join(&*prices);
    }
    Ok(options)
}

/// The sinks of the command line, which have no options, or else those of the file.
fn sinks(
    mut kinds: Vec<String>,
    tables: &BTreeMap<String, SinkSpec>,
) -> Result<Vec<ConfiguredSink>, SinkConfigError> {
    if kinds.is_empty() {
        return spanledger_sinks::build(SINKS, tables.iter().map(|(name, spec)| (name.as_str(), spec)));
    }
    let mut known = BTreeSet::new();
    kinds.retain(|kind| known.insert(kind.clone()));
    let without_options = SinkSpec::default();
    spanledger_sinks::build(SINKS, kinds.iter().map(|kind| (kind.as_str(), &without_options)))
}

/// The configured attribute keys, followed by the default ones.
fn keys(own: AttributionOptions) -> AttributionKeys {
    let mut keys = AttributionKeys::default();
    for (own, default) in [
        (own.feature, &mut keys.feature),
        (own.route, &mut keys.route),
        (own.customer_id, &mut keys.customer_id),
        (own.environment, &mut keys.environment),
        (own.request_id, &mut keys.request_id),
        (own.batch_job_id, &mut keys.batch_job_id),
        (own.user, &mut keys.user),
    ] {
        default.splice(0..0, own);
    }
    keys
}
