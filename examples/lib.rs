//! The examples are the `*.rs` files beside this one.
