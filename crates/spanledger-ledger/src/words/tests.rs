use super::*;

fn connection() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(DDL).unwrap();
    connection
}

fn unknown(texts: &[&str]) -> Unknown {
    let mut unknown = Unknown::default();
    for text in texts {
        unknown.next_component();
        unknown.add(text);
    }
    unknown
}

fn words_of(connection: &Connection) -> Vec<String> {
    let mut statement = connection.prepare("SELECT text FROM word ORDER BY id").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[test]
fn a_text_becomes_a_word_when_it_is_seen_again() {
    let connection = connection();
    let (mut admission, mut words) = (Admission::default(), Words::default());
    admission.admit(&connection, &words, unknown(&["once", "twice", "twice"])).unwrap();
    admission.publish(&mut words);
    assert_eq!(words_of(&connection), ["twice"]);
    assert_eq!((words.number("twice"), words.text(1), words.number("once")), (Some(1), Some("twice"), None));
    admission.admit(&connection, &words, unknown(&["once", "twice", "twice"])).unwrap();
    admission.publish(&mut words);
    assert_eq!(words_of(&connection), ["twice", "once"]);

    let mut loaded = Words::default();
    loaded.load(&connection).unwrap();
    assert_eq!(
        (loaded.number("once"), loaded.text(2), loaded.text(3), loaded.text(0)),
        (Some(2), Some("once"), None, None)
    );
}

/// An event's row, its observation's row and the roll-ups state the same customer.
#[test]
fn a_text_that_one_component_states_several_times_was_seen_once() {
    let connection = connection();
    let (mut admission, words) = (Admission::default(), Words::default());
    let mut append = Unknown::default();
    for text in ["once", "again"] {
        append.next_component();
        for stated in [text, text, "again"] {
            append.add(stated);
        }
    }
    admission.admit(&connection, &words, append).unwrap();
    assert_eq!(words_of(&connection), ["again"]);
}

#[test]
fn words_of_a_transaction_that_is_rolled_back_are_forgotten() {
    let connection = connection();
    let (mut admission, mut words) = (Admission::default(), Words::default());
    let transaction = connection.unchecked_transaction().unwrap();
    admission.admit(&connection, &words, unknown(&["a", "a"])).unwrap();
    assert!(admission.has_pending());
    transaction.rollback().unwrap();
    admission.undo();
    admission.publish(&mut words);
    assert_eq!((words.number("a"), words_of(&connection)), (None, Vec::new()));
    // The text was seen before.
    admission.admit(&connection, &words, unknown(&["b", "b"])).unwrap();
    admission.publish(&mut words);
    assert_eq!((words.number("b"), words_of(&connection)), (Some(1), vec!["b".to_owned()]));
}

#[test]
fn long_texts_and_those_beyond_the_greatest_number_stay_in_their_rows() {
    let connection = connection();
    let (mut admission, mut words) = (Admission::default(), Words::default());
    let long = "x".repeat(WORD_BYTES_MAX + 1);
    admission.admit(&connection, &words, unknown(&[&long, &long, "", ""])).unwrap();
    assert!(!admission.has_pending());
    for number in 0..WORDS_MAX - 2 {
        words.push(number.to_string().into());
    }
    admission.admit(&connection, &words, unknown(&["a", "a", "b", "b", "c", "c"])).unwrap();
    admission.publish(&mut words);
    assert_eq!(words.texts.len(), WORDS_MAX);
}

#[test]
fn an_append_considers_a_bounded_number_of_texts() {
    let mut all = Unknown::default();
    for number in 0..10 {
        let mut one = Unknown::default();
        for text in 0..Unknown::TEXTS_MAX {
            one.add(&format!("{number}-{text}"));
        }
        all.merge(one);
    }
    assert_eq!(all.texts.len(), Unknown::TEXTS_MAX);
}

/// The numbers of these words stand in the view and in indexes of existing files.
#[test]
fn the_fixed_words_keep_their_numbers() {
    let number = |word: &str| (1..).zip(FIXED).find(|(_, fixed)| *fixed == word).unwrap().0;
    assert_eq!((number("live"), number("quarantined"), number("void")), (1, QUARANTINED, VOID));
    assert_eq!((number("priced"), number("unpriced")), (4, 5));
}
