//! Parses addresses to listen on.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    str::FromStr,
};

use serde::{Deserialize, Deserializer, de};

/// An address to listen on: `127.0.0.1:4317`, `[::1]:4317`, `localhost:4317`, `:4317` or `4317`.
///
/// A port without a host means 127.0.0.1, which only programs on this machine can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListenAddr(pub(crate) SocketAddr);

/// The address of the admin port, or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AdminAddr {
    Off,
    At(ListenAddr),
}

/// The error for text that is not an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not an address to listen on: write an IP address with its port, such as 127.0.0.1:{example} or \
     0.0.0.0:{example} for all interfaces, or only the port, such as {example}, for this machine alone{or_off}"
)]
pub(crate) struct AddressError {
    text: String,
    example: u16,
    or_off: &'static str,
}

impl FromStr for ListenAddr {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let on_this_machine = |port: &str| Some((Ipv4Addr::LOCALHOST, port.parse::<u16>().ok()?).into());
        let address = text.parse().ok().or_else(|| {
            on_this_machine(text.strip_prefix("localhost:").or(text.strip_prefix(':')).unwrap_or(text))
        });
        address.map(Self).ok_or_else(|| AddressError { text: text.to_owned(), example: 4317, or_off: "" })
    }
}

impl FromStr for AdminAddr {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.eq_ignore_ascii_case("off") {
            return Ok(Self::Off);
        }
        let address = text.parse().map(Self::At);
        address.map_err(|error: AddressError| AddressError { example: 4319, or_off: ", or `off`", ..error })
    }
}

impl fmt::Display for ListenAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for ListenAddr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize(deserializer)
    }
}

impl<'de> Deserialize<'de> for AdminAddr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize(deserializer)
    }
}

/// An address in the configuration file: text, or a port as a number.
#[derive(Deserialize)]
#[serde(untagged, expecting = "write an address as text, such as \"127.0.0.1:4317\", or a port")]
enum Written {
    Port(i64),
    Text(String),
}

fn deserialize<'de, T: FromStr<Err = AddressError>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    let text = match Written::deserialize(deserializer)? {
        Written::Port(port) => port.to_string(),
        Written::Text(text) => text,
    };
    text.parse().map_err(de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_can_be_written_in_several_ways() {
        for (text, expected) in [
            ("127.0.0.1:4317", "127.0.0.1:4317"),
            ("0.0.0.0:4317", "0.0.0.0:4317"),
            ("[::1]:4317", "[::1]:4317"),
            ("localhost:4317", "127.0.0.1:4317"),
            (":4317", "127.0.0.1:4317"),
            ("4317", "127.0.0.1:4317"),
        ] {
            assert_eq!(
                text.parse::<ListenAddr>().map(|address| address.to_string()).as_deref(),
                Ok(expected)
            );
            let admin = text.parse::<AdminAddr>().unwrap();
            assert_eq!(admin, AdminAddr::At(text.parse().unwrap()), "{text}");
        }
        assert_eq!("OFF".parse(), Ok(AdminAddr::Off));
    }

    #[test]
    fn the_error_for_an_invalid_address_has_examples() {
        for text in ["", "localhost", "127.0.0.1", "99999", ":", "-1", "example.com:4317", "off"] {
            let error = text.parse::<ListenAddr>().unwrap_err().to_string();
            assert!(error.contains(&format!("`{text}`")) && error.contains("127.0.0.1:4317"), "{error}");
        }
        let error = "on".parse::<AdminAddr>().unwrap_err().to_string();
        assert!(error.contains("127.0.0.1:4319") && error.contains("`off`"), "{error}");
    }
}
