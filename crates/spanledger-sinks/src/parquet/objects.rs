//! Files in an object store.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::TryStreamExt as _;
use object_store::{
    BackoffConfig, ClientConfigKey, Error, ObjectStore, PutMode, PutOptions, RetryConfig,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
    azure::{AzureConfigKey, MicrosoftAzureBuilder},
    gcp::{GoogleCloudStorageBuilder, GoogleConfigKey},
    path::Path,
};

use super::problem::{self, Access};
use crate::{Fault, Secret};

/// A kind of object store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    S3,
    Google,
    Azure,
}

impl Service {
    /// The kind that an address begins with.
    pub(super) fn of_scheme(scheme: &str) -> Option<Self> {
        Some(match scheme {
            "s3" | "s3a" => Self::S3,
            "gs" => Self::Google,
            "az" | "azure" | "abfs" | "abfss" => Self::Azure,
            _ => return None,
        })
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::S3 => "S3",
            Self::Google => "Google Cloud Storage",
            Self::Azure => "Azure Blob Storage",
        }
    }

    /// What it calls the container of objects.
    pub(super) fn container(self) -> &'static str {
        if self == Self::Azure { "container" } else { "bucket" }
    }

    /// Where its options are listed.
    pub(super) fn docs(self) -> &'static str {
        match self {
            Self::S3 => "https://docs.rs/object_store/latest/object_store/aws/enum.AmazonS3ConfigKey.html",
            Self::Google => "https://docs.rs/object_store/latest/object_store/gcp/enum.GoogleConfigKey.html",
            Self::Azure => "https://docs.rs/object_store/latest/object_store/azure/enum.AzureConfigKey.html",
        }
    }

    pub(super) fn has_option(self, key: &str) -> bool {
        match self {
            Self::S3 => key.parse::<AmazonS3ConfigKey>().is_ok(),
            Self::Google => key.parse::<GoogleConfigKey>().is_ok(),
            Self::Azure => key.parse::<AzureConfigKey>().is_ok(),
        }
    }
}

/// A folder of an object store.
#[derive(Debug)]
pub(super) struct Objects {
    store: Arc<dyn ObjectStore>,
    folder: Path,
    access: Access,
}

/// A request ends after this time.
const TIMEOUT: &str = "30 seconds";
const CONNECT_TIMEOUT: &str = "5 seconds";

macro_rules! build {
    ($builder:ty, $key:ident, $location:expr, $options:expr) => {{
        let mut builder = <$builder>::from_env().with_url($location).with_retry(retries());
        for (key, value) in
            [(ClientConfigKey::Timeout, TIMEOUT), (ClientConfigKey::ConnectTimeout, CONNECT_TIMEOUT)]
        {
            builder = builder.with_config($key::Client(key), value);
        }
        for (key, value) in $options {
            if let Ok(key) = key.parse::<$key>() {
                builder = builder.with_config(key, value);
            }
        }
        builder.build().map(|store| Arc::new(store) as Arc<dyn ObjectStore>)
    }};
}

impl Objects {
    /// Prepares the client. The values of secrets are read again each time.
    pub(super) fn new(
        service: Service,
        location: &str,
        options: &BTreeMap<String, Secret>,
    ) -> Result<Self, Fault> {
        let access = Access { service, location: location.to_owned() };
        let mut values = Vec::new();
        for (key, value) in options {
            values.push((key, value.read()?));
        }
        let store = match service {
            Service::S3 => build!(AmazonS3Builder, AmazonS3ConfigKey, location, values),
            Service::Google => build!(GoogleCloudStorageBuilder, GoogleConfigKey, location, values),
            Service::Azure => build!(MicrosoftAzureBuilder, AzureConfigKey, location, values),
        };
        let store = store.map_err(|error| access.configuration(&error))?;
        let path = location.split_once("://").map_or(location, |(_, rest)| rest);
        let folder = path.split_once('/').map_or("", |(_, folder)| folder);
        let folder =
            Path::parse(folder.trim_matches('/')).map_err(|error| access.configuration(&error.into()))?;
        Ok(Self { store, folder, access })
    }

    /// Asks for the first object of the folder. Returns a remark if that is not allowed, because a key that may
    /// only write is enough.
    pub(super) async fn check(&self) -> Result<Option<String>, Fault> {
        match self.store.list(Some(&self.folder)).try_next().await {
            Ok(_) => Ok(None),
            Err(error) if problem::is_denied(&error) => Ok(Some(format!(
                "the objects of {} cannot be listed with these credentials, so it is not known whether they can be written",
                self.access.location
            ))),
            Err(error) => Err(self.access.fault(&error)),
        }
    }

    /// Stores an object. An object that exists is the same one.
    pub(super) async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), Fault> {
        let folder =
            if self.folder.as_ref().is_empty() { String::new() } else { format!("{}/", self.folder) };
        let path = Path::parse(format!("{folder}{name}"))
            .map_err(|error| self.access.configuration(&error.into()))?;
        let options = PutOptions::from(PutMode::Create);
        match self.store.put_opts(&path, bytes.into(), options).await {
            Ok(_) => Ok(()),
            Err(error) if problem::is_conflict(&error) => Err(Fault::retry(self.access.reason(&error))),
            // S3 and Google say that the condition of the request does not hold.
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(()),
            Err(error) => Err(self.access.fault(&error)),
        }
    }
}

/// Few retries: the runner of the sink retries too, and says why it waits.
fn retries() -> RetryConfig {
    RetryConfig { backoff: BackoffConfig::default(), max_retries: 2, retry_timeout: Duration::from_secs(20) }
}
