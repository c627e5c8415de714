use std::fs;

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value as Json;
use spanledger_price::PriceBook;

use crate::root;

struct Schema {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Schema {
    fn compiled() -> Self {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.enable_format_assertions();
        compiler.add_resource("price-book.json", serde_json::from_str(&super::text()).unwrap()).unwrap();
        let index = compiler.compile("price-book.json", &mut schemas).unwrap();
        Self { schemas, index }
    }

    /// The mistakes that an editor shows in a file; `None` if there are none.
    fn mistakes(&self, file: &str) -> Option<String> {
        let file = json(toml::Value::Table(file.parse().unwrap()));
        self.schemas.validate(&file, self.index).err().map(|error| format!("{error:#}"))
    }
}

/// Converts TOML as editors do before they check it: a date becomes a string.
fn json(value: toml::Value) -> Json {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(flag) => flag.into(),
        toml::Value::Datetime(day) => day.to_string().into(),
        toml::Value::Array(values) => values.into_iter().map(json).collect(),
        toml::Value::Table(table) => table.into_iter().map(|(key, value)| (key, json(value))).collect(),
    }
}

#[test]
fn the_built_in_files_fit_the_schema_and_name_it() {
    let schema = Schema::compiled();
    for (name, text) in PriceBook::builtin_files() {
        assert_eq!(text.lines().next(), Some("#:schema ./price-book.schema.json"), "{name}");
        assert_eq!(schema.mistakes(text), None, "{name}");
    }
}

#[test]
fn the_documented_price_files_fit_the_schema_and_are_read() {
    let schema = Schema::compiled();
    for page in ["docs/pricing.md", "docs/configuration.md", "README.md"] {
        let page = fs::read_to_string(root().join(page)).unwrap();
        let blocks = page.split("```toml\n").skip(1).filter_map(|rest| rest.split("\n```").next());
        for file in blocks.filter(|block| block.contains("[provider]")) {
            assert_eq!(schema.mistakes(file), None, "{file}");
            if let Err(errors) = PriceBook::builtin().layered([("prices.toml", file)]) {
                panic!("{errors}\n{file}");
            }
        }
    }
}

#[test]
fn mistakes_do_not_fit_the_schema() {
    let schema = Schema::compiled();
    let file = |line: &str| {
        format!(
            "[provider]\nname = \"acme\"\n[[price]]\nmodel = \"m\"\nsources = [\"page\"]\n\
             prices_checked = 2026-01-02\nstandard = {{ input_per_1m = \"1\" }}\n{line}\n"
        )
    };
    assert_eq!(schema.mistakes(&file("")), None);
    for line in [
        "batch = { input = \"1\" }",
        "batch = { input_per_1m = 1.5 }",
        "batch = { input_per_1m = \"1e3\" }",
        "turbo = { input_per_1m = \"1\" }",
        "from = 2026",
        "no_long_context = \"yes\"",
        "[[model]]\naliases = [\"x\"]",
        "[fallback]\nreasoning = \"thought\"",
        "[tiers]\nexpress = [\"x\"]",
    ] {
        assert!(schema.mistakes(&file(line)).is_some(), "{line}");
    }
    assert!(schema.mistakes("[[model]]\nname = \"m\"\n[sources]\npage = \"p\"\n").is_some(), "no provider");
}
