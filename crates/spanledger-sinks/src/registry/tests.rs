use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use super::*;
use crate::SINKS;

/// The part of a configuration file that configures sinks.
#[derive(Deserialize)]
struct File {
    sinks: BTreeMap<String, SinkSpec>,
}

fn build_toml(toml: &str) -> Result<Vec<ConfiguredSink>, SinkConfigError> {
    let file: File = toml::from_str(toml).unwrap();
    build(SINKS, file.sinks.iter().map(|(name, spec)| (name.as_str(), spec)))
}

/// The kinds that this program was built with.
fn built() -> impl Iterator<Item = &'static SinkKind> {
    SINKS.iter().filter(|kind| kind.missing_feature().is_none())
}

impl SinkKind {
    fn read(&self, options: Table) -> Result<MakeSink, String> {
        match self.source {
            Source::Built { build, .. } => build(options),
            Source::NotBuilt { .. } => panic!("{} is not built", self.name),
        }
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The `toml` examples of a README.
fn examples(readme: &str) -> Vec<&str> {
    readme.split("```toml\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0)).collect()
}

/// Name and default of each option, from the rows ``| `name` | `default` | meaning |`` of a README. An
/// option that must be given has the default `required`.
fn documented_options(readme: &str) -> BTreeMap<&str, &str> {
    let rows = readme.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let mut cells = row.split('|').skip(1).map(|cell| cell.trim().trim_matches('`'));
        (cells.next().unwrap(), cells.next().unwrap())
    })
    .collect()
}

/// The names of the fields of a configuration type, from serde's error message about an unknown field.
fn fields(kind: &SinkKind) -> BTreeSet<String> {
    let options = Table::from_iter([("no such option".to_owned(), toml::Value::Boolean(true))]);
    let error = kind.read(options).err().unwrap();
    let (_, expected) = error.split_once("expected").unwrap_or_else(|| panic!("{}: {error}", kind.name));
    expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn names_are_unique_and_in_order() {
    let names: Vec<&str> = SINKS.iter().map(|kind| kind.name).collect();
    assert!(names.windows(2).all(|pair| pair[0] < pair[1]), "{names:?}");
    assert!(names.iter().all(|name| is_cursor_name(name)), "the kind is the default name of the cursor");
}

#[test]
fn every_folder_of_a_sink_has_a_row() {
    for entry in fs::read_dir(folder()).unwrap().map(Result::unwrap) {
        if entry.path().join("sink.rs").exists() {
            let name = entry.file_name().into_string().unwrap();
            assert!(SINKS.iter().any(|kind| kind.name == name), "{name} has no row in SINKS");
        }
    }
}

#[test]
fn every_sink_runs_the_conformance_suite() {
    for kind in SINKS {
        let path = folder().join(kind.name).join("tests.rs");
        let tests = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(tests.contains("conformance::check("), "{}", path.display());
    }
}

#[test]
fn a_summary_is_one_line_of_help() {
    for kind in SINKS {
        let summary = kind.summary;
        assert!(summary.starts_with(char::is_uppercase) && !summary.ends_with('.'), "{summary}");
        assert!(!summary.contains('\n') && summary.len() <= 80, "{summary}");
    }
}

#[test]
fn every_readme_has_the_same_headings_and_its_examples_build() {
    for kind in built() {
        let headings: Vec<&str> = kind.readme.lines().filter(|line| line.starts_with('#')).collect();
        let expected = ["# When to use it", "# Configuration", "# Delivery", "# Failures"];
        assert_eq!(headings, expected, "{}", kind.name);
        let examples = examples(kind.readme);
        assert!(!examples.is_empty(), "{}", kind.name);
        for example in examples {
            let sinks = build_toml(example).unwrap_or_else(|error| panic!("{error}\n{example}"));
            assert!(sinks.iter().all(|sink| sink.kind == kind.name), "{example}");
        }
    }
}

#[test]
fn every_readme_lists_the_options_that_the_configuration_has() {
    for kind in built() {
        let documented = documented_options(kind.readme);
        let names: BTreeSet<String> = documented.keys().map(|&name| name.to_owned()).collect();
        assert_eq!(names, fields(kind), "{}", kind.name);
        // The documented defaults can be written out. If no option is required, they can also be left out.
        let lines: Vec<String> = documented
            .iter()
            .filter(|(_, default)| **default != "required")
            .map(|(name, default)| format!("{name} = {default}"))
            .collect();
        let options: Table = toml::from_str(&lines.join("\n")).unwrap();
        if documented.values().all(|default| *default != "required") {
            kind.read(options).unwrap();
            build(SINKS, [(kind.name, &SinkSpec::default())]).unwrap();
        }
    }
}

#[test]
fn the_kind_is_the_name_unless_it_is_given() {
    let built = build_toml("[sinks.stdout]\n[sinks.audit]\nkind = 'stdout'").unwrap();
    let shown: Vec<String> = built.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["audit (stdout)", "stdout"]);
    assert_eq!(built[0].name, "audit");
}

#[test]
fn options_that_all_sinks_have_are_read_beside_those_of_the_kind() {
    let toml = "[sinks.audit]
kind = 'stdout'
events = 'quarantined'
start = 'now'
rejections_max = 5
where = { environment = 'production', feature = ['a', 'b'] }
batch = { rows = 7, linger_ms = 20 }
omit_columns = ['dims']";
    let [sink] = &build_toml(toml).unwrap()[..] else { panic!("there is one sink") };
    assert_eq!(
        (sink.filter.events, sink.start, sink.rejections_max),
        (EventSelection::Quarantined, Start::Now, 5)
    );
    assert_eq!(sink.filter.only["feature"], ["a", "b"]);
    assert_eq!(sink.filter.only["environment"], ["production"]);
    let shape = sink.batch.over(BatchShape::default().bytes(10).in_flight(3));
    assert_eq!(shape, BatchShape::default().rows(7).bytes(10).in_flight(3).linger(Duration::from_millis(20)));
}

#[test]
fn a_kind_that_is_not_built_says_how_to_get_it() {
    let table = &[SinkKind::not_built("kafka", "Writes to Kafka", "", "kafka")];
    let error = build(table, [("kafka", &SinkSpec::default())]).unwrap_err().to_string();
    assert!(error.contains("--features kafka"), "{error}");
}

#[test]
fn two_sinks_of_one_name_are_refused() {
    let spec = SinkSpec::default();
    let error = build(SINKS, [("stdout", &spec), ("stdout", &spec)]).unwrap_err().to_string();
    assert!(error.contains("two sinks are named `stdout`"), "{error}");
}

#[test]
fn an_error_names_the_sink_and_the_option() {
    for (toml, words) in [
        ("[sinks.kafak]", &["`kafak`", "stdout"][..]),
        ("[sinks.events]\nkind = 'kafak'", &["`events`", "`kafak`", "stdout"]),
        ("[sinks.'Audit log']\nkind = 'stdout'", &["`Audit log`", "a-z"]),
        (
            "[sinks.audit]\nkind = 'stdout'\ncolour = 'red'",
            &["`audit`", "`stdout`", "`colour`", "`omit_columns`", "[sinks.audit]"],
        ),
        ("[sinks.stdout]\nomit_columns = 'usage_raw'", &["`stdout`", "a sequence"]),
        ("[sinks.stdout]\nomit_columns = ['usage']", &["`omit_columns`", "`usage`"]),
        ("[sinks.stdout]\nomit_columns = ['event_id']", &["`omit_columns`", "`event_id`"]),
        (
            "[sinks.stdout]\nwhere = { customer = 'acme' }",
            &["`stdout`", "`where`", "`customer`", "customer_id"],
        ),
    ] {
        let error = build_toml(toml).unwrap_err().to_string();
        for word in words {
            assert!(error.contains(word), "{word} is not in: {error}");
        }
    }
}
