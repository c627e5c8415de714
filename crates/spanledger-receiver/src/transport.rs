//! The network side: listening ports, OTLP over HTTP and gRPC, the operator's port.

pub(crate) mod admin;
mod api;
mod body;
mod connections;
mod grpc;
mod http;
pub(crate) mod ports;
mod response;

pub use api::{
    DeadLetterAction, DeadLetterRequest, ForgetRequest, Forgetting, PruneRequest, ReplayRequest,
    RepriceRequest, SinksAnswer, SinksRequest, StartedReplay, UpkeepRequest,
};
