//! Random and sequential identifiers in the shapes that Okta gives out, plus
//! the few encodings that everything needs.

use aws_lc_rs::{digest, rand};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

const ALPHANUMERIC: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const SECRET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

fn random_from(alphabet: &[u8], length: usize) -> String {
    let mut bytes = vec![0; length];
    rand::fill(&mut bytes).expect("the system gives random bytes");
    bytes
        .iter()
        .map(|byte| alphabet[*byte as usize % alphabet.len()] as char)
        .collect()
}

/// Letters and digits.
pub(crate) fn random_text(length: usize) -> String {
    random_from(ALPHANUMERIC, length)
}

/// A client secret as Okta generates it: 64 characters.
pub(crate) fn generated_secret() -> String {
    random_from(SECRET, 64)
}

/// A random UUID, version 4.
pub(crate) fn uuid() -> String {
    let mut bytes = [0_u8; 16];
    rand::fill(&mut bytes).expect("the system gives random bytes");
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

/// Twenty characters that sort in the order of creation.
pub(crate) fn object_id(prefix: &str, sequence: u64) -> String {
    format!("{prefix}{sequence:08x}{}", random_text(17 - 8))
}

/// Base64, URL alphabet, no padding.
pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The reverse of [`b64`].
pub(crate) fn unb64(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// SHA-256, as [`b64`].
pub(crate) fn sha256_b64(bytes: impl AsRef<[u8]>) -> String {
    b64(digest::digest(&digest::SHA256, bytes.as_ref()))
}
