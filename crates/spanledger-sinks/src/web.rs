//! What the sinks that send HTTP requests share.

use std::{
    collections::BTreeMap,
    error::Error as _,
    fmt, fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use reqwest::{
    Certificate, Client, StatusCode, Url,
    header::{HeaderMap, HeaderName, HeaderValue},
};

use crate::{Fault, OptionError, Secret};

/// The time in which a connection must be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The most characters of an answer that are shown.
const MESSAGE_CHARS_MAX: usize = 600;

/// A client for servers whose certificates are signed by those in the file, or by those of the system if the path is
/// empty. It reads the file, so it is made on a thread for blocking work.
pub(crate) fn client(timeout: Duration, ca_file: &Path) -> Result<Client, Fault> {
    let mut client = Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(timeout)
        .redirect(reqwest::redirect::Policy::none());
    if !ca_file.as_os_str().is_empty() {
        let unreadable = |error: &dyn fmt::Display| {
            Fault::blocked(
                format!("the certificates in {} cannot be read: {error}", ca_file.display()),
                "give the option `ca_file` the path of a file of certificates in PEM",
            )
        };
        let pem = fs::read(ca_file).map_err(|error| unreadable(&error))?;
        let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| unreadable(&error))?;
        client = client.tls_certs_only(certificates);
    }
    client.build().map_err(|error| {
        Fault::blocked(format!("TLS cannot be used: {error}"), "look at the option `ca_file`")
    })
}

/// A client and its headers. What they need from files is read on a thread for blocking work.
pub(crate) async fn session(
    timeout: Duration,
    ca_file: PathBuf,
    headers: Vec<(HeaderName, Secret)>,
) -> Result<(Client, HeaderMap), Fault> {
    let read = move || Ok((client(timeout, &ca_file)?, header_map(&headers)?));
    tokio::task::spawn_blocking(read).await.map_err(Fault::retry)?
}

/// The address in an option.
pub(crate) fn url(option: &'static str, text: &str, example: &str) -> Result<Url, OptionError> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    url.ok_or_else(|| OptionError { option, problem: format!("write an address such as `{example}`") })
}

/// The headers with checked names.
pub(crate) fn headers(given: &BTreeMap<String, Secret>) -> Result<Vec<(HeaderName, Secret)>, OptionError> {
    let header = |(name, value): (&String, &Secret)| {
        let name = HeaderName::try_from(name).map_err(|_| OptionError {
            option: "headers",
            problem: format!("`{name}` is not the name of a header"),
        })?;
        Ok((name, value.clone()))
    };
    given.iter().map(header).collect()
}

/// The headers with their values, which are read now.
pub(crate) fn header_map(headers: &[(HeaderName, Secret)]) -> Result<HeaderMap, Fault> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let mut value = HeaderValue::try_from(value.read()?).map_err(|_| {
            Fault::blocked(
                format!("the value of the header `{name}` is not valid"),
                "correct it in the option `headers`: it is text without line breaks",
            )
        })?;
        value.set_sensitive(true);
        map.insert(name.clone(), value);
    }
    Ok(map)
}

/// The address without what may be secret in it: user, password and query.
pub(crate) fn shown(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}

/// The beginning of an answer, for messages.
pub(crate) fn excerpt(body: &str) -> String {
    body.trim().chars().take(MESSAGE_CHARS_MAX).collect()
}

/// What it means that there was no answer. `task` says what could not be done where.
pub(crate) fn lost(task: &str, error: reqwest::Error) -> Fault {
    // The address may hold secrets, and is named by `task`.
    let error = error.without_url();
    let mut reason = format!("{task}: {error}");
    let mut causes = error.source();
    while let Some(cause) = causes {
        reason.push_str(": ");
        reason.push_str(&cause.to_string());
        causes = cause.source();
    }
    if reason.contains("certificate") {
        let remedy = "give the option `ca_file` the certificate that signed the server's, or correct the host in the address";
        Fault::blocked(reason, remedy)
    } else {
        Fault::retry(reason)
    }
}

/// The wait that an answer asks for, in seconds or as a date (RFC 9110, section 10.2.3).
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get("retry-after")?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = httpdate::parse_http_date(value).ok()?;
    Some(at.duration_since(SystemTime::now()).unwrap_or_default())
}

/// What an answer means that is not a success, for servers that speak plain HTTP. `reason` says what happened.
pub(crate) fn of_status(status: StatusCode, headers: &HeaderMap, reason: String) -> Fault {
    match status.as_u16() {
        401 | 403 | 407 => Fault::blocked(reason, "correct the credentials in the option `headers`"),
        300..=399 => {
            let to = headers.get("location").and_then(|to| to.to_str().ok()).unwrap_or("another address");
            Fault::blocked(
                format!("{reason}, which leads to {to}"),
                "put the final address into the configuration",
            )
        }
        404 | 405 | 410 | 415 => Fault::blocked(reason, "correct the address in the configuration"),
        413 => Fault::too_large(reason),
        400 | 422 => Fault::rejected(reason),
        _ => Fault::retry_after(reason, retry_after(headers)),
    }
}

#[cfg(test)]
mod tests;
