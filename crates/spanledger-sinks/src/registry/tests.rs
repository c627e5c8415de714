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
    sink: Vec<SinkSpec>,
}

fn specs(toml: &str) -> Vec<SinkSpec> {
    toml::from_str::<File>(toml).unwrap().sink
}

fn build_toml(toml: &str) -> Result<Vec<ConfiguredSink>, SinkConfigError> {
    build(SINKS, &specs(toml))
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
    let error = (kind.build)("name".to_owned(), options).unwrap_err();
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
    for kind in SINKS {
        let headings: Vec<&str> = kind.readme.lines().filter(|line| line.starts_with('#')).collect();
        let expected = ["# When to use it", "# Configuration", "# Delivery", "# Failures"];
        assert_eq!(headings, expected, "{}", kind.name);
        let examples = examples(kind.readme);
        assert!(!examples.is_empty(), "{}", kind.name);
        for example in examples {
            let specs = specs(example);
            assert!(specs.iter().all(|spec| spec.kind == kind.name), "{example}");
            let built = build(SINKS, &specs).unwrap_or_else(|error| panic!("{error}\n{example}"));
            for (spec, built) in specs.iter().zip(&built) {
                assert_eq!(built.sink.name(), spec.name.as_deref().unwrap_or(kind.name));
            }
        }
    }
}

#[test]
fn every_readme_lists_the_options_that_the_configuration_has() {
    for kind in SINKS {
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
            (kind.build)("name".to_owned(), options).unwrap();
            build(SINKS, &[SinkSpec::of_kind(kind.name)]).unwrap();
        }
    }
}

#[test]
fn a_sink_is_named_after_its_kind_unless_it_has_a_name() {
    let built = build_toml("[[sink]]\nkind = 'stdout'\n[[sink]]\nkind = 'stdout'\nname = 'audit'").unwrap();
    let shown: Vec<String> = built.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["stdout", "audit (stdout)"]);
    assert_eq!(built[1].sink.name(), "audit");
}

#[test]
fn an_error_names_the_sink_and_the_option() {
    for (toml, words) in [
        ("[[sink]]\nkind = 'kafak'", &["`kafak`", "stdout"][..]),
        ("[[sink]]\nkind = 'stdout'\nname = 'Audit log'", &["`Audit log`", "a-z"]),
        ("[[sink]]\nkind = 'stdout'\n[[sink]]\nkind = 'stdout'", &["two sinks", "`stdout`", "`name`"]),
        (
            "[[sink]]\nkind = 'stdout'\nname = 'audit'\ncolour = 'red'",
            &["`audit`", "`stdout`", "`colour`", "`omit_columns`"],
        ),
        ("[[sink]]\nkind = 'stdout'\nomit_columns = 'usage_raw'", &["`stdout`", "a sequence"]),
        ("[[sink]]\nkind = 'stdout'\nomit_columns = ['usage']", &["`omit_columns`", "`usage`"]),
        ("[[sink]]\nkind = 'stdout'\nomit_columns = ['event_id']", &["`omit_columns`", "`event_id`"]),
    ] {
        let error = build_toml(toml).unwrap_err().to_string();
        for word in words {
            assert!(error.contains(word), "{word} is not in: {error}");
        }
    }
}
