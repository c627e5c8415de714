use super::*;

fn select(columns: &[&str], omit: &[&str]) -> Result<Columns, ColumnsError> {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    Columns::from_options(&owned(columns), &owned(omit))
}

fn names(columns: &Columns) -> Vec<&'static str> {
    columns.iter().map(|column| column.name).collect()
}

#[test]
fn without_options_every_column_is_selected() {
    let columns = select(&[], &[]).unwrap();
    assert!(columns.is_all());
    assert_eq!(columns, Columns::default());
    assert_eq!(names(&columns), COLUMNS.iter().map(|column| column.name).collect::<Vec<_>>());
}

#[test]
fn omitted_columns_are_left_out_and_all_others_stay() {
    let columns = select(&[], &["usage_raw", "dims"]).unwrap();
    let expected: Vec<_> = COLUMNS
        .iter()
        .map(|column| column.name)
        .filter(|name| !["usage_raw", "dims"].contains(name))
        .collect();
    assert_eq!(names(&columns), expected);
    assert!(!columns.is_all());
}

#[test]
fn named_columns_are_selected_in_the_order_of_the_table_with_the_key_columns() {
    let columns = select(&["cost_usd", "model", "state"], &[]).unwrap();
    assert_eq!(names(&columns), ["event_id", "revision", "state", "model", "cost_usd"]);
}

#[test]
fn a_selection_that_cannot_be_used_names_its_option_and_column() {
    let unknown = select(&["cost"], &[]).unwrap_err();
    assert_eq!(unknown, ColumnsError::Unknown { option: "columns", name: "cost".into() });
    assert_eq!(unknown.option(), "columns");
    assert_eq!(select(&[], &["usage"]).unwrap_err().option(), "omit_columns");
    for key in KEY_COLUMNS {
        assert_eq!(select(&[], &[key]).unwrap_err(), ColumnsError::Key { name: key.into() });
    }
    assert_eq!(select(&["model"], &["dims"]).unwrap_err(), ColumnsError::Both);
    let error = OptionError::from(unknown).to_string();
    assert!(error.contains("`columns`") && error.contains("`cost`"), "{error}");
}
