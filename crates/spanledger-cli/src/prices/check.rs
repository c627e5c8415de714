//! `spanledger prices check`.

use std::process::ExitCode;

use spanledger_price::{
    BookErrors, PriceBook,
    lint::{self, Warning},
};

use super::files::{borrowed, read};
use crate::{
    args::BookCheckArguments,
    render::parts::{counted, list},
    terminal,
};

pub(super) fn run(arguments: &BookCheckArguments) -> anyhow::Result<ExitCode> {
    let files = read(&arguments.files)?;
    let (book, name) = if files.is_empty() {
        (Ok(PriceBook::builtin().clone()), "the built-in book".to_owned())
    } else {
        let texts = borrowed(&files);
        let book = if arguments.book { PriceBook::parse(texts) } else { PriceBook::builtin().layered(texts) };
        (book, list(files.iter().map(|(name, _)| name), "and"))
    };
    match book {
        Ok(book) => {
            let mut text = String::new();
            for warning in warnings(&book, arguments) {
                text.push_str(&format!("warning: {warning}\n"));
            }
            text.push_str(&fine(&book, &name, arguments));
            terminal::data(&text)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(BookErrors(errors)) => {
            let mut text = String::new();
            for error in &errors {
                text.push_str(&format!("{error}\n"));
            }
            terminal::data(&text)?;
            terminal::say(format_args!("error: {} in {name}", counted(errors.len(), "mistake")));
            Ok(ExitCode::FAILURE)
        }
    }
}

/// What looks like a slip; not what the built-in book is known for.
fn warnings(book: &PriceBook, arguments: &BookCheckArguments) -> Vec<Warning> {
    let mut warnings = lint::warnings(book);
    if !arguments.files.is_empty() && !arguments.book {
        let known = lint::warnings(PriceBook::builtin());
        warnings.retain(|warning| !known.contains(warning));
    }
    warnings
}

fn fine(book: &PriceBook, name: &str, arguments: &BookCheckArguments) -> String {
    let models: usize = book.providers().iter().map(|provider| provider.models().len()).sum();
    let has = format!("{}, {}", counted(book.providers().len(), "provider"), counted(models, "model"));
    let over = if arguments.files.is_empty() || arguments.book { "" } else { " over the built-in book" };
    format!("ok  {name}{over}: {has}, version {}\n", book.version())
}
