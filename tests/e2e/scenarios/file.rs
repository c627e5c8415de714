//! Reads a scenario's Markdown file and replaces its tables.

use spanledger_price::PriceBook;

use super::{message::Request, table::Table};

/// The content of one file.
pub(super) struct Scenario {
    pub(super) requests: Vec<Request>,
    /// The built-in book with the scenario's own prices; `None` without such prices.
    pub(super) prices: Option<PriceBook>,
    pub(super) ledger: Table,
    pub(super) report: Option<Table>,
}

impl Scenario {
    /// Reads the text of a file. An error has the number of a line, from one, and the problem.
    pub(super) fn parse(text: &str) -> Result<Self, (usize, String)> {
        let error = |line: usize, problem: String| (line + 1, problem);
        let lines: Vec<&str> = text.lines().collect();
        if !lines.first().is_some_and(|line| line.starts_with("# ")) {
            return Err(error(0, "a scenario must begin with its title, `# …`".to_owned()));
        }
        let (mut requests, mut prices, mut ledger, mut report) = (Vec::new(), None, None, None);
        let mut section = "";
        let mut index = 0;
        while let Some(line) = lines.get(index) {
            if let Some(name) = line.strip_prefix("## ") {
                section = name;
                if !["Prices", "Sent", "Ledger", "Report"].contains(&section) {
                    let problem = format!(
                        "`{section}` is not a section: the sections are Prices, Sent, Ledger and Report"
                    );
                    return Err(error(index, problem));
                }
            } else if let Some(language) = line.strip_prefix("```") {
                let begin = index + 1;
                index = (begin..lines.len())
                    .find(|&end| lines[end] == "```")
                    .ok_or_else(|| error(begin - 1, "the block has no end".to_owned()))?;
                let block = lines[begin..index].join("\n");
                match section {
                    "Sent" => {
                        let request = Request::parse(language, &block);
                        requests.push(request.map_err(|problem| error(begin - 1, problem))?);
                    }
                    "Prices" => {
                        let book = PriceBook::builtin().layered([("prices.toml", block.as_str())]);
                        prices = Some(book.map_err(|problem| error(begin - 1, problem.to_string()))?);
                    }
                    _ => {
                        return Err(error(
                            index,
                            "a block must be in the section `Sent` or `Prices`".to_owned(),
                        ));
                    }
                }
            } else if line.starts_with('|') {
                let begin = index;
                while lines.get(index + 1).is_some_and(|line| line.starts_with('|')) {
                    index += 1;
                }
                let table = Some(Table { line: begin + 1, rows: index + 1 - begin, columns: cells(line) });
                match section {
                    "Ledger" => ledger = table,
                    "Report" => report = table,
                    _ => {
                        return Err(error(
                            begin,
                            "a table must be in the section `Ledger` or `Report`".to_owned(),
                        ));
                    }
                }
            }
            index += 1;
        }
        let ledger = ledger.ok_or_else(|| error(0, "the section `Ledger` has no table".to_owned()))?;
        if requests.is_empty() {
            return Err(error(0, "the section `Sent` has no block".to_owned()));
        }
        Ok(Self { requests, prices, ledger, report })
    }
}

fn cells(line: &str) -> Vec<String> {
    line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
}

/// The text of the file with its tables replaced by these texts.
pub(super) fn replace_tables(text: &str, tables: &[(&Table, String)]) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    for (table, new) in tables.iter().rev() {
        let begin = table.line - 1;
        lines.splice(begin..begin + table.rows, new.lines());
    }
    lines.join("\n") + "\n"
}
