//! Reading bodies within limits.

use std::{convert::Infallible, io::Read, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use hyper::{
    HeaderMap,
    body::{Body, Incoming},
    header::AsHeaderName,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Refusal;

pub(crate) type ResponseBody = UnsyncBoxBody<Bytes, Infallible>;

pub(crate) fn full(bytes: Bytes) -> ResponseBody {
    Full::new(bytes).boxed_unsync()
}

/// A client that sends this slowly is not sending.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of the body of a refused request that are read and thrown away, and for how long.
const DISCARD_BYTES_MAX: usize = 256 << 20;
const DISCARD_TIMEOUT: Duration = Duration::from_secs(10);
/// The unit in which the budget is counted.
const BUDGET_UNIT: usize = 4_096;

/// The bytes of all bodies in flight.
#[derive(Clone, Debug)]
pub(crate) struct Budget(Arc<Semaphore>);

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes / BUDGET_UNIT)))
    }

    /// A part of the budget, given back when it is dropped. It never waits: who cannot be served
    /// is told so at once, and holds nothing meanwhile.
    fn take(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Refusal> {
        let units = u32::try_from(bytes.div_ceil(BUDGET_UNIT)).unwrap_or(u32::MAX);
        Arc::clone(&self.0)
            .try_acquire_many_owned(units)
            .map_err(|_| Refusal::Busy("too many bytes are in flight"))
    }
}

/// A body that was read, and the part of the budget that it holds.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) bytes: Bytes,
    /// Given back when the body is dropped.
    _permit: OwnedSemaphorePermit,
}

/// Reads a body of at most `limit` bytes.
pub(crate) async fn read(body: &mut Incoming, limit: usize, budget: &Budget) -> Result<Held, Refusal> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > limit {
        return Err(Refusal::TooLarge { limit });
    }
    let mut permit = budget.take(announced)?;
    let mut held = announced;
    let mut bytes = BytesMut::with_capacity(announced);
    let reading = async {
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Refusal::Malformed(format!("the body broke off: {error}")))?;
            let Ok(data) = frame.into_data() else { continue };
            if bytes.len() + data.len() > limit {
                return Err(Refusal::TooLarge { limit });
            }
            if bytes.len() + data.len() > held {
                let more = (bytes.len() + data.len() - held).max(64 * 1_024);
                permit.merge(budget.take(more)?);
                held += more;
            }
            bytes.extend_from_slice(&data);
        }
        Ok(())
    };
    match tokio::time::timeout(BODY_TIMEOUT, reading).await {
        Ok(read) => read?,
        Err(_) => return Err(Refusal::Unavailable("the body did not arrive in time".to_owned())),
    }
    Ok(Held { bytes: bytes.freeze(), _permit: permit })
}

/// Reads what is left of a body and holds none of it. A client of HTTP/1.1 that writes its whole body
/// before it reads would else meet a connection that was reset, and never the refusal: it would take
/// a message that is too large for a passing fault, and send it again.
pub(crate) async fn discard(body: &mut Incoming) {
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

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    Identity,
    Gzip,
    Deflate,
}

impl Compression {
    /// What a header says. Several lines are one list (RFC 9110, section 5.3), and a list is more
    /// than one compression.
    pub(crate) fn of(headers: &HeaderMap, name: impl AsHeaderName) -> Result<Self, Refusal> {
        let values: Vec<&str> =
            headers.get_all(name).iter().map(|value| value.to_str().unwrap_or("(not text)")).collect();
        Self::parse(&values.join(", "))
    }

    fn parse(name: &str) -> Result<Self, Refusal> {
        match name.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Ok(Self::Identity),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            "deflate" => Ok(Self::Deflate),
            other => Err(Refusal::UnsupportedEncoding(other.to_owned())),
        }
    }

    /// The value of `Content-Encoding`, where there is one.
    pub(crate) fn name(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some("gzip"),
            Self::Deflate => Some("deflate"),
        }
    }

    /// The plain bytes, at most `limit` of them: what a bomb would inflate to is never held.
    pub(crate) fn inflate(self, bytes: &Bytes, limit: usize, budget: &Budget) -> Result<Held, Refusal> {
        let mut reader: Box<dyn Read> = match self {
            Self::Identity => return Ok(Held { bytes: bytes.clone(), _permit: budget.take(0)? }),
            // A file of several members is one stream (RFC 1952, section 2.2).
            Self::Gzip => Box::new(MultiGzDecoder::new(&bytes[..])),
            Self::Deflate => Box::new(ZlibDecoder::new(&bytes[..])),
        };
        let mut permit = budget.take(bytes.len().saturating_mul(4).min(limit))?;
        let mut held = bytes.len().saturating_mul(4).min(limit);
        let mut plain = Vec::with_capacity(held);
        let mut chunk = vec![0; 64 * 1_024];
        loop {
            let count = reader
                .read(&mut chunk)
                .map_err(|error| Refusal::Malformed(format!("the {self:?} body is broken: {error}")))?;
            if count == 0 {
                return Ok(Held { bytes: plain.into(), _permit: permit });
            }
            if plain.len() + count > limit {
                return Err(Refusal::TooLarge { limit });
            }
            if plain.len() + count > held {
                let more = held.max(64 * 1_024).min(limit);
                permit.merge(budget.take(more)?);
                held += more;
            }
            plain.extend_from_slice(chunk.get(..count).unwrap_or_default());
        }
    }
}
