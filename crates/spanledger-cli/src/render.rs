//! Formats the output of the commands for people and programs.
//!
//! Text from outside the program is made safe by [`text`] before it reaches a terminal, a spreadsheet or JSON.

pub(crate) mod amount;
mod event;
mod ledger;
pub(crate) mod parts;
mod reasons;
mod report;
pub(crate) mod text;

pub(crate) use self::{
    event::event,
    ledger::{LedgerView, ledger},
    report::{View, report},
};
#[cfg(feature = "demo")]
pub(crate) use self::{reasons::reasons, report::table};
