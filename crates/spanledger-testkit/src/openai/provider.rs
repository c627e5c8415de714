//! The running provider: starting, scripting and stopping it.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::openai::connection::{ConnectionSignal, Connections, Signal};
use crate::openai::errors::ApiError;
use crate::openai::received::Received;
use crate::openai::reply::Reply;
use crate::openai::server;
use crate::openai::state::State;

/// The time that [`Provider::stop`] gives to answers in progress.
const STOP_GRACE: Duration = Duration::from_secs(1);

/// A provider that runs in this process.
///
/// Dropping it closes all connections; [`Provider::stop`] lets the answers in
/// progress finish first. It runs on the `tokio` runtime that started it.
pub struct Provider {
    addr: SocketAddr,
    state: Arc<State>,
    stopping: Signal,
    hang_up_all: Signal,
    task: Option<JoinHandle<()>>,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider").field("addr", &self.addr).finish_non_exhaustive()
    }
}

impl Provider {
    /// A builder with the default settings.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Starts with all defaults: a free port of the loopback interface, seed 0,
    /// no script.
    pub async fn start() -> io::Result<Self> {
        Self::builder().start().await
    }

    /// The address that it listens on.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The base URL for clients, `http://127.0.0.1:PORT/v1`.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.addr)
    }

    /// The base URL for clients of Azure, `http://127.0.0.1:PORT`. They add `/openai/deployments/…`.
    pub fn azure_base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Scripts the reply to one call, after the replies that are already scripted.
    pub fn push(&self, reply: Reply) {
        self.state.push(reply);
    }

    /// Scripts the reply to one call of this model. Replies for a model take
    /// precedence over those of [`Provider::push`].
    pub fn push_for(&self, model: impl Into<String>, reply: Reply) {
        self.state.push_for(model.into(), reply);
    }

    /// Scripts the reply to one request of this path (`/v1/…`, without the query), whatever its method. Such
    /// replies take precedence over all others. A `POST` to a path that the provider does not have is answered
    /// only if it has such a reply: with an object that has a usage, or as the reply says.
    pub fn push_for_path(&self, path: impl Into<String>, reply: Reply) {
        self.state.push_for_path(path.into(), reply);
    }

    /// The number of scripted replies that no call has taken yet.
    pub fn scripted(&self) -> usize {
        self.state.scripted()
    }

    /// All requests so far, in the order of arrival, refused ones included.
    pub fn requests(&self) -> Vec<Received> {
        self.state.requests()
    }

    /// Accepts no more connections, waits up to a second for the answers in
    /// progress, and closes the connections that remain.
    pub async fn stop(mut self) {
        self.stopping.fire();
        if let Some(mut task) = self.task.take()
            && tokio::time::timeout(STOP_GRACE, &mut task).await.is_err()
        {
            self.hang_up_all.fire();
            // An error here is a panic of the server, which was already printed.
            drop(task.await);
        }
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.stopping.fire();
        self.hang_up_all.fire();
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// The settings of a [`Provider`].
#[derive(Debug)]
pub struct Builder {
    bind: SocketAddr,
    seed: u64,
    organization: HeaderValue,
    anonymous_allowed: bool,
    stream_options_refusal: Option<ApiError>,
    default_reply: Reply,
    script: VecDeque<Reply>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            seed: 0,
            organization: HeaderValue::from_static("org-testkit"),
            anonymous_allowed: false,
            stream_options_refusal: None,
            default_reply: Reply::new(),
            script: VecDeque::new(),
        }
    }
}

impl Builder {
    /// Sets the address to listen on. The default is a free port of the loopback
    /// interface.
    #[must_use]
    pub fn bind(mut self, addr: SocketAddr) -> Self {
        self.bind = addr;
        self
    }

    /// Sets the seed of all generated values.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the header `openai-organization`.
    #[must_use]
    pub fn organization(mut self, organization: HeaderValue) -> Self {
        self.organization = organization;
        self
    }

    /// Also answers requests without a key, which the real provider refuses.
    #[must_use]
    pub fn allow_anonymous(mut self) -> Self {
        self.anonymous_allowed = true;
        self
    }

    /// Refuses every request that has `stream_options`, as servers do that do not know it. The request takes no
    /// reply. See [`ApiError::unknown_parameter`] and [`ApiError::extra_input`].
    #[must_use]
    pub fn refuse_stream_options(mut self, refusal: ApiError) -> Self {
        self.stream_options_refusal = Some(refusal);
        self
    }

    /// Sets the reply to calls without a scripted reply; the demo sets its delays
    /// with it.
    #[must_use]
    pub fn default_reply(mut self, reply: Reply) -> Self {
        self.default_reply = reply;
        self
    }

    /// Scripts the replies to the next calls, in order.
    #[must_use]
    pub fn script(mut self, replies: impl IntoIterator<Item = Reply>) -> Self {
        self.script.extend(replies);
        self
    }

    /// Binds the address and starts to answer. Fails if the address cannot be
    /// bound.
    pub async fn start(self) -> io::Result<Provider> {
        let listener = TcpListener::bind(self.bind).await?;
        let addr = listener.local_addr()?;
        let state = Arc::new(State::new(
            self.seed,
            self.organization,
            self.anonymous_allowed,
            self.stream_options_refusal,
            self.default_reply,
            self.script,
        ));
        let (stopping, hang_up_all) = (Signal::new(), Signal::new());
        let connections = Connections { listener, hang_up_all: hang_up_all.clone() };
        let service = server::router(Arc::clone(&state), stopping.clone())
            .into_make_service_with_connect_info::<ConnectionSignal>();
        let stopped = stopping.clone().fired();
        let task = tokio::spawn(async move {
            // The server ends after `stopping` has fired and returns no error.
            drop(axum::serve(connections, service).with_graceful_shutdown(stopped).await);
        });
        Ok(Provider { addr, state, stopping, hang_up_all, task: Some(task) })
    }
}
