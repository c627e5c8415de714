//! This library is empty. The examples are the other `*.rs` files in this folder.
