//! Prices a text call `CALLS` times and does nothing else. `cargo xtask instructions` counts the instructions
//! of two runs, so that it can subtract those of the program's start.

mod support;

use std::hint::black_box;

fn main() {
    let calls = std::env::var("CALLS").ok().and_then(|calls| calls.parse().ok()).unwrap_or(1_000_u32);
    let book = support::large_book();
    let usage = support::text_usage();
    let query = support::text_call(&usage);
    for _ in 0..calls {
        black_box(black_box(&book).price(black_box(&query)));
    }
}
