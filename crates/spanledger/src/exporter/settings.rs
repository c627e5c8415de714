//! Checks a configuration before anything is sent.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    time::Duration,
};

use reqwest::{
    Client, Url,
    header::{HeaderMap, HeaderName, HeaderValue},
};

use super::config::{Certificates, Compression, ExporterConfig, Protocol};

#[cfg(test)]
mod tests;

/// Why an exporter cannot be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InitError {
    /// The address of the receiver is not a URL.
    #[error(
        "`{url}` is not the address of a receiver, because {reason}: write for example http://localhost:4318"
    )]
    Endpoint {
        /// The address as it was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A header is not valid.
    #[error(
        "the header `{name}` cannot be sent: its name or its value has a character that HTTP does not allow"
    )]
    Header {
        /// The name as it was given. The value may be a key and is not repeated.
        name: String,
    },
    /// The configuration needs a feature of the crate that is not enabled.
    #[error(
        "{setting} needs the feature `{feature}`: add features = [\"{feature}\"] to the dependency `spanledger`"
    )]
    Feature {
        /// The setting.
        setting: String,
        /// The feature.
        feature: &'static str,
    },
    /// A certificate cannot be read.
    #[error("the certificate or key {} cannot be read", path.display())]
    CertificateFile {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A certificate is not valid, or the HTTP client cannot be created.
    #[error("the HTTP client of the exporter cannot be created")]
    Client(#[source] reqwest::Error),
    /// The TLS of the HTTP client has no cryptography.
    #[error(
        "the HTTP client of the exporter has no cryptography: install a provider, for example with \
         `rustls::crypto::aws_lc_rs::default_provider().install_default()`, before the first recorder is created"
    )]
    NoCryptography,
    /// The thread of the exporter cannot be started.
    #[error("the thread that sends records cannot be started")]
    Thread(#[source] io::Error),
    /// The folder for records that are not acknowledged cannot be used.
    #[error("the spool in {} cannot be opened", path.display())]
    Spool {
        /// The folder.
        path: PathBuf,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Intents need a spool.
    #[error(
        "calls can be noted before they are sent only in a spool: set its folder (`spool`, SPANLEDGER_SPOOL)"
    )]
    IntentsWithoutSpool,
    /// The recorder of the process exists already.
    #[error(
        "the recorder of the process is configured already: call `spanledger::init` once, before the first call and \
         before `Recorder::global`"
    )]
    AlreadyInitialized,
}

/// What a transport needs, checked.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) client: Client,
    pub(super) timeout: Duration,
    pub(super) compression: Compression,
    /// The connection of OTLP/gRPC, if that is the protocol.
    #[cfg(feature = "grpc")]
    pub(super) grpc: Option<tonic::transport::Endpoint>,
}

impl Settings {
    /// `None` if the export is off.
    pub(super) fn new(config: &ExporterConfig) -> Result<Option<Self>, InitError> {
        let Some(address) = &config.url else { return Ok(None) };
        let url = parse(address)?;
        let is_grpc = config.protocol == Protocol::Grpc;
        if is_grpc && !cfg!(feature = "grpc") {
            return Err(InitError::Feature { setting: format!("OTLP/gRPC to {address}"), feature: "grpc" });
        }
        if config.spool.is_some() && !cfg!(feature = "spool") {
            return Err(InitError::Feature { setting: "the spool".to_owned(), feature: "spool" });
        }
        if config.intents && config.spool.is_none() {
            return Err(InitError::IntentsWithoutSpool);
        }
        let client = match &config.http_client {
            Some(client) => client.clone(),
            // gRPC has a client of its own.
            None if is_grpc => Client::new(),
            None => client(&url, &config.certificates)?,
        };
        Ok(Some(Self {
            #[cfg(feature = "grpc")]
            grpc: is_grpc.then(|| super::transport::grpc_endpoint(&url, config)).transpose()?,
            url,
            headers: headers(&config.headers)?,
            client,
            timeout: config.timeout,
            compression: config.compression,
        }))
    }
}

fn parse(address: &str) -> Result<Url, InitError> {
    let error = |reason: &str| InitError::Endpoint { url: address.to_owned(), reason: reason.to_owned() };
    let url = Url::parse(address).map_err(|e| error(&format!("it cannot be parsed ({e})")))?;
    match url.scheme() {
        "http" | "https" if url.has_host() => Ok(url),
        "http" | "https" => Err(error("it has no host")),
        scheme => Err(error(&format!("its scheme is `{scheme}` and not http or https"))),
    }
}

fn headers(list: &[(String, String)]) -> Result<HeaderMap, InitError> {
    let mut headers = HeaderMap::new();
    for (name, value) in list {
        let error = || InitError::Header { name: name.clone() };
        let key = HeaderName::try_from(name.as_str()).map_err(|_| error())?;
        let mut value = HeaderValue::try_from(value.as_str()).map_err(|_| error())?;
        value.set_sensitive(true);
        headers.append(key, value);
    }
    Ok(headers)
}

fn client(url: &Url, certificates: &Certificates) -> Result<Client, InitError> {
    let mut builder = Client::builder().redirect(reqwest::redirect::Policy::none());
    if is_loopback(url) {
        // A proxy of the environment (HTTP_PROXY) cannot reach a receiver on this machine.
        builder = builder.no_proxy();
    }
    let builder = with_certificates(builder, certificates)?;
    // `reqwest` panics if its TLS has no cryptography: with the feature `rustls-no-provider`, until the service has
    // installed a provider. That must not become a panic of the service's first call.
    match catch_unwind(AssertUnwindSafe(|| builder.build())) {
        Ok(client) => client.map_err(InitError::Client),
        Err(_) => Err(InitError::NoCryptography),
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    match ip {
        Ok(ip) => ip.is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

#[cfg(feature = "tls")]
fn with_certificates(
    mut builder: reqwest::ClientBuilder,
    certificates: &Certificates,
) -> Result<reqwest::ClientBuilder, InitError> {
    if let Some(path) = &certificates.authority {
        let authority = reqwest::Certificate::from_pem_bundle(&read(path)?).map_err(InitError::Client)?;
        builder = builder.tls_certs_merge(authority);
    }
    if let Some(path) = &certificates.client {
        let mut pem = read(path)?;
        if let Some(key) = &certificates.client_key {
            pem.push(b'\n');
            pem.extend(read(key)?);
        }
        builder = builder.identity(reqwest::Identity::from_pem(&pem).map_err(InitError::Client)?);
    }
    Ok(builder)
}

#[cfg(not(feature = "tls"))]
fn with_certificates(
    builder: reqwest::ClientBuilder,
    certificates: &Certificates,
) -> Result<reqwest::ClientBuilder, InitError> {
    if *certificates == Certificates::default() {
        return Ok(builder);
    }
    Err(InitError::Feature { setting: "a certificate".to_owned(), feature: "tls" })
}

#[cfg(feature = "tls")]
pub(super) fn read(path: &PathBuf) -> Result<Vec<u8>, InitError> {
    std::fs::read(path).map_err(|source| InitError::CertificateFile { path: path.clone(), source })
}
