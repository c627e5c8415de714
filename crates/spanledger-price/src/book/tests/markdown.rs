//! Test cases that are written in Markdown: a heading, files in fenced blocks, and tables of what is expected.

/// A document: the text of the blocks before the first case, and the cases.
#[derive(Default)]
pub(in crate::book) struct Document {
    pub(in crate::book) head: String,
    pub(in crate::book) cases: Vec<Case>,
}

/// A case: the contents of one heading `## …`.
#[derive(Default)]
pub(in crate::book) struct Case {
    pub(in crate::book) title: String,
    pub(in crate::book) blocks: Vec<Block>,
    /// The cells of the tables, without their heads.
    pub(in crate::book) rows: Vec<Vec<String>>,
}

/// A fenced block.
#[derive(Default)]
pub(in crate::book) struct Block {
    /// The word after the backticks, such as `toml`.
    pub(in crate::book) info: String,
    pub(in crate::book) text: String,
}

pub(in crate::book) fn parse(markdown: &str) -> Document {
    let mut document = Document::default();
    let mut block: Option<Block> = None;
    let mut is_in_table = false;
    for line in markdown.lines() {
        if let Some(mut open) = block.take() {
            if line == "```" {
                match document.cases.last_mut() {
                    Some(case) => case.blocks.push(open),
                    None => document.head.push_str(&open.text),
                }
            } else {
                open.text.push_str(line);
                open.text.push('\n');
                block = Some(open);
            }
        } else if let Some(info) = line.strip_prefix("```") {
            block = Some(Block { info: info.to_owned(), text: String::new() });
        } else if let Some(title) = line.strip_prefix("## ") {
            document.cases.push(Case { title: title.to_owned(), ..Case::default() });
        } else if let (Some(row), Some(case)) = (line.strip_prefix('|'), document.cases.last_mut())
            && is_in_table
            && !line.starts_with("|---")
        {
            let cells = row.trim_end_matches('|').split('|').map(|cell| cell.trim().to_owned());
            case.rows.push(cells.collect());
        }
        // The first line of a table is its head.
        is_in_table = line.starts_with('|');
    }
    document
}
