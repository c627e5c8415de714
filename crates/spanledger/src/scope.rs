//! Attribution that travels with a task, a stream or a trace.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll},
};

use futures_util::Stream;
use http_body::{Body, Frame, SizeHint};
use opentelemetry::{Context, baggage::BaggageExt as _, trace::TraceContextExt as _};
use pin_project_lite::pin_project;
use spanledger_event::{Attribution, AttributionError, PartialAttribution};

use crate::baggage::AllowedBaggage;

#[cfg(test)]
mod tests;

tokio::task_local! {
    static CURRENT: Attribution;
    static INCOMPLETE: Arc<IncompleteAttribution>;
}

/// What is known of an attribution that lacks a field, and what is wrong with it. Its calls are refused with this
/// reason, or recorded with these fields.
#[derive(Clone, Debug)]
pub(crate) struct IncompleteAttribution {
    pub(crate) known: PartialAttribution,
    pub(crate) problem: AttributionError,
}

/// The attribution as a value of an OpenTelemetry context. The type is private, so that only this module sets it.
struct ContextValue(Attribution);

/// The attribution of the calls that are made here and now. `None` if nothing states one.
///
/// It is that of the innermost scope of the current task. Outside of every scope it is that of the current
/// OpenTelemetry [`Context`], and last the one that the context's [allowed baggage](AllowedBaggage) states
/// completely.
pub fn current() -> Option<Attribution> {
    let of_task = CURRENT.try_with(Attribution::clone).ok();
    of_task.or_else(|| {
        Context::map_current(|context| match context.get() {
            Some(ContextValue(attribution)) => Some(attribution.clone()),
            None => known_from_baggage(context).try_into().ok(),
        })
    })
}

/// The fields of an attribution that are known here and now.
pub(crate) fn known() -> PartialAttribution {
    current().as_ref().map_or_else(|| incomplete().0, PartialAttribution::from)
}

/// The fields that are known where [`current`] has no attribution, and why it has none if that was found out.
pub(crate) fn incomplete() -> (PartialAttribution, Option<AttributionError>) {
    let of_baggage = Context::map_current(known_from_baggage);
    let of_task = INCOMPLETE.try_with(|incomplete| {
        let mut known = incomplete.known.clone();
        known.fill_from(&of_baggage);
        (known, Some(incomplete.problem.clone()))
    });
    of_task.unwrap_or((of_baggage, None))
}

fn known_from_baggage(context: &Context) -> PartialAttribution {
    let baggage = context.baggage();
    if baggage.is_empty() {
        return PartialAttribution::default();
    }
    AllowedBaggage::of_process().attribution(baggage)
}

/// Runs a function whose calls have the attribution.
pub(crate) fn sync<R>(attribution: &Known, function: impl FnOnce() -> R) -> R {
    match attribution {
        Ok(attribution) => CURRENT.sync_scope(attribution.clone(), || {
            let _attached = in_context(attribution, &Context::current()).attach();
            function()
        }),
        Err(incomplete) => INCOMPLETE.sync_scope(Arc::clone(incomplete), function),
    }
}

/// A context that carries the attribution.
pub(crate) fn in_context(attribution: &Attribution, context: &Context) -> Context {
    context.with_value(ContextValue(attribution.clone()))
}

pin_project! {
    /// A future, a stream or the body of a response, whose calls have an attribution.
    /// [`Attributed::scope`](crate::Attributed::scope), [`Attributed::scope_stream`](crate::Attributed::scope_stream)
    /// and [`AttributionLayer`](crate::AttributionLayer) make it.
    #[derive(Clone, Debug)]
    #[must_use = "a future or stream does nothing unless it is polled"]
    pub struct Scoped<T> {
        #[pin]
        inner: T,
        attribution: Known,
        contexts: Option<Contexts>,
    }
}

/// What a scope knows of the attribution of its calls.
pub(crate) type Known = Result<Attribution, Arc<IncompleteAttribution>>;

/// A context of the caller and the context with the attribution that was derived from it.
///
/// A future is polled often, and nearly always in the same context. Deriving a context copies its table of
/// values, so that the derived one is kept.
#[derive(Clone, Debug)]
struct Contexts {
    outer: Context,
    with_attribution: Context,
}

impl Contexts {
    fn derive(attribution: &Attribution) -> Self {
        let outer = Context::current();
        let with_attribution = in_context(attribution, &outer);
        Self { outer, with_attribution }
    }

    /// Whether the current context still is the one that was derived from: it has the same span and baggage.
    fn are_of_current(&self) -> bool {
        Context::map_current(|current| {
            current.span().span_context() == self.outer.span().span_context()
                && std::ptr::eq(current.baggage(), self.outer.baggage())
                && current.is_telemetry_suppressed() == self.outer.is_telemetry_suppressed()
        })
    }
}

impl<T> Scoped<T> {
    pub(crate) fn new(attribution: Attribution, inner: T) -> Self {
        Self::with_known(Ok(attribution), inner)
    }

    /// A scope of an attribution that may lack fields. Such a scope does not replace the attribution of a scope around
    /// it.
    pub(crate) fn with_known(attribution: Known, inner: T) -> Self {
        Self { inner, attribution, contexts: None }
    }

    /// Polls the inner future or stream with the attribution in the task's scope and in the current context. The
    /// context is derived from that of the poll and not from that of the constructor, so that spans which are
    /// entered around the future stay the parents of its spans.
    fn poll_inside<R>(self: Pin<&mut Self>, poll: impl FnOnce(Pin<&mut T>) -> R) -> R {
        let this = self.project();
        let attribution = match this.attribution {
            Ok(attribution) => attribution,
            Err(incomplete) => {
                let inner = this.inner;
                return INCOMPLETE.sync_scope(Arc::clone(incomplete), || poll(inner));
            }
        };
        let contexts = match this.contexts.take().filter(Contexts::are_of_current) {
            Some(contexts) => contexts,
            None => Contexts::derive(attribution),
        };
        let contexts = this.contexts.insert(contexts);
        let inner = this.inner;
        CURRENT.sync_scope(attribution.clone(), || {
            let _attached = contexts.with_attribution.clone().attach();
            poll(inner)
        })
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<F::Output> {
        self.poll_inside(|future| future.poll(task))
    }
}

impl<S: Stream> Stream for Scoped<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Option<S::Item>> {
        self.poll_inside(|stream| stream.poll_next(task))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.size_hint()
    }
}

impl<B: Body> Body for Scoped<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        task: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.poll_inside(|body| body.poll_frame(task))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
