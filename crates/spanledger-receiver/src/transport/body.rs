//! Reading request bodies within limits.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Incoming};

use crate::{Refusal, budget::Budget};

/// The longest time in which a body must arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// The limits for discarding the body of a refused request.
const DISCARD_BYTES_MAX: usize = 256 << 20;
const DISCARD_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads a body that holds one message and up to `framing` additional bytes.
pub(super) async fn read(body: &mut Incoming, framing: usize, budget: &Budget) -> Result<Bytes, Refusal> {
    // An announced length is reserved or refused before the body is read.
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let mut buffer = budget.buffer(announced, framing)?;
    let reading = async {
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Refusal::Malformed(format!("the body broke off: {error}")))?;
            if let Ok(data) = frame.into_data() {
                buffer.extend(&data)?;
            }
        }
        Ok::<(), Refusal>(())
    };
    match tokio::time::timeout(BODY_TIMEOUT, reading).await {
        Ok(read) => read?,
        Err(_) => return Err(Refusal::Unavailable("the body did not arrive in time".to_owned())),
    }
    Ok(buffer.freeze())
}

/// Reads the rest of a refused request's body without keeping it.
///
/// A client of HTTP/1.1 may write its whole body before it reads the answer. If the receiver closed the
/// connection earlier, the client would see a connection reset instead of the refusal, treat it as a
/// temporary error, and send the same message again.
pub(super) async fn discard(body: &mut Incoming) {
    let reading = async {
        let mut count = 0;
        while count < DISCARD_BYTES_MAX
            && let Some(Ok(frame)) = body.frame().await
        {
            count += frame.data_ref().map_or(0, Bytes::len);
        }
    };
    if tokio::time::timeout(DISCARD_TIMEOUT, reading).await.is_err() {
        tracing::debug!("receiver.discard.timeout");
    }
}
