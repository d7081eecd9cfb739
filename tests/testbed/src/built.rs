//! Programs of this repository, built by cargo and run as processes of their own.
//!
//! It needs what cargo said. It refuses to guess where cargo puts things.

use std::path::PathBuf;

use serde_json::Value;

/// The environment of such a program: a proxy has no business between programs of one
/// machine.
pub const NO_PROXIES: [(&str, &str); 6] = [
    ("HTTP_PROXY", ""),
    ("HTTPS_PROXY", ""),
    ("ALL_PROXY", ""),
    ("http_proxy", ""),
    ("https_proxy", ""),
    ("all_proxy", ""),
];

/// The path of the program `name` in what `cargo build --message-format=json` said;
/// `None` when it is not among what was built.
#[must_use]
pub fn executable(messages: &str, name: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == name)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_tells_where_a_program_is() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"name":"kube"},"executable":null}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"name":"wanted"},"executable":"/t/x"}"#,
            "\nnoise\n",
        );
        assert_eq!(executable(messages, "wanted"), Some(PathBuf::from("/t/x")));
        assert_eq!(executable(messages, "kube"), None);
        assert_eq!(executable("", "wanted"), None);
    }
}
