use std::collections::BTreeMap;

use clap::{Args as _, Parser as _};
use spanledger_sinks::SinkKind;

use super::*;
use crate::args::{Arguments, Command};

fn load(text: &str, arguments: &[&str]) -> anyhow::Result<Config> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("spanledger.toml");
    fs::write(&path, text)?;
    let mut all = vec!["spanledger", "serve", "--config", path.to_str().unwrap()];
    all.extend(arguments);
    let Command::Serve(arguments) = Arguments::try_parse_from(all).unwrap().command else {
        panic!("serve was given")
    };
    Config::load(arguments.config.as_deref(), arguments.options)
}

#[test]
fn the_command_line_overrides_the_file() {
    let text = r#"
        ledger = "file.db"
        [sinks.stdout]
        [receiver]
        grpc_addr = "127.0.0.1:1"
        http_addr = 5
        body_bytes_max = 1000
        in_flight_bytes_max = 9000
        [attribution]
        customer_id = ["account.id"]
    "#;
    let config = load(text, &["--ledger", "line.db", "--in-flight-bytes-max", "8000"]).unwrap();
    assert_eq!((config.ledger.to_str(), config.grpc_addr.port()), (Some("line.db"), 1));
    assert_eq!(config.http_addr.to_string(), "127.0.0.1:5", "a bare port is on this machine");
    assert_eq!((config.limits.body_bytes_max, config.limits.in_flight_bytes_max), (1_000, 8_000));
    assert_eq!(sink_names(&config), ["stdout"]);
    assert_eq!(config.keys.customer_id[0], "account.id");
    assert_eq!(config.keys.customer_id[1], "spanledger.customer_id");
}

fn sink_names(config: &Config) -> Vec<String> {
    config.sinks.iter().map(ToString::to_string).collect()
}

#[test]
fn a_sink_is_a_table_or_a_kind_on_the_command_line() {
    let text = "[sinks.stdout]\n[sinks.audit]\nkind = 'stdout'\nomit_columns = []";
    assert_eq!(sink_names(&load(text, &[]).unwrap()), ["audit (stdout)", "stdout"]);
    assert_eq!(sink_names(&load(text, &["--sink", "stdout", "--sink", "stdout"]).unwrap()), ["stdout"]);
    assert!(sink_names(&load("", &[]).unwrap()).is_empty());
}

#[test]
fn price_files_of_the_configuration_file_are_relative_to_its_folder() {
    let text = "prices = ['own/prices.toml', '/etc/rates.toml']";
    let config = load(text, &[]).unwrap();
    let [relative, absolute] = config.prices.paths() else { panic!("{config:?}") };
    assert!(relative.is_absolute() && relative.ends_with("own/prices.toml"), "{config:?}");
    assert_eq!(absolute, Path::new("/etc/rates.toml"));
    assert_eq!(load(text, &["--prices", ""]).unwrap().prices.paths().len(), 2, "an empty name is no file");
    let config = load(text, &["--prices", "a.toml", "--prices", "b.toml,c.toml"]).unwrap();
    assert_eq!(config.prices.paths(), ["a.toml", "b.toml", "c.toml"].map(PathBuf::from));
}

#[test]
fn the_admin_port_has_a_default_and_can_be_switched_off() {
    let port = |text: &str, arguments: &[&str]| load(text, arguments).unwrap().admin_addr.map(|a| a.port());
    assert_eq!(port("", &[]), Some(4319));
    assert_eq!(port("admin_addr = '0.0.0.0:80'", &[]), Some(80));
    assert_eq!(port("admin_addr = 80", &[]), Some(80));
    assert_eq!(port("admin_addr = 'off'", &[]), None);
    assert_eq!(port("admin_addr = 'off'", &["--admin-addr", "9"]), Some(9));
    assert_eq!(port("", &["--admin-addr", "off"]), None);
}

#[test]
fn an_error_names_the_option_that_is_wrong() {
    for (text, word) in [
        ("ledgre = 'x'", "ledgre"),
        ("sinks = ['stdout']", "sinks"),
        ("[sinks.events]\nkind = 'kafak'", "kafak"),
        ("[sinks.audit]", "`audit`"),
        ("[sinks.stdout]\ncolour = 'red'", "colour"),
        ("[receiver]\ngrpc_addr = 'nowhere'", "grpc_addr"),
        ("[receiver]\ngrpc_addr = 'nowhere'", "127.0.0.1:4317"),
        ("[receiver]\nin_flight_bytes_max = 5", "in_flight_bytes_max"),
        ("admin_addr = 'on'", "`off`"),
        ("admin_addr = 99999", "admin_addr"),
        ("admin_addr = true", "admin_addr"),
        ("prices = 'one.toml'", "prices"),
    ] {
        let error = format!("{:#}", load(text, &[]).unwrap_err());
        assert!(error.contains(word), "{word}: {error}");
    }
}

const PAGE: &str = include_str!("../../../../docs/configuration.md");

#[test]
fn the_examples_of_the_page_are_valid() {
    let examples: Vec<&str> =
        PAGE.split("```toml\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0)).collect();
    let [configuration, sink] = examples.as_slice() else { panic!("{examples:?}") };
    load(configuration, &[]).unwrap();
    load(sink, &[]).unwrap();
}

/// One option, as the reference page shows it.
struct Row {
    key: String,
    environment: String,
    flag: String,
    default: Option<String>,
    text: String,
}

/// The options that can be set on the command line and in the file, read from their declarations.
fn rows() -> Vec<Row> {
    let command = Options::augment_args(clap::Command::new("serve"));
    let row = |argument: &clap::Arg| {
        let help = argument.get_long_help().or(argument.get_help()).unwrap().to_string();
        let (text, default) = match help.split_once(" [default: ") {
            Some((text, rest)) => (text.to_owned(), Some(rest.trim_end_matches(['.', ']']).to_owned())),
            None => (help, None),
        };
        let repeatable = if argument.get_action().takes_values()
            && matches!(argument.get_action(), clap::ArgAction::Append)
        {
            " (repeatable)"
        } else {
            ""
        };
        Row {
            key: argument.get_id().to_string(),
            environment: argument
                .get_env()
                .map(|name| format!("`{}`", name.to_str().unwrap()))
                .unwrap_or_default(),
            flag: format!("`--{}`{repeatable}", argument.get_long().unwrap()),
            default,
            text,
        }
    };
    command.get_arguments().map(row).collect()
}

/// Accept a change of the declarations with `UPDATE_EXPECT=1 cargo test -p spanledger-cli`.
#[test]
fn the_reference_page_matches_the_declarations() {
    let page = replace_region(PAGE, "options", &options_table());
    let page = replace_region(&page, "sinks", &sinks_table());
    expect_test::expect_file!["../../../../docs/configuration.md"].assert_eq(&page);
}

/// Replaces the text between the comments that begin and end a region of the page.
fn replace_region(page: &str, region: &str, text: &str) -> String {
    let (begin, end) = (format!("<!-- {region}: begin -->\n"), format!("<!-- {region}: end -->"));
    let (before, rest) = page.split_once(&begin).unwrap();
    let (_, after) = rest.split_once(&end).unwrap();
    format!("{before}{begin}{text}{end}{after}")
}

fn sinks_table() -> String {
    let mut table = String::from("| sink | what it does |\n|---|---|\n");
    for SinkKind { name, summary, .. } in SINKS {
        let readme = format!("../crates/spanledger-sinks/src/{name}/README.md");
        table.push_str(&format!("| [`{name}`]({readme}) | {summary} |\n"));
    }
    table
}

fn options_table() -> String {
    let mut table =
        String::from("| file | environment | command line | default | meaning |\n|---|---|---|---|---|\n");
    for Row { key, environment, flag, default, text } in rows() {
        let default = default.map_or_else(|| "none".to_owned(), |default| format!("`{default}`"));
        let text = text.trim_end_matches('.');
        table.push_str(&format!("| `{key}` | {environment} | {flag} | {default} | {text} |\n"));
    }
    let keys = file_keys("[attribution]\nunknown = 1");
    let keys: Vec<String> = keys.iter().map(|key| format!("`attribution.{key}`")).collect();
    table.push_str(&format!(
        "| {} | | | `[]` | Attribute keys that are read before [the default ones](#where-attribution-is-read-from) |\n",
        keys.join(", ")
    ));
    table
}

#[test]
fn the_defaults_in_the_help_match_the_code() {
    let config = Config::resolve(Options::default()).unwrap();
    let defaults: BTreeMap<&str, String> = BTreeMap::from([
        ("ledger", config.ledger.display().to_string()),
        ("admin_addr", config.admin_addr.unwrap().to_string()),
        ("receiver.grpc_addr", config.grpc_addr.to_string()),
        ("receiver.http_addr", config.http_addr.to_string()),
        ("receiver.body_bytes_max", config.limits.body_bytes_max.to_string()),
        ("receiver.in_flight_bytes_max", config.limits.in_flight_bytes_max.to_string()),
        ("receiver.connections_max", config.limits.connections_max.to_string()),
    ]);
    let rows = rows();
    let documented: BTreeMap<&str, String> =
        rows.iter().filter_map(|row| Some((row.key.as_str(), row.default.clone()?))).collect();
    assert_eq!(documented, defaults);
}

/// The keys that serde accepts at the place where `text` has the key `unknown`, from its error message.
fn file_keys(text: &str) -> Vec<String> {
    let error = toml::from_str::<Options>(text).unwrap_err().to_string();
    let (_, names) = error.split_once("expected one of ").unwrap();
    names.lines().next().unwrap().split(", ").map(|name| name.trim_matches('`').to_owned()).collect()
}

#[test]
fn the_file_has_the_options_of_the_command_line() {
    let mut keys = file_keys("unknown = 1");
    keys.retain(|key| !["receiver", "attribution"].contains(&key.as_str()));
    keys.extend(file_keys("[receiver]\nunknown = 1").iter().map(|key| format!("receiver.{key}")));
    let arguments: Vec<String> = rows().into_iter().map(|row| row.key).collect();
    assert_eq!(keys, arguments);
}
