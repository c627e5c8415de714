use super::*;

#[test]
fn every_column_and_every_word_has_its_row() {
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

/// A bar in a doc would begin another cell, and a line break another row.
#[test]
fn every_row_has_as_many_cells_as_its_head() {
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
fn a_column_of_a_later_version_says_so() {
    let column = Column { since: 3, ..*Column::named("model").unwrap() };
    assert!(row(&column).contains("Since version 3 of the ledger."), "{}", row(&column));
}
