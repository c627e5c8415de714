//! Events with random and with unusual values, for the tests of the encodings.

use proptest::{collection, prelude::*};
use spanledger_event::{
    COLUMNS, Cell, Column, ColumnKind, CostEvent, EventState, Timestamp, UsageSource, Usd,
};

use super::Columns;

/// The greatest amount of `DECIMAL(24,12)`, in picodollars.
pub(crate) const PICOS_MAX: i128 = 10_i128.pow(24) - 1;

/// An event without values, apart from this one.
pub(crate) fn event_with(column: &Column, value: Cell<'static>) -> CostEvent {
    let mut event = CostEvent::default();
    (column.set)(&mut event, value).unwrap();
    event
}

/// Unusual values of a column that every encoding has to keep, with null if the column can be absent.
pub(crate) fn values(column: &Column) -> Vec<Cell<'static>> {
    let json = |texts: &[&'static str]| texts.iter().map(|text| Cell::Json((*text).into())).collect();
    let mut values: Vec<Cell<'static>> = match (column.name, column.kind) {
        ("state", _) => EventState::ALL.map(|state| Cell::Text(state.as_str().into())).into(),
        ("usage_source", _) => UsageSource::ALL.map(|source| Cell::Text(source.as_str().into())).into(),
        ("flags", _) => json(&["[]", r#"["possible_duplicate","usage_not_understood"]"#]),
        ("dims", _) => vec![Cell::Json("{}".into()), Cell::Json(huge_dims().into())],
        ("cost_lines", _) => json(&[
            "[]",
            r#"[{"kind":"input","quantity":0.000000000001,"unit":"1M tokens","rate":5,"usd":-1.5}]"#,
        ]),
        (_, ColumnKind::Json) => {
            json(&["{}", r#"[1.50,"x \" \\ , \n",12345678901234567890.10,{"a b":null}]"#])
        }
        (_, ColumnKind::Text) => [
            "",
            " ",
            "null",
            "NULL",
            "\"quoted\"\\",
            "a\nb\t\u{0}\r\n",
            "Größe 🦀",
            "\u{202e}",
            "=1+1",
            ",;|'",
        ]
        .map(|text| Cell::Text(text.into()))
        .into(),
        (_, ColumnKind::Integer) => [i64::MIN, -1, 0, 1, i64::MAX].map(Cell::Integer).into(),
        (_, ColumnKind::Boolean) => [false, true].map(Cell::Boolean).into(),
        (_, ColumnKind::Usd) => [-PICOS_MAX, -1, 0, 1, 10_i128.pow(12), PICOS_MAX]
            .map(|picos| Cell::Usd(Usd::from_picos(picos)))
            .into(),
        (_, ColumnKind::Decimal) => {
            ["0", "1.50", "-0.000000000000000001", "99999999999999999999", "8.470000267028809"]
                .map(|number| Cell::Decimal(number.parse().unwrap()))
                .into()
        }
        (_, ColumnKind::Timestamp) => {
            [i64::MIN, -1, 0, 1, i64::MAX].map(|nanos| Cell::Timestamp(Timestamp::from_nanos(nanos))).into()
        }
    };
    if column.nullable {
        values.push(Cell::Null);
    }
    values
}

/// Many dimensions with long values.
fn huge_dims() -> String {
    let dims: Vec<String> =
        (0..500).map(|n| format!(r#""dim {n:03}":"{}""#, "\\\"ü,\\n".repeat(50))).collect();
    format!("{{{}}}", dims.join(","))
}

fn any_cell(column: &'static Column) -> BoxedStrategy<Cell<'static>> {
    let unusual = values(column);
    let unusual = prop::sample::select(unusual);
    let random = match (column.name, column.kind) {
        ("state" | "usage_source" | "flags" | "cost_lines", _) => return unusual.boxed(),
        ("dims", _) => collection::btree_map(".{0,20}", any::<String>(), 0..8)
            .prop_map(|dims| Cell::Json(serde_json::to_string(&dims).unwrap().into()))
            .boxed(),
        (_, ColumnKind::Json) => collection::vec(any::<(String, i64)>(), 0..8)
            .prop_map(|items| Cell::Json(serde_json::to_string(&items).unwrap().into()))
            .boxed(),
        (_, ColumnKind::Text) => any::<String>().prop_map(|text| Cell::Text(text.into())).boxed(),
        (_, ColumnKind::Integer) => any::<i64>().prop_map(Cell::Integer).boxed(),
        (_, ColumnKind::Boolean) => any::<bool>().prop_map(Cell::Boolean).boxed(),
        (_, ColumnKind::Usd) => {
            (-PICOS_MAX..=PICOS_MAX).prop_map(|picos| Cell::Usd(Usd::from_picos(picos))).boxed()
        }
        (_, ColumnKind::Decimal) => (any::<i32>(), 0_u64..10_u64.pow(18))
            .prop_map(|(whole, places)| Cell::Decimal(format!("{whole}.{places:018}").parse().unwrap()))
            .boxed(),
        (_, ColumnKind::Timestamp) => {
            any::<i64>().prop_map(|nanos| Cell::Timestamp(Timestamp::from_nanos(nanos))).boxed()
        }
    };
    prop_oneof![1 => unusual, 2 => random].boxed()
}

/// Any event whose amounts and numbers every encoding can hold.
pub(crate) fn any_event() -> impl Strategy<Value = CostEvent> {
    let cells: Vec<_> = COLUMNS.iter().map(any_cell).collect();
    cells.prop_map(|cells| {
        let mut event = CostEvent::default();
        for (column, cell) in COLUMNS.iter().zip(cells) {
            (column.set)(&mut event, cell).unwrap();
        }
        event
    })
}

/// All columns, or a random selection.
pub(crate) fn any_selection() -> impl Strategy<Value = Columns> {
    let names: Vec<String> = COLUMNS.iter().map(|column| column.name.to_owned()).collect();
    let some = prop::sample::subsequence(names, 0..=COLUMNS.len())
        .prop_map(|names| Columns::from_options(&names, &[]).unwrap());
    prop_oneof![Just(Columns::default()), some]
}
