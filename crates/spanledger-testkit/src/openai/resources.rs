//! Jobs and stored objects: what a request creates and later requests read, list, change, cancel and delete.
//!
//! Source: the "Create …", "Retrieve …" and "List …" sections of the API reference. A job moves forward when it is
//! read, not with the time: the first reads find it in work ([`Reply::polls`]), the next one finds it finished.

mod batch;
mod jobs;
mod realtime;
mod stores;

use std::collections::VecDeque;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

use crate::openai::errors::ApiError;
use crate::openai::fields::Fields;
use crate::openai::generate::{HEX, Rng};
use crate::openai::headers::JSON;
use crate::openai::json;
use crate::openai::reply::{Reply, ReplyKind};
use crate::openai::resolved::CREATED_BASE;
use crate::openai::state::State;

/// A stored object.
#[derive(Debug, Clone, Default)]
pub(crate) struct Resource {
    /// The object as JSON.
    pub(crate) object: Bytes,
    /// The object after the next reads.
    pub(crate) next: VecDeque<Bytes>,
    /// The content of a file or a video; the stream of a response.
    pub(crate) content: Bytes,
}

impl Resource {
    /// An object that does not change by itself.
    pub(crate) fn fixed(object: Bytes) -> Self {
        Self { object, ..Self::default() }
    }

    /// A job: `working` is merged into the object while it is in work, `finished` at the end.
    fn job(mut object: Value, working: Value, finished: Value, reply: &Reply) -> Self {
        let created = json::bytes(&object);
        merge(&mut object, working);
        let mut next = VecDeque::from(vec![json::bytes(&object); polls(reply)]);
        merge(&mut object, finished);
        next.push_back(json::bytes(&object));
        Self { object: created, next, content: Bytes::new() }
    }
}

/// How many reads find a job in work.
pub(crate) fn polls(reply: &Reply) -> usize {
    reply.polls.unwrap_or(1)
}

/// The objects that a `POST` to a collection creates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Batch,
    ClientSecret,
    Container,
    ContainerFile,
    Conversation,
    ConversationItems,
    Eval,
    EvalRun,
    File,
    FineTuningJob,
    RealtimeCall,
    VectorStore,
    VectorStoreFile,
    VectorStoreFileBatch,
    Video,
}

impl Kind {
    fn created_at(path: &[&str]) -> Option<Self> {
        Some(match path {
            ["batches"] => Self::Batch,
            ["realtime", "client_secrets"] => Self::ClientSecret,
            ["containers"] => Self::Container,
            ["containers", _, "files"] => Self::ContainerFile,
            ["conversations"] => Self::Conversation,
            ["conversations", _, "items"] => Self::ConversationItems,
            ["evals"] => Self::Eval,
            ["evals", _, "runs"] => Self::EvalRun,
            ["files"] => Self::File,
            ["fine_tuning", "jobs"] => Self::FineTuningJob,
            ["realtime", "calls"] => Self::RealtimeCall,
            ["vector_stores"] => Self::VectorStore,
            ["vector_stores", _, "files"] => Self::VectorStoreFile,
            ["vector_stores", _, "file_batches"] => Self::VectorStoreFileBatch,
            ["videos"] | ["videos", "edits" | "extensions"] | ["videos", _, "remix"] => Self::Video,
            _ => return None,
        })
    }

    /// Whether creating it is billed. Such a request takes the next reply of the script; any other takes only a
    /// reply that was scripted for its path.
    pub(crate) const fn is_billed(self) -> bool {
        matches!(self, Self::Batch | Self::Container | Self::EvalRun | Self::FineTuningJob | Self::Video)
    }
}

/// What a request does with stored objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Create(Kind),
    Read,
    List,
    Content,
    Update,
    Cancel,
    Delete,
    Search,
    /// A command to a realtime call, which is answered without a body.
    Command,
}

impl Action {
    /// The action of a request on the path below the base URL. `None` if the provider has no such path or method.
    pub(crate) fn of(method: &str, path: &[&str]) -> Option<Self> {
        match (method, path) {
            ("POST", _) if Kind::created_at(path).is_some() => Kind::created_at(path).map(Self::Create),
            ("POST", ["realtime", "calls", _, "accept" | "hangup" | "refer" | "reject"]) => {
                Some(Self::Command)
            }
            ("POST", ["vector_stores", _, "search"]) => Some(Self::Search),
            ("POST", [.., _, "cancel"]) => Some(Self::Cancel),
            ("GET", [.., _, "content"]) => Some(Self::Content),
            ("GET", _) if is_collection(path) => Some(Self::List),
            (method, _) if is_object(path) => match method {
                "GET" => Some(Self::Read),
                "POST" => Some(Self::Update),
                "DELETE" => Some(Self::Delete),
                _ => None,
            },
            _ => None,
        }
    }
}

/// Whether the path is a collection that can be listed.
fn is_collection(path: &[&str]) -> bool {
    matches!(
        path,
        ["batches" | "containers" | "evals" | "files" | "vector_stores" | "videos"]
            | ["chat", "completions"]
            | ["chat", "completions", _, "messages"]
            | ["containers" | "vector_stores", _, "files"]
            | ["conversations", _, "items"]
            | ["evals", _, "runs"]
            | ["fine_tuning", "jobs"]
            | ["fine_tuning", "jobs", _, "events" | "checkpoints"]
            | ["responses", _, "input_items"]
    )
}

/// Whether the path is one object.
fn is_object(path: &[&str]) -> bool {
    matches!(
        path,
        [
            "batches"
                | "containers"
                | "conversations"
                | "evals"
                | "files"
                | "responses"
                | "vector_stores"
                | "videos",
            _
        ] | ["chat", "completions", _]
            | ["containers", _, "files", _]
            | ["conversations", _, "items", _]
            | ["evals", _, "runs", _]
            | ["fine_tuning", "jobs", _]
            | ["vector_stores", _, "files" | "file_batches", _]
    )
}

/// Whether any method is possible on the path.
pub(crate) fn has_path(path: &[&str]) -> bool {
    ["GET", "POST", "DELETE"].iter().any(|method| Action::of(method, path).is_some())
}

/// A request that creates something.
pub(crate) struct Creation<'a> {
    pub(crate) state: &'a State,
    pub(crate) number: u64,
    /// The path below the base URL.
    pub(crate) path: &'a [&'a str],
    pub(crate) fields: &'a Fields,
    pub(crate) reply: &'a Reply,
}

/// The answer to a [`Creation`], and the objects to store.
pub(crate) struct Created {
    pub(crate) status: StatusCode,
    pub(crate) content_type: HeaderValue,
    pub(crate) body: Bytes,
    pub(crate) location: Option<String>,
    pub(crate) stored: Vec<(String, Resource)>,
}

impl Created {
    /// The answer is the object, which is stored under this path.
    fn stored_at(path: String, resource: Resource) -> Self {
        let body = resource.object.clone();
        Self { stored: vec![(path, resource)], ..Self::answer(body) }
    }

    /// The answer is this object; nothing is stored.
    fn answer(body: Bytes) -> Self {
        Self { status: StatusCode::OK, content_type: JSON, body, location: None, stored: Vec::new() }
    }
}

impl Creation<'_> {
    /// Creates an object. An error is the refusal that the provider would send.
    pub(crate) fn create(&self, kind: Kind) -> Result<Created, ApiError> {
        match kind {
            Kind::Batch => batch::create(self),
            Kind::ClientSecret => Ok(realtime::client_secret(self)),
            Kind::Container => stores::container(self),
            Kind::ContainerFile => stores::container_file(self),
            Kind::Conversation => Ok(stores::conversation(self)),
            Kind::ConversationItems => stores::conversation_items(self),
            Kind::Eval => jobs::eval(self),
            Kind::EvalRun => jobs::eval_run(self),
            Kind::File => stores::file(self),
            Kind::FineTuningJob => jobs::fine_tuning(self),
            Kind::RealtimeCall => Ok(realtime::call(self)),
            Kind::VectorStore => Ok(stores::vector_store(self)),
            Kind::VectorStoreFile => stores::vector_store_file(self),
            Kind::VectorStoreFileBatch => stores::vector_store_file_batch(self),
            Kind::Video => jobs::video(self),
        }
    }

    /// The model that the request names, by which a reply is chosen.
    pub(crate) fn model(&self, kind: Kind) -> String {
        let model = match kind {
            Kind::Batch => batch::model(self),
            Kind::EvalRun => self.fields.value("data_source")["model"].as_str().map(str::to_owned),
            _ => self.fields.get("model"),
        };
        model.unwrap_or_default()
    }

    fn created(&self) -> u64 {
        CREATED_BASE + self.number
    }

    /// A generator of ids; the same request gets the same ids.
    fn ids(&self) -> Rng {
        Rng::new(self.state.seed, "id", self.number)
    }

    fn id(&self, prefix: &str) -> String {
        self.reply.id.clone().unwrap_or_else(|| format!("{prefix}{}", self.ids().string(24, HEX)))
    }

    /// Code and message of a job that is scripted to fail.
    fn failure(&self) -> Option<(&str, &str)> {
        match &self.reply.kind {
            ReplyKind::Failed { code, message } => Some((code, message)),
            _ => None,
        }
    }
}

/// The objects of a collection as a page that is never full.
pub(crate) fn list(objects: &[Bytes]) -> Bytes {
    let data: Vec<Value> = objects.iter().filter_map(|object| serde_json::from_slice(object).ok()).collect();
    let id = |object: Option<&Value>| object.map_or(Value::Null, |object| object["id"].clone());
    json::bytes(&json!({
        "object": "list",
        "first_id": id(data.first()),
        "last_id": id(data.last()),
        "data": data,
        "has_more": false,
    }))
}

/// The answer to the deletion of an object.
pub(crate) fn deleted(object: &Bytes) -> Bytes {
    let object: Value = serde_json::from_slice(object).unwrap_or_default();
    let kind = format!("{}.deleted", object["object"].as_str().unwrap_or_default());
    json::bytes(&json!({
        "id": object["id"],
        "object": kind,
        "deleted": true,
        // Evaluations and their runs have their own names for the id.
        "eval_id": object["id"],
        "run_id": object["id"],
    }))
}

/// The page of a search, without a result.
pub(crate) fn search(fields: &Fields) -> Bytes {
    let query = fields.value("query");
    let query = if query.is_array() { query } else { json!([query]) };
    json::bytes(&json!({
        "object": "vector_store.search_results.page",
        "search_query": query,
        "data": [],
        "has_more": false,
        "next_page": null,
    }))
}

/// Writes the fields of the request that can be changed into the object.
pub(crate) fn update(resource: &mut Resource, fields: &Fields) {
    edit(resource, |object| {
        for name in ["metadata", "name"] {
            if let Some(value) = fields.get::<Value>(name) {
                object[name] = value;
            }
        }
    });
}

/// Cancels a job. It says so at once, and no later read changes it; only a batch is in between for one read.
pub(crate) fn cancel(resource: &mut Resource) {
    let set =
        |resource: &mut Resource, status: &str| edit(resource, |object| object["status"] = json!(status));
    resource.next.clear();
    match read(&resource.object)["object"].as_str() {
        Some("batch") => {
            set(resource, "cancelled");
            resource.next.push_back(resource.object.clone());
            set(resource, "cancelling");
        }
        // The reference spells the status of runs with one l.
        Some("eval.run") => set(resource, "canceled"),
        _ => set(resource, "cancelled"),
    }
}

fn edit(resource: &mut Resource, change: impl FnOnce(&mut Value)) {
    let mut object = read(&resource.object);
    change(&mut object);
    resource.object = json::bytes(&object);
}

fn read(object: &Bytes) -> Value {
    serde_json::from_slice(object).unwrap_or_default()
}

/// Sets the fields of `object` that `changes` has.
fn merge(object: &mut Value, changes: Value) {
    if let (Value::Object(object), Value::Object(changes)) = (object, changes) {
        object.extend(changes);
    }
}
