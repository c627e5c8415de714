use super::*;

#[test]
fn every_column_and_every_value_of_a_closed_list_has_a_row() {
    let page = reference();
    for column in COLUMNS {
        assert!(
            page.contains(&format!("\n| `{}` | {} |", column.name, name(column.kind))),
            "{}",
            column.name
        );
    }
    for text in EventState::ALL
        .map(EventState::as_str)
        .into_iter()
        .chain(Flag::ALL.map(Flag::as_str))
        .chain(UnpricedReason::ALL.map(UnpricedReason::as_str))
    {
        assert!(page.contains(&format!("\n| `{text}` | ")), "{text}");
    }
}

/// A `|` in a column's documentation would start another cell, and a line break another row.
#[test]
fn every_row_has_as_many_cells_as_the_table_head() {
    let mut cells = 0;
    for line in reference().lines() {
        let bars = line.replace("\\|", "").matches('|').count();
        if cells == 0 || bars == 0 {
            cells = bars;
        }
        assert_eq!(bars, cells, "{line}");
    }
}

#[test]
fn the_row_of_a_column_of_a_later_version_names_the_version() {
    let column = Column { since: 3, ..*Column::named("model").unwrap() };
    assert!(row(&column).contains("Since version 3 of the ledger."), "{}", row(&column));
}
