//! The configuration of `serve`: file, environment, command line.

use std::{
    collections::BTreeSet,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
};

use anyhow::Context as _;
use serde::Deserialize;
use spanledger_otlp::AttributionKeys;
use spanledger_receiver::{Limits, PriceFiles};

use spanledger_sinks::{ConfiguredSink, SinkSpec};

use crate::{args::ServeArguments, sinks::SINKS};

/// What a file may say. Every key is optional.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    ledger: Option<PathBuf>,
    /// Sinks without options.
    sinks: Vec<String>,
    /// Sinks with options, each a `[[sink]]`.
    sink: Vec<SinkSpec>,
    prices: Vec<PathBuf>,
    admin_addr: Option<AdminAddr>,
    receiver: ReceiverSection,
    attribution: AttributionSection,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ReceiverSection {
    grpc_addr: Option<SocketAddr>,
    http_addr: Option<SocketAddr>,
    forward_traces: Option<String>,
    body_bytes_max: Option<usize>,
    in_flight_bytes_max: Option<usize>,
    connections_max: Option<usize>,
}

/// Keys to read before the default ones.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct AttributionSection {
    feature: Vec<String>,
    route: Vec<String>,
    customer_id: Vec<String>,
    environment: Vec<String>,
    request_id: Vec<String>,
    batch_job_id: Vec<String>,
    user: Vec<String>,
}

/// An address, or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum AdminAddr {
    Off,
    At(SocketAddr),
}

impl FromStr for AdminAddr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(address) => Ok(Self::At(address)),
            Err(_) if text.eq_ignore_ascii_case("off") => Ok(Self::Off),
            Err(_) => Err("write an address with its port, such as 127.0.0.1:4319, or `off`".to_owned()),
        }
    }
}

impl TryFrom<String> for AdminAddr {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map_err(|error| format!("admin_addr is {text:?}: {error}"))
    }
}

/// What is in force.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) ledger: PathBuf,
    pub(crate) grpc_addr: SocketAddr,
    pub(crate) http_addr: SocketAddr,
    pub(crate) forward_traces: Option<String>,
    pub(crate) sinks: Vec<ConfiguredSink>,
    pub(crate) prices: PriceFiles,
    pub(crate) admin_addr: Option<SocketAddr>,
    pub(crate) limits: Limits,
    pub(crate) keys: AttributionKeys,
}

impl Config {
    pub(crate) fn load(arguments: &ServeArguments) -> anyhow::Result<Self> {
        let file = match &arguments.config {
            None => File::default(),
            Some(path) => {
                let text = fs::read_to_string(path)
                    .with_context(|| format!("cannot read the configuration {}", path.display()))?;
                toml::from_str(&text)
                    .with_context(|| format!("the configuration {} is not valid", path.display()))?
            }
        };
        let mut limits = Limits::default();
        let section = file.receiver;
        limits.body_bytes_max = section.body_bytes_max.unwrap_or(limits.body_bytes_max);
        limits.in_flight_bytes_max = section.in_flight_bytes_max.unwrap_or(limits.in_flight_bytes_max);
        limits.connections_max = section.connections_max.unwrap_or(limits.connections_max);
        anyhow::ensure!(
            limits.body_bytes_max <= limits.in_flight_bytes_max,
            "receiver.body_bytes_max is larger than receiver.in_flight_bytes_max: such a message could never be taken"
        );
        let (mut kinds, with_options) = if arguments.sinks.is_empty() {
            (file.sinks, file.sink)
        } else {
            (arguments.sinks.clone(), vec![])
        };
        // A kind that is named twice without options is one sink.
        let mut seen = BTreeSet::new();
        kinds.retain(|kind| seen.insert(kind.clone()));
        let mut sinks: Vec<SinkSpec> = kinds.iter().map(|kind| SinkSpec::of_kind(kind)).collect();
        sinks.extend(with_options);
        // A variable that is set to nothing names no file.
        // A variable that is set to nothing names no file.
        let given = arguments.prices.iter().filter(|path| !path.is_empty());
        let mut prices: Vec<PathBuf> = given.map(PathBuf::from).collect();
        if prices.is_empty() {
            // Said in the file, so seen from where it is; an absolute path stays as it is.
            let folder = arguments.config.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
            prices = file.prices.iter().map(|path| folder.join(path)).collect();
        }
        let admin_addr = match arguments.admin_addr.or(file.admin_addr) {
            None => Some(([127, 0, 0, 1], 4319).into()),
            Some(AdminAddr::At(address)) => Some(address),
            Some(AdminAddr::Off) => None,
        };
        Ok(Self {
            ledger: arguments.ledger.clone().or(file.ledger).unwrap_or_else(|| "spanledger.db".into()),
            grpc_addr: arguments.grpc_addr.or(section.grpc_addr).unwrap_or(([127, 0, 0, 1], 4317).into()),
            http_addr: arguments.http_addr.or(section.http_addr).unwrap_or(([127, 0, 0, 1], 4318).into()),
            forward_traces: arguments.forward_traces.clone().or(section.forward_traces),
            sinks: spanledger_sinks::build(SINKS, &sinks)?,
            prices: PriceFiles::new(prices),
            admin_addr,
            limits,
            keys: file.attribution.before_defaults(),
        })
    }
}

impl AttributionSection {
    fn before_defaults(self) -> AttributionKeys {
        let mut keys = AttributionKeys::default();
        for (own, default) in [
            (self.feature, &mut keys.feature),
            (self.route, &mut keys.route),
            (self.customer_id, &mut keys.customer_id),
            (self.environment, &mut keys.environment),
            (self.request_id, &mut keys.request_id),
            (self.batch_job_id, &mut keys.batch_job_id),
            (self.user, &mut keys.user),
        ] {
            default.splice(0..0, own);
        }
        keys
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Arguments, Command};

    fn load(text: &str, arguments: &[&str]) -> anyhow::Result<Config> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("spanledger.toml");
        fs::write(&path, text)?;
        let mut all = vec!["spanledger", "serve", "--config", path.to_str().unwrap()];
        all.extend(arguments);
        let Command::Serve(arguments) = Arguments::parse_from(all).command else { panic!("serve was given") };
        Config::load(&arguments)
    }

    #[test]
    fn the_command_line_wins_over_the_file() {
        let text = r#"
            ledger = "file.db"
            sinks = ["stdout"]
            [receiver]
            grpc_addr = "127.0.0.1:1"
            body_bytes_max = 1000
            [attribution]
            customer_id = ["account.id"]
        "#;
        let config = load(text, &["--ledger", "line.db"]).unwrap();
        assert_eq!((config.ledger.to_str(), config.grpc_addr.port()), (Some("line.db"), 1));
        assert_eq!((sink_names(&config), config.limits.body_bytes_max), (vec!["stdout".to_owned()], 1_000));
        assert_eq!(config.keys.customer_id[0], "account.id");
        assert_eq!(config.keys.customer_id[1], "spanledger.customer_id");
    }

    fn sink_names(config: &Config) -> Vec<String> {
        config.sinks.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_sink_is_a_name_or_a_table_with_options() {
        let text =
            "sinks = ['stdout', 'stdout']\n[[sink]]\nkind = 'stdout'\nname = 'audit'\nomit_columns = []";
        assert_eq!(sink_names(&load(text, &[]).unwrap()), ["stdout", "audit (stdout)"]);
        assert_eq!(sink_names(&load(text, &["--sink", "stdout"]).unwrap()), ["stdout"]);
        assert!(sink_names(&load("", &[]).unwrap()).is_empty());
    }

    #[test]
    fn every_sink_of_the_program_is_on_the_page_about_configuration() {
        let page = include_str!("../../../docs/configuration.md");
        for kind in SINKS {
            let link = format!("[`{0}`](../crates/spanledger-sinks/src/{0}/README.md)", kind.name);
            assert!(page.contains(&link), "{link}");
        }
    }

    #[test]
    fn prices_of_the_file_are_beside_it() {
        let text = "prices = ['own/prices.toml', '/etc/rates.toml']";
        let config = load(text, &[]).unwrap();
        let [beside, absolute] = config.prices.paths() else { panic!("{config:?}") };
        assert!(beside.is_absolute() && beside.ends_with("own/prices.toml"), "{config:?}");
        assert_eq!(absolute, Path::new("/etc/rates.toml"));
        assert_eq!(load(text, &["--prices", ""]).unwrap().prices.paths().len(), 2, "nothing names no file");
        let config = load(text, &["--prices", "a.toml", "--prices", "b.toml,c.toml"]).unwrap();
        assert_eq!(config.prices.paths(), ["a.toml", "b.toml", "c.toml"].map(PathBuf::from));
    }

    #[test]
    fn the_admin_port_has_a_default_and_can_be_switched_off() {
        let port =
            |text: &str, arguments: &[&str]| load(text, arguments).unwrap().admin_addr.map(|a| a.port());
        assert_eq!(port("", &[]), Some(4319));
        assert_eq!(port("admin_addr = '0.0.0.0:80'", &[]), Some(80));
        assert_eq!(port("admin_addr = 'off'", &[]), None);
        assert_eq!(port("admin_addr = 'off'", &["--admin-addr", "127.0.0.1:9"]), Some(9));
        assert_eq!(port("", &["--admin-addr", "off"]), None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, word) in [
            ("ledgre = 'x'", "ledgre"),
            ("sinks = ['kafak']", "kafak"),
            ("[[sink]]\nkind = 'kafak'", "kafak"),
            ("[[sink]]\nname = 'audit'", "kind"),
            ("[[sink]]\nkind = 'stdout'\ncolour = 'red'", "colour"),
            ("sinks = ['stdout']\n[[sink]]\nkind = 'stdout'", "two sinks are named `stdout`"),
            ("[receiver]\ngrpc_addr = 'nowhere'", "grpc_addr"),
            ("[receiver]\nin_flight_bytes_max = 5", "in_flight_bytes_max"),
            ("admin_addr = 'on'", "admin_addr"),
            ("admin_addr = 4319", "admin_addr"),
            ("prices = 'one.toml'", "prices"),
        ] {
            let error = format!("{:#}", load(text, &[]).unwrap_err());
            assert!(error.contains(word), "{word}: {error}");
        }
    }

    #[test]
    fn the_documented_examples_are_good() {
        let page = include_str!("../../../docs/configuration.md");
        let examples: Vec<&str> =
            page.split("```toml\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0)).collect();
        let [configuration, sink, prices] = examples.as_slice() else { panic!("{examples:?}") };
        load(configuration, &[]).unwrap();
        load(sink, &[]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("prices.toml");
        fs::write(&path, prices).unwrap();
        PriceFiles::new([path]).read().unwrap();
    }
}
