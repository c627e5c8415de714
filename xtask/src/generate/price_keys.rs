//! Generates the table of all keys of price files in `docs/pricing.md`.

use std::fs;

use spanledger_price::grammar::{self, Section, Value};

use crate::root;

/// The page that contains the table.
pub(super) const PAGE: &str = "docs/pricing.md";
const BEGIN: &str = "<!-- `cargo xtask gen` writes this table from the grammar of price files. -->\n";
const END: &str = "<!-- end of the generated table -->\n";

/// The text of the page with a table from the grammar. A page without the marks of the table is not changed.
pub(super) fn text() -> String {
    let page = fs::read_to_string(root().join(PAGE)).unwrap_or_default();
    let parts = page.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    match parts {
        Some((before, after)) => format!("{before}{BEGIN}\n{}\n{END}{after}", table()),
        None => page,
    }
}

fn table() -> String {
    let mut table = String::from("| table | key | meaning |\n|---|---|---|\n");
    for key in grammar::FILE.keys {
        match key.value {
            Value::Table(section) => rows(&format!("`[{}]`", key.name), section, &mut table),
            Value::Tables(section) => rows(&format!("`[[{}]]`", key.name), section, &mut table),
            _ => table.push_str(&format!("| `[{}]` | *name* `= \"…\"` | {} |\n", key.name, cell(key.doc))),
        }
    }
    let rates = rates(&grammar::FILE);
    table.push_str(
        "\nThe keys of rates, each with how much one rate is for:\n\n| key | US dollars per |\n|---|---|\n",
    );
    for key in rates.into_iter().flat_map(|rates| rates.keys) {
        if let Value::Rate(meter) = key.value {
            table.push_str(&format!("| `{}` | {} |\n", key.name, meter.unit()));
        }
    }
    table
}

/// Adds the rows of a section. Keys with the same meaning share a row.
fn rows(header: &str, section: &Section, table: &mut String) {
    let mut header = header;
    let mut rest = section.keys;
    while let Some(first) = rest.first() {
        let same = rest.iter().take_while(|key| key.doc == first.doc).count();
        let (group, others) = rest.split_at(same);
        rest = others;
        let (keys, meaning) = match first.value {
            Value::Rate(_) => ("*a key of rates*".to_owned(), "The fee, in US dollars per unit.".to_owned()),
            _ => {
                let keys: Vec<String> = group.iter().map(|key| format!("`{}`", key.name)).collect();
                let meaning =
                    format!("{}{}", cell(first.doc), if first.required { " Required." } else { "" });
                (if keys.len() > 5 { "*a meter*".to_owned() } else { keys.join(", ") }, meaning)
            }
        };
        table.push_str(&format!("| {header} | {keys} | {meaning} |\n"));
        header = "";
    }
}

/// The section whose keys are rates, if this section has one.
fn rates(section: &'static Section) -> Option<&'static Section> {
    section.keys.iter().find_map(|key| match key.value {
        Value::Table(inner) | Value::Tables(inner) if inner.name == "rates" => Some(inner),
        Value::Table(inner) | Value::Tables(inner) => rates(inner),
        _ => None,
    })
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
