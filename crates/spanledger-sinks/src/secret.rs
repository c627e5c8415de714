//! Values of options that must not be shown.

use std::{env, fmt, fs, path::PathBuf};

use serde::{Deserialize, Deserializer};

/// A password, a token or a key. It is given as text, as `{ env = "NAME" }` or as `{ file = "PATH" }`, and is
/// read when it is needed, so that a file that is replaced is read again. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Source);

#[derive(Clone, PartialEq, Eq)]
enum Source {
    Text(String),
    Env(String),
    File(PathBuf),
}

impl Secret {
    /// A secret with this value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(Source::Text(value.into()))
    }

    /// Reads the value. A line break at the end of a file is not part of it.
    pub fn read(&self) -> Result<String, SecretError> {
        match &self.0 {
            Source::Text(text) => Ok(text.clone()),
            Source::Env(name) => env::var(name).map_err(|_| SecretError::Env { name: name.clone() }),
            Source::File(path) => {
                let text = fs::read_to_string(path)
                    .map_err(|source| SecretError::File { path: path.clone(), reason: source.to_string() })?;
                Ok(text.trim_end_matches(['\r', '\n']).to_owned())
            }
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Text(_) => f.write_str("Secret(…)"),
            Source::Env(name) => write!(f, "Secret(env {name})"),
            Source::File(path) => write!(f, "Secret(file {})", path.display()),
        }
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a text, `{ env = \"NAME\" }` or `{ file = \"PATH\" }`")]
        enum Form {
            Text(String),
            Env(EnvForm),
            File(FileForm),
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct EnvForm {
            env: String,
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct FileForm {
            file: PathBuf,
        }
        Ok(Self(match Form::deserialize(deserializer)? {
            Form::Text(text) => Source::Text(text),
            Form::Env(form) => Source::Env(form.env),
            Form::File(form) => Source::File(form.file),
        }))
    }
}

/// Why the value of a secret is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The environment has no such variable.
    #[error("the environment variable `{name}` is not set or is not text: set it for `serve`")]
    Env {
        /// The name of the variable.
        name: String,
    },
    /// The file cannot be read.
    #[error("the file {} cannot be read: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        reason: String,
    },
}

impl From<SecretError> for crate::Fault {
    fn from(error: SecretError) -> Self {
        Self::blocked(error, "the sink goes on within a minute after this is mended")
    }
}

#[cfg(test)]
mod tests;
