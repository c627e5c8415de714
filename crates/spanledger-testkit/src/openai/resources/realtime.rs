//! The REST side of realtime sessions. Their events go over a `WebSocket` or `WebRTC`, which the stand-in does
//! not speak.
//!
//! Source: "Client secrets" and "Calls" of the Realtime API reference.

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::{Created, Creation};
use crate::openai::generate::HEX;
use crate::openai::json;

/// `POST /v1/realtime/client_secrets`.
pub(super) fn client_secret(creation: &Creation<'_>) -> Created {
    let mut ids = creation.ids();
    let mut session: Value = creation.fields.get("session").unwrap_or_else(|| json!({"type": "realtime"}));
    session["object"] = json!("realtime.session");
    session["id"] = json!(format!("sess_{}", ids.string(20, HEX)));
    let secret = json!({
        "value": format!("ek_{}", ids.string(32, HEX)),
        "expires_at": creation.created() + 600,
        "session": session,
    });
    Created::answer(json::bytes(&secret))
}

/// `POST /v1/realtime/calls`: the answer of the session description protocol, and the call's address.
pub(super) fn call(creation: &Creation<'_>) -> Created {
    Created {
        status: StatusCode::CREATED,
        content_type: HeaderValue::from_static("application/sdp"),
        location: Some(format!("/v1/realtime/calls/{}", creation.id("rtc_"))),
        ..Created::answer(Bytes::from_static(b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"))
    }
}
