//! Makes text from outside the program (names, messages of providers, file names) safe to show.

use std::fmt;

/// Whether a character changes how a terminal or an editor shows the text around it: a control
/// character (C0, DEL, C1, such as ESC, BEL and U+009B), a line or paragraph separator, or a
/// bidirectional control, which can make one text look like another.
fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

/// Makes a text of one line safe to show: each control character becomes U+FFFD.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if is_control(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// Makes a text of several lines safe to show; its line breaks are kept.
pub(crate) fn printable_lines(text: &str) -> String {
    text.split('\n').map(printable).collect::<Vec<_>>().join("\n")
}

/// Escapes every control character in JSON, not only those that the JSON standard requires. They occur only
/// inside strings, where the escape `\u…` means the same character.
pub(crate) fn escape_json(json: String) -> String {
    let is_raw = |c: char| is_control(c) && !matches!(c, '\n' | '\r' | '\t');
    if !json.contains(is_raw) {
        return json;
    }
    let mut escaped = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if is_raw(c) {
            // All these characters are in the Basic Multilingual Plane, so one escape is enough.
            escaped.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// A text as a cell of CSV. Spreadsheets run a cell that begins with `=`, `+`, `-`, `@`, a tab or a
/// carriage return as a formula; an apostrophe in front makes the cell text (OWASP, "CSV Injection").
/// Numbers are not passed to this function, because a negative number would get an apostrophe.
pub(crate) fn csv_cell(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    let text = printable(text);
    if is_formula { format!("'{text}") } else { text }
}

/// Shortens a text to at most `width` characters; the end of a longer text is replaced by `…`.
pub(crate) fn fit(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// A text wrapped at `width`: `first` before its first line, `indent` spaces before the others. A word
/// that is longer than a line stays whole, so that it can be copied.
pub(crate) fn wrapped(first: &str, indent: usize, text: &str, width: usize) -> String {
    let mut lines = String::from(first);
    let mut column = first.chars().count();
    let mut at_start = true;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if !at_start && column + 1 + length > width {
            lines.push('\n');
            lines.push_str(&" ".repeat(indent));
            (column, at_start) = (indent, true);
        }
        if !at_start {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(word);
        column += length;
        at_start = false;
    }
    lines.push('\n');
    lines
}

/// Formats a message and makes it safe to show.
pub(crate) fn message(text: impl fmt::Display) -> String {
    printable_lines(&text.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A colour, a bell, a one-character CSI, a right-to-left override, a line separator.
    const HOSTILE: &str = "a\u{1b}[31mb\u{7}c\u{9b}2Jd\u{202e}e\u{2028}f\u{7f}";

    #[test]
    fn control_characters_do_not_reach_a_terminal() {
        assert_eq!(printable(HOSTILE), "a�[31mb�c�2Jd�e�f�");
        assert_eq!(printable("naïve café 検索 🙂"), "naïve café 検索 🙂");
        assert_eq!(printable("one\ntwo"), "one�two");
        assert_eq!(printable_lines("one\ntwo\r"), "one\ntwo�");
    }

    #[test]
    fn json_keeps_the_text_and_shows_no_control_character() {
        let json = escape_json(format!("{}\n", serde_json::to_string(HOSTILE).unwrap()));
        assert!(json.is_ascii(), "{json}");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), HOSTILE);
        assert_eq!(escape_json("{\n  \"a\": \"ü\"\n}".to_owned()), "{\n  \"a\": \"ü\"\n}");
    }

    #[test]
    fn a_spreadsheet_does_not_run_a_cell() {
        for text in ["=HYPERLINK(\"x\")", "+1", "-1", "@SUM(A1)", "＝1"] {
            assert_eq!(csv_cell(text), format!("'{text}"));
        }
        assert_eq!((csv_cell("\t=1").as_str(), csv_cell("\r=1").as_str()), ("'�=1", "'�=1"));
        assert_eq!((csv_cell("a=b").as_str(), csv_cell("").as_str()), ("a=b", ""));
    }

    #[test]
    fn a_long_text_is_cut() {
        assert_eq!((fit("search", 6).as_str(), fit("search", 5).as_str()), ("search", "sear…"));
    }
}
