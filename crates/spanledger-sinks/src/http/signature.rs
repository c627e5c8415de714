//! Signs a request as <https://www.standardwebhooks.com> specifies, so that its receiver can use a library of its
//! language to check it.

use aws_lc_rs::hmac;
use base64::{Engine as _, prelude::BASE64_STANDARD};

/// Such a secret is written in Base64 after this prefix.
const SECRET_PREFIX: &str = "whsec_";

/// The key in a secret: the bytes that follow the prefix in Base64, or else the bytes of the text.
pub(super) fn key(secret: &str) -> Result<hmac::Key, String> {
    let bytes = match secret.strip_prefix(SECRET_PREFIX) {
        Some(encoded) => BASE64_STANDARD.decode(encoded).map_err(|error| error.to_string())?,
        None => secret.as_bytes().to_vec(),
    };
    if bytes.is_empty() {
        return Err("it is empty".to_owned());
    }
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

/// The value of the header `webhook-signature`.
pub(super) fn sign(key: &hmac::Key, id: &str, timestamp: u64, body: &[u8]) -> String {
    let mut context = hmac::Context::with_key(key);
    context.update(format!("{id}.{timestamp}.").as_bytes());
    context.update(body);
    format!("v1,{}", BASE64_STANDARD.encode(context.sign()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's libraries.
    #[test]
    fn a_signature_is_that_of_the_specification() {
        let key = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = sign(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_that_is_no_base64_is_refused() {
        assert!(key("whsec_%%%").is_err());
        assert!(key("").is_err());
        key("any other text").unwrap();
    }
}
