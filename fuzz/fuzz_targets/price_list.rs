//! Imports a price list of LiteLLM or genai-prices.
#![no_main]

use libfuzzer_sys::fuzz_target;
use spanledger_event::Timestamp;
use spanledger_price::PriceBook;
use spanledger_pricelist::{self as pricelist, Accept, EntryOptions, Scope};

fuzz_target!(|input: (bool, &str)| {
    let (litellm, json) = input;
    let read = if litellm { pricelist::litellm(json) } else { pricelist::genai_prices(json) };
    let map = match read {
        Ok(map) => map,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let book = PriceBook::builtin();
    let scope = Scope {
        at: Timestamp::parse("2026-11-21T00:00:00Z").expect("the timestamp is valid"),
        provider: Some("openai".to_owned()),
        models: Vec::new(),
    };
    let comparison = pricelist::compare(book, &map, &scope);
    let _shown = comparison.to_string();
    let options = EntryOptions {
        provider: "openai".to_owned(),
        from: "2026-11-21".to_owned(),
        checked: "2026-11-21".to_owned(),
        source_id: "list".to_owned(),
        source_text: "a list".to_owned(),
        list: true,
        accept: Accept::All,
    };
    let text = pricelist::insert(Some(book), "", &pricelist::entries(&comparison, &options));
    let text = text.unwrap_or_else(|error| panic!("an import must write a valid book: {error:?}\n{comparison}"));
    book.layered([("list.toml", text.as_str())]).expect("the written file is valid over the built-in book");
});
