//! `spanledger prices check`.

mod remarks;

use std::process::ExitCode;

use spanledger_price::{BookErrors, PriceBook};

use super::files::{borrowed, expanded, read};
use crate::{
    args::BookCheckArguments,
    render::parts::{counted, list},
    terminal,
};

pub(super) fn run(arguments: &BookCheckArguments) -> anyhow::Result<ExitCode> {
    let files = read(&expanded(&arguments.files)?)?;
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
            let warnings =
                if files.is_empty() { remarks::of_builtin() } else { remarks::of(&files, arguments.book)? };
            // The built-in book is what it is: nobody has to act on these.
            let hidden = if files.is_empty() && !arguments.verbose { warnings.len() } else { 0 };
            for warning in warnings.iter().skip(hidden) {
                text.push_str(&format!("warning: {warning}\n"));
            }
            text.push_str(&fine(&book, &name, arguments));
            terminal::data(&text)?;
            if hidden > 0 {
                terminal::say(format_args!(
                    "{} on prices as they were published; --verbose shows them",
                    counted(hidden, "remark")
                ));
            }
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

fn fine(book: &PriceBook, name: &str, arguments: &BookCheckArguments) -> String {
    let models: usize = book.providers().iter().map(|provider| provider.models().len()).sum();
    let has = format!("{}, {}", counted(book.providers().len(), "provider"), counted(models, "model"));
    let over = if arguments.files.is_empty() || arguments.book { "" } else { " over the built-in book" };
    format!("ok  {name}{over}: {has}, version {}\n", book.version())
}
