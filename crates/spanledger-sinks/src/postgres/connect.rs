//! The connection to the server.

use std::{sync::Arc, time::Duration};

use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
};
use tokio::task::JoinHandle;
use tokio_postgres::{
    Client, Config, NoTls,
    config::{Host, SslMode},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{PostgresConfig, TlsOption, fault::Translate};
use crate::Fault;

/// The time in which a connection must be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The settings of a session. The work of a session whose client is gone ends after the last of them at the latest, so
/// that it does not block its successor. A batch fits into the temporary buffers, so that it is not written to a file.
const SETTINGS: &str = "SET application_name = 'spanledger'; SET timezone = 'UTC'; SET jit = off; \
     SET temp_buffers = '64MB'; SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = '60s'; \
     SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";

/// The server and how it is reached.
pub(super) struct Target {
    config: Config,
    tls: Option<ClientConfig>,
    /// The server and the database, for messages.
    pub(super) name: String,
}

/// A connection. Dropping it ends it, and undoes what was not committed.
pub(super) struct Connection {
    pub(super) client: Client,
    task: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Reads the options. It reads files, so it runs on a thread for blocking work.
pub(super) fn target(options: &PostgresConfig) -> Result<Target, Fault> {
    let (url, stated) = without_tls_parameters(&options.url.read()?);
    let remedy = "write the option `url` as `postgresql://user@host:5432/database`";
    let mut config: Config = url
        .parse()
        .map_err(|error| Fault::blocked(format!("the option `url` is not an address: {error}"), remedy))?;
    let password = options.password.read()?;
    if !password.is_empty() {
        config.password(password);
    }
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        return Err(Fault::blocked("the option `url` names no host", remedy));
    }
    let is_local = config.get_hosts().iter().all(|host| match host {
        Host::Tcp(name) => name == "localhost" || name == "::1" || name.starts_with("127."),
        #[cfg(unix)]
        Host::Unix(_) => true,
    });
    let mode = match options.tls {
        TlsOption::Auto => {
            stated.unwrap_or(if is_local { TlsOption::Disable } else { TlsOption::VerifyFull })
        }
        mode => mode,
    };
    let tls = match mode {
        TlsOption::Disable => None,
        TlsOption::Require => Some(tls(options, false)?),
        TlsOption::Auto | TlsOption::VerifyFull => Some(tls(options, true)?),
    };
    config
        .ssl_mode(if tls.is_some() { SslMode::Require } else { SslMode::Disable })
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_user_timeout(options.timeout());
    let name = name(&config);
    Ok(Target { config, tls, name })
}

impl Target {
    pub(super) async fn connect(&self) -> Result<Connection, Fault> {
        let connection = match &self.tls {
            None => {
                let (client, connection) =
                    self.config.connect(NoTls).await.translate(&self.name, "connect")?;
                // Its error reaches the client, too.
                Connection { client, task: tokio::spawn(async { connection.await.unwrap_or_default() }) }
            }
            Some(tls) => {
                let tls = MakeRustlsConnect::new(tls.clone());
                let (client, connection) = self.config.connect(tls).await.translate(&self.name, "connect")?;
                Connection { client, task: tokio::spawn(async { connection.await.unwrap_or_default() }) }
            }
        };
        connection.client.batch_execute(SETTINGS).await.translate(&self.name, "set up the session")?;
        Ok(connection)
    }
}

/// The server and the database as people write them, without user and password.
fn name(config: &Config) -> String {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(name)) => name.clone(),
        #[cfg(unix)]
        Some(Host::Unix(path)) => path.display().to_string(),
        None => config.get_hostaddrs().first().map(ToString::to_string).unwrap_or_default(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let database = config.get_dbname().or(config.get_user()).unwrap_or("postgres");
    format!("Postgres at {host}:{port}/{database}")
}

/// The address without the parameters of TLS, of which the library knows other values than `psql`, and the mode that
/// they state.
fn without_tls_parameters(url: &str) -> (String, Option<TlsOption>) {
    let mut stated = None;
    let mut is_kept = |parameter: &&str| {
        let Some((name, value)) = parameter.split_once('=') else { return true };
        if name == "sslmode" {
            stated = match value {
                "disable" | "allow" => Some(TlsOption::Disable),
                "require" => Some(TlsOption::Require),
                "verify-ca" | "verify-full" => Some(TlsOption::VerifyFull),
                // `prefer`, too: the sink does not fall back to a connection without encryption.
                _ => None,
            };
        }
        !matches!(name, "sslmode" | "sslrootcert" | "sslcert" | "sslkey")
    };
    let url = url.trim();
    let url = if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        match url.split_once('?') {
            None => url.to_owned(),
            Some((address, parameters)) => {
                let kept: Vec<&str> = parameters.split('&').filter(&mut is_kept).collect();
                if kept.is_empty() { address.to_owned() } else { format!("{address}?{}", kept.join("&")) }
            }
        }
    } else {
        // The other form: `host=… user=…`.
        url.split_whitespace().filter(&mut is_kept).collect::<Vec<_>>().join(" ")
    };
    (url, stated)
}

fn tls(options: &PostgresConfig, is_verified: bool) -> Result<ClientConfig, Fault> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let unusable = |error: rustls::Error| {
        Fault::blocked(format!("TLS cannot be used: {error}"), "look at the option `ca_file`")
    };
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?;
    if !is_verified {
        let verifier = Arc::new(NoVerification(provider));
        return Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth());
    }
    if options.ca_file.as_os_str().is_empty() {
        let verifier = rustls_platform_verifier::Verifier::new(provider).map_err(unusable)?;
        let verifier = Arc::new(verifier);
        return Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth());
    }
    let path = options.ca_file.display();
    let unreadable = |error: &dyn std::fmt::Display| {
        Fault::blocked(
            format!("the certificates in {path} cannot be read: {error}"),
            "give the option `ca_file` the path of a file of certificates in PEM",
        )
    };
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(&options.ca_file).map_err(|error| unreadable(&error))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| unreadable(&error))?;
        roots.add(certificate).map_err(|error| unreadable(&error))?;
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Takes every certificate: `tls = "require"` encrypts and does not verify.
#[derive(Debug)]
struct NoVerification(Arc<CryptoProvider>);

impl ServerCertVerifier for NoVerification {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_modes_of_psql_are_understood() {
        let of = |url: &str| without_tls_parameters(url);
        let url = "postgresql://u@h/d";
        assert_eq!(of(url), (url.to_owned(), None));
        assert_eq!(
            of("postgresql://u@h/d?sslmode=verify-full&connect_timeout=3&sslrootcert=/x"),
            ("postgresql://u@h/d?connect_timeout=3".to_owned(), Some(TlsOption::VerifyFull))
        );
        assert_eq!(
            of("postgres://u@h/d?sslmode=disable"),
            ("postgres://u@h/d".to_owned(), Some(TlsOption::Disable))
        );
        assert_eq!(
            of("host=h user=u sslmode=require"),
            ("host=h user=u".to_owned(), Some(TlsOption::Require))
        );
    }
}
