//! Attribution that travels with a task, a stream or a trace.

use std::{
    pin::Pin,
    task::{Context as TaskContext, Poll},
};

use futures_util::Stream;
use opentelemetry::{Context, baggage::BaggageExt as _, trace::TraceContextExt as _};
use pin_project_lite::pin_project;
use spanledger_event::Attribution;

#[cfg(test)]
mod tests;

tokio::task_local! {
    static CURRENT: Attribution;
}

/// The attribution as a value of an OpenTelemetry context. The type is private, so that only this module sets it.
struct ContextValue(Attribution);

/// The attribution of the calls that are made here and now. `None` if nothing states one.
///
/// It is that of the innermost scope of the current task or, outside of every scope, that of the current
/// OpenTelemetry [`Context`].
pub fn current() -> Option<Attribution> {
    let of_task = CURRENT.try_with(Attribution::clone).ok();
    of_task.or_else(|| Context::map_current(|context| context.get().map(|ContextValue(a)| a.clone())))
}

/// A context that carries the attribution.
pub(crate) fn in_context(attribution: &Attribution, context: &Context) -> Context {
    context.with_value(ContextValue(attribution.clone()))
}

pin_project! {
    /// A future or stream whose calls have an attribution. [`Attributed::scope`](crate::Attributed::scope) and
    /// [`Attributed::scope_stream`](crate::Attributed::scope_stream) make it.
    #[derive(Clone, Debug)]
    #[must_use = "a future or stream does nothing unless it is polled"]
    pub struct Scoped<T> {
        #[pin]
        inner: T,
        attribution: Attribution,
        contexts: Option<Contexts>,
    }
}

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
        Self { inner, attribution, contexts: None }
    }

    /// Polls the inner future or stream with the attribution in the task's scope and in the current context. The
    /// context is derived from that of the poll and not from that of the constructor, so that spans which are
    /// entered around the future stay the parents of its spans.
    fn poll_inside<R>(self: Pin<&mut Self>, poll: impl FnOnce(Pin<&mut T>) -> R) -> R {
        let this = self.project();
        let contexts = match this.contexts.take().filter(Contexts::are_of_current) {
            Some(contexts) => contexts,
            None => Contexts::derive(this.attribution),
        };
        let contexts = this.contexts.insert(contexts);
        let inner = this.inner;
        CURRENT.sync_scope(this.attribution.clone(), || {
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
