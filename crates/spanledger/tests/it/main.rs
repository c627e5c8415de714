//! The layer against the stand-in provider, the real receiver and a ledger.

mod attribution;
mod calls;
mod spans;
mod streams;
mod world;
