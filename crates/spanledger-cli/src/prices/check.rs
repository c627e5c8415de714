//! `spanledger prices check`.

mod warnings;

use std::process::ExitCode;

use spanledger_price::{BookErrors, PriceBook};

use super::files::{borrowed, expanded, read};
use crate::{
    args::BookCheckArguments,
    render::{
        parts::{counted, list},
        text::printable_lines,
    },
    terminal,
};

pub(super) fn run(arguments: &BookCheckArguments) -> anyhow::Result<ExitCode> {
    let files = read(&expanded(&arguments.files)?)?;
    let (book, name) = if files.is_empty() {
        (Ok(PriceBook::builtin().clone()), "the built-in book".to_owned())
    } else {
        let texts = borrowed(&files);
        let book = if arguments.book { PriceBook::parse(texts) } else { PriceBook::builtin().layered(texts) };
        (book, list(arguments.files.iter().map(|path| path.display()), "and"))
    };
    match book {
        Ok(book) => {
            let mut text = String::new();
            let warnings =
                if files.is_empty() { warnings::of_builtin() } else { warnings::of(&files, arguments.book)? };
            // Warnings about the built-in book need no action of the user, so they are shown on request only.
            let hidden = if files.is_empty() && !arguments.verbose { warnings.len() } else { 0 };
            for warning in warnings.iter().skip(hidden) {
                text.push_str(&format!("warning: {warning}\n"));
            }
            text.push_str(&summary(&book, &name, arguments));
            terminal::data(&printable_lines(&text))?;
            if hidden > 0 {
                terminal::say(format_args!(
                    "{} about prices as they were published; --verbose shows them",
                    counted(hidden, "warning")
                ));
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(BookErrors(errors)) => {
            let mut text = String::new();
            for error in &errors {
                text.push_str(&format!("{error}\n"));
            }
            terminal::data(&printable_lines(&text))?;
            terminal::say(format_args!("error: {} in {name}", counted(errors.len(), "mistake")));
            Ok(ExitCode::FAILURE)
        }
    }
}

fn summary(book: &PriceBook, name: &str, arguments: &BookCheckArguments) -> String {
    let models: usize = book.providers().iter().map(|provider| provider.models().len()).sum();
    let has = format!("{}, {}", counted(book.providers().len(), "provider"), counted(models, "model"));
    let overlay_suffix =
        if arguments.files.is_empty() || arguments.book { "" } else { " over the built-in book" };
    format!("ok  {name}{overlay_suffix}: {has}, version {}\n", book.version())
}
