//! The HTTP requests of one call.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU32, Ordering},
};

use async_openai::{error::OpenAIError, middleware::HttpRequestFactory};
use reqwest::Request;

use crate::{
    attributed,
    request::{Change, form},
};

/// The requests of one call: the first one, which is already built, and one for each retry.
pub(crate) struct Attempts {
    factory: HttpRequestFactory,
    /// The first request. It is sent after it was inspected, because building it again could read a file again.
    first: Option<Request>,
    change: Change,
    /// The number of requests so far.
    count: Arc<AtomicU32>,
}

impl Attempts {
    /// `count` counts the requests.
    pub(crate) fn new(
        factory: HttpRequestFactory,
        first: Option<Request>,
        change: Change,
        count: Arc<AtomicU32>,
    ) -> Self {
        Self { factory, first, change, count }
    }

    /// A factory of these requests. It is dropped when the response has come, and with it the body.
    pub(crate) fn into_factory(self) -> HttpRequestFactory {
        let Self { factory, first, change, count } = self;
        let shared = Arc::new((Mutex::new(first), change));
        HttpRequestFactory::new(move || {
            count.fetch_add(1, Ordering::Relaxed);
            let first = shared.0.lock().unwrap_or_else(PoisonError::into_inner).take();
            let (factory, shared) = (factory.clone(), Arc::clone(&shared));
            async move {
                let mut request = match first {
                    Some(request) => request,
                    None => {
                        let mut request = factory.build().await?;
                        // The attribution is known from the first request; here the header is only removed.
                        drop(attributed::take(request.headers_mut()));
                        request
                    }
                };
                apply(&shared.1, &mut request);
                Ok::<_, OpenAIError>(request)
            }
        })
    }
}

fn apply(change: &Change, request: &mut Request) {
    match change {
        Change::Nothing => {}
        Change::Body(body) => *request.body_mut() = Some(body.clone().into()),
        Change::Form { boundary, fields } => {
            let body = request.body_mut().take();
            *request.body_mut() = body.map(|body| form::observe(body, boundary, fields.clone()));
        }
    }
}
