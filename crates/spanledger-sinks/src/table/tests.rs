use expect_test::expect_file;
use spanledger_event::{COLUMNS, Column};

use super::*;

/// The columns of the table as a database would report them that stores types as they were written.
fn existing(table: &Table) -> Vec<ExistingColumn> {
    let one = |column: &&Column| ExistingColumn {
        name: column.name.to_owned(),
        data_type: table.dialect.sql_type(column),
        required: false,
    };
    table.columns.iter().map(one).collect()
}

#[test]
fn the_script_of_each_dialect_is_the_accepted_one() {
    for dialect in Dialect::ALL {
        let script = Table::default_of(dialect).script();
        let name = dialect.name();
        expect_file![format!("{}/tests/golden/ddl.{name}.sql", env!("CARGO_MANIFEST_DIR"))]
            .assert_eq(&script);
    }
    let by_month = Table { partitions: Partitions::ByMonth, ..Table::default_of(Dialect::Postgres) };
    let script =
        format!("{};\n\n{};\n", by_month.create_table()[0], by_month.create_month((2026, 12), (2027, 1)));
    expect_file![concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/ddl.postgres-by-month.sql")]
        .assert_eq(&script);
}

#[test]
fn dollars_have_twelve_exact_places_in_every_dialect() {
    for dialect in Dialect::ALL {
        for column in COLUMNS.iter().filter(|column| column.unit == "USD") {
            let kind = dialect.sql_type(column).replace(' ', "");
            assert!(kind.contains("(24,12)"), "{dialect:?}: {} is {kind}", column.name);
        }
    }
}

#[test]
fn a_name_of_the_user_is_quoted_in_every_dialect() {
    let name = "a b.it's \"a\" `table`\\; DROP TABLE x --";
    let quoted = Dialect::ALL.map(|dialect| TableName::parse(dialect, name).unwrap().quoted(dialect));
    assert_eq!(
        quoted,
        [
            r#""a b"."it's ""a"" `table`\; DROP TABLE x --""#,
            r#"`a b`.`it's "a" \`table\`\\; DROP TABLE x --`"#,
            r#"`a b`.`it's "a" \`table\`\\; DROP TABLE x --`"#,
            r#""a b"."it's ""a"" `table`\; DROP TABLE x --""#,
            r#""a b"."it's ""a"" `table`\; DROP TABLE x --""#,
        ]
    );
    // People can write a simple name in Snowflake without quotes.
    let simple = TableName::parse(Dialect::Snowflake, "db.public.Events_2").unwrap();
    assert_eq!(simple.quoted(Dialect::Snowflake), r#""DB"."PUBLIC"."EVENTS_2""#);
}

#[test]
fn a_name_that_no_table_can_have_is_refused() {
    let problem = |name: &str| TableName::parse(Dialect::Postgres, name).unwrap_err().to_string();
    assert_eq!(problem("a..b"), "`a..b` has an empty part; write it as `table` or `schema.table`");
    assert_eq!(problem(""), "`` has an empty part; write it as `table` or `schema.table`");
    assert_eq!(problem("a.b.c"), "`a.b.c` has too many parts; write it as `table` or `schema.table`");
    assert_eq!(problem("a\0b"), "`a\\0b` has a control character, which the name of a table cannot have");
    let long = "t".repeat(49);
    assert_eq!(problem(&long), format!("`{long}` is too long for the name of a table: it may have 48 bytes"));
    assert!(TableName::parse(Dialect::BigQuery, "my-project.data.table").is_ok());
}

#[test]
fn a_table_that_a_dialect_makes_has_no_difference() {
    for dialect in Dialect::ALL {
        let table = Table::default_of(dialect);
        let difference = table.compare(&existing(&table));
        assert!(difference.is_none(), "{dialect:?}: {difference}");
    }
}

#[test]
fn types_as_the_databases_report_them_are_understood() {
    let accepted = |dialect: Dialect, name: &str, data_type: &str| {
        let table = Table::default_of(dialect);
        let mut columns = existing(&table);
        let column = columns.iter_mut().find(|column| column.name == name).unwrap();
        column.data_type = data_type.to_owned();
        if matches!(dialect, Dialect::Snowflake) {
            column.name = name.to_ascii_uppercase();
        }
        table.compare(&columns).is_none()
    };
    for (dialect, name, data_type, is_accepted) in [
        (Dialect::Postgres, "feature", "character varying", true),
        (Dialect::Postgres, "feature", "character varying(2000)", true),
        (Dialect::Postgres, "feature", "character varying(64)", false),
        (Dialect::Postgres, "cost_usd", "numeric", true),
        (Dialect::Postgres, "cost_usd", "numeric(30,12)", true),
        (Dialect::Postgres, "cost_usd", "numeric(24,9)", false),
        (Dialect::Postgres, "cost_usd", "numeric(20,12)", false),
        (Dialect::Postgres, "cost_usd", "double precision", false),
        (Dialect::Postgres, "prompt_tokens", "integer", false),
        (Dialect::Postgres, "prompt_tokens", "numeric(19,0)", true),
        (Dialect::Postgres, "timestamp", "timestamp without time zone", false),
        (Dialect::Postgres, "timestamp", "timestamp(3) with time zone", false),
        (Dialect::Postgres, "timestamp", "timestamp(6) with time zone", true),
        (Dialect::Postgres, "dims", "json", true),
        (Dialect::ClickHouse, "feature", "Nullable(String)", true),
        (Dialect::ClickHouse, "feature", "LowCardinality(String)", false),
        (Dialect::ClickHouse, "provider", "String", true),
        (Dialect::ClickHouse, "prompt_tokens", "Int64", false),
        (Dialect::ClickHouse, "prompt_tokens", "Nullable(Int32)", false),
        (Dialect::ClickHouse, "cost_usd", "Nullable(Decimal(38, 12))", true),
        (Dialect::ClickHouse, "cost_usd", "Nullable(Float64)", false),
        (Dialect::ClickHouse, "timestamp", "DateTime", false),
        (Dialect::ClickHouse, "timestamp", "DateTime64(6)", true),
        (Dialect::BigQuery, "cost_usd", "BIGNUMERIC", true),
        (Dialect::BigQuery, "cost_usd", "NUMERIC", false),
        (Dialect::BigQuery, "prompt_tokens", "INTEGER", true),
        (Dialect::Snowflake, "feature", "VARCHAR(16777216)", true),
        (Dialect::Snowflake, "prompt_tokens", "NUMBER(38,0)", true),
        (Dialect::Snowflake, "cost_usd", "NUMBER(38,0)", false),
        (Dialect::Snowflake, "timestamp", "TIMESTAMP_NTZ(9)", false),
        (Dialect::DuckDb, "cost_usd", "DOUBLE", false),
        (Dialect::DuckDb, "dims", "VARCHAR", true),
    ] {
        assert_eq!(accepted(dialect, name, data_type), is_accepted, "{dialect:?} {name} {data_type}");
    }
}

#[test]
fn a_difference_says_what_is_wrong_and_what_to_do() {
    let table = Table::default_of(Dialect::Postgres);
    let mut columns = existing(&table);
    columns.retain(|column| column.name != "dims" && column.name != "region");
    let cost = columns.iter_mut().find(|column| column.name == "cost_usd").unwrap();
    cost.data_type = "double precision".to_owned();
    let own = |name: &str, required| ExistingColumn {
        name: name.to_owned(),
        data_type: "text".to_owned(),
        required,
    };
    columns.push(own("team", false));
    columns.push(own("department", true));

    let difference = table.compare(&columns);

    assert!(difference.is_blocking());
    assert_eq!(
        difference.to_string(),
        "it lacks `region`, `dims`; `cost_usd` is double precision and must be numeric(24,12); it requires a value \
         for `department`, which no event has"
    );
    assert_eq!(
        difference.remedy(),
        "change the table with `ALTER TABLE \"openai_event_revisions\" ALTER COLUMN \"cost_usd\" TYPE \
         numeric(24,12) USING \"cost_usd\"::numeric(24,12)`, or give the sink's option `table` the name of a table \
         that does not exist"
    );
}

#[test]
fn missing_columns_are_added_behind_the_others() {
    for dialect in Dialect::ALL {
        let table = Table::default_of(dialect);
        let mut columns = existing(&table);
        columns.retain(|column| column.name != "region");
        let difference = table.compare(&columns);
        assert_eq!((difference.missing.as_slice(), difference.is_blocking()), (["region"].as_slice(), false));
        assert!(!difference.is_none());
        let order = table.in_order_of(&columns);
        assert_eq!(order.last().unwrap().name, "region");
        assert_eq!(order.len(), COLUMNS.len());
        let added = table.add_columns(&[Column::named("region").unwrap()]);
        assert!(added[0].contains("ADD COLUMN IF NOT EXISTS"), "{added:?}");
        assert!(!added[0].contains("NOT NULL"), "{added:?}");
    }
}
