//! The price lists that others keep.
#![no_main]

use libfuzzer_sys::fuzz_target;
use spanledger_event::Timestamp;
use spanledger_price::PriceBook;
use spanledger_pricelist::import;

fuzz_target!(|input: (bool, &str)| {
    let (litellm, json) = input;
    let read = if litellm { import::litellm(json) } else { import::genai_prices(json) };
    let map = match read {
        Ok(map) => map,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let book = PriceBook::builtin();
    let scope = import::Scope {
        at: Timestamp::parse("2026-11-21T00:00:00Z").expect("a moment"),
        provider: Some("openai".to_owned()),
        ..import::Scope::default()
    };
    let comparison = import::compare(book, &map, &scope);
    let _shown = comparison.to_string();
    let options = import::EntryOptions {
        provider: "openai".to_owned(),
        from: "2026-11-21".to_owned(),
        checked: "2026-11-21".to_owned(),
        source_id: "list".to_owned(),
        source_text: "a list".to_owned(),
        list: true,
        accept: import::Accept::All,
    };
    let text = import::insert(Some(book), "", &import::entries(&comparison, &options));
    let text = text.unwrap_or_else(|error| panic!("what an import writes is a book: {error:?}\n{comparison}"));
    book.layered([("list.toml", text.as_str())]).expect("and again");
});
