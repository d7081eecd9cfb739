//! The last line of defence between a log and the screen.
//!
//! The operator's own tests see to it that its log holds no secret. Should it
//! hold one all the same, it must not be this demo that shows it around.

/// A client secret of ours has 64 characters of this alphabet, a part of a JWT
/// usually more.
const SECRET_LENGTH: usize = 64;
const INSTEAD: &str = "[not shown]";

/// `text` with whatever looks like a client secret or a JWT replaced.
pub(crate) fn redact(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut word = String::new();
    for c in text.chars() {
        if in_secrets(c) {
            word.push(c);
        } else {
            push(&mut result, &mut word);
            result.push(c);
        }
    }
    push(&mut result, &mut word);
    result
}

fn in_secrets(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

fn push(result: &mut String, word: &mut String) {
    let secret = word.len() >= SECRET_LENGTH || word.starts_with("eyJ");
    result.push_str(if secret { INSTEAD } else { word });
    word.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_tokens_are_replaced_and_nothing_else() {
        let secret = "a1_-".repeat(16);
        let line =
            format!("account=payments/etl secret=\"{secret}\" token=eyJhbGciOiJS.eyJpc3Mi.x ok");
        let shown = redact(&line);
        assert!(
            !shown.contains(&secret) && !shown.contains("eyJ"),
            "{shown}"
        );
        assert!(shown.starts_with("account=payments/etl secret=\"[not shown]\""));
        assert_eq!(
            redact("2026-11-24 INFO started ✓"),
            "2026-11-24 INFO started ✓"
        );
    }
}
