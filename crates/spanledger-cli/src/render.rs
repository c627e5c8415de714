//! What the commands show to people and programs.
//!
//! Text from outside goes through [`text`] on its way to a terminal, a spreadsheet or JSON.

mod amount;
mod event;
pub(crate) mod parts;
mod reasons;
mod report;
pub(crate) mod text;

pub(crate) use self::{
    event::event,
    report::{View, report},
};
#[cfg(feature = "demo")]
pub(crate) use self::{reasons::reasons, report::table};
