//! A violation in words: where, and of which kind. A value is quoted only when
//! it is a single one and no name on the way to it is that of a secret.

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;

/// One violation.
pub(crate) fn told(error: &ValidationError<'_>) -> String {
    let path = error.instance_path().as_str();
    let value = error.instance();
    let quotable =
        !path.is_empty() && !value.is_object() && !value.is_array() && !path.split('/').any(secret);
    let mut text = if quotable {
        format!("{path}: {error}")
    } else {
        let place = if path.is_empty() { "body" } else { path };
        format!("{place}: {}", error.masked())
    };
    if let ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } =
        error.kind()
    {
        let why: Vec<String> = context
            .iter()
            .filter_map(|branch| branch.first())
            .map(told)
            .collect();
        text = format!("{text} ({})", why.join(" or "));
    }
    text
}

/// Whether what is below this name may be a secret, or a part of one. The last
/// ones are the private members of a JWK.
fn secret(name: &str) -> bool {
    let name = name.to_lowercase();
    ["secret", "token", "assertion", "password", "private"]
        .iter()
        .any(|part| name.contains(part))
        || ["d", "p", "q", "dp", "dq", "qi", "k"].contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::told;

    #[test]
    fn a_secret_is_not_told() {
        let never = json!({ "maxLength": 1 });
        let schema = json!({
            "properties": {
                "client_secret": never, "label": never,
                "keys": { "items": { "properties": { "d": never } } },
                "either": { "anyOf": [{ "type": "null" }, { "properties": { "access_token": never } }] },
            },
            "required": ["name"],
        });
        let body = json!({
            "client_secret": "hunter2", "label": "etl",
            "keys": [{ "d": "hunter2" }], "either": { "access_token": "hunter2" },
        });
        let validator = jsonschema::validator_for(&schema).expect("a schema");
        let said: Vec<String> = validator.iter_errors(&body).map(|e| told(&e)).collect();
        let said = said.join("\n");
        for place in [
            "body: ",
            "/client_secret: ",
            "/keys/0/d: ",
            "/either/access_token: ",
        ] {
            assert!(said.contains(place), "{said}");
        }
        assert!(said.contains("etl"), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}
