//! The whole: the real binary, real sockets, real files, real clients.

mod cli;
mod collector;
mod crash;
mod double_path;
mod python;
mod support;
