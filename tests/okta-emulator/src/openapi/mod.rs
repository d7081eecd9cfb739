//! Okta's published OpenAPI as a judge of exchanges: what a caller sends and
//! what this emulator answers. It checks operations, content types, statuses and
//! bodies; headers, queries and paths it does not look at. What it finds is told
//! without the values of secrets.

mod document;
mod exchanges;
mod finding;
mod schema;

use std::path::Path;

use serde_json::{Value, json};

use document::Document;
pub(crate) use exchanges::Exchanges;

/// Members that Okta sends and its documents leave undeclared at this place:
/// an EC key without its curve would be no key.
const UNDECLARED: [&str; 5] = ["activated", "dpop_bound_access_tokens", "alg", "crv", "use"];

/// How a client authenticates within a form. The documents describe it with the
/// security schemes, in prose, and not with the form (RFC 6749 2.3.1, RFC 7523).
const CLIENT_AUTHENTICATION: [&str; 4] = [
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
];

/// The answer to a missing or wrong token (E0000011). Every operation of the
/// management API may give it, few declare it; its body is checked all the same.
const INVALID_TOKEN: &str = "#/components/responses/ErrorInvalidToken401";

/// The kinds of token. The documents forget the one that Okta's guide to DPoP
/// shows, and that RFC 9449 demands of a token bound to a key.
const TOKEN_TYPES: &str = "#/components/schemas/TokenResponseTokenType/enum";

const FORM: &str = "application/x-www-form-urlencoded";

/// Okta's documents, ready to check exchanges. Reading them takes seconds, so
/// one of these is meant to be shared; an operation's schemas are compiled when
/// it is first seen.
pub struct Contract {
    documents: [Document; 2],
}

impl std::fmt::Debug for Contract {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Contract").finish_non_exhaustive()
    }
}

impl Contract {
    /// Reads `okta-management-openapi.yaml` and `okta-oauth-openapi.yaml`.
    ///
    /// # Errors
    /// When one of them is not there or not readable, with its path.
    pub fn from_dir(folder: &Path) -> Result<Self, String> {
        let management = Document::read(&folder.join("okta-management-openapi.yaml"))?;
        let mut oauth = Document::read(&folder.join("okta-oauth-openapi.yaml"))?;
        oauth.append(TOKEN_TYPES, json!("DPoP"));
        Ok(Self {
            documents: [management, oauth],
        })
    }

    /// The document that describes an operation, and the operation.
    fn operation(&self, method: &str, template: &str) -> Option<(&Document, &Value)> {
        self.documents
            .iter()
            .find_map(|document| Some((document, document.operation(method, template)?)))
    }

    /// What is wrong with a request: a form is an object of texts, `None` is a
    /// request without a body.
    pub fn request(
        &self,
        method: &str,
        template: &str,
        content_type: &str,
        body: Option<&Value>,
    ) -> Vec<String> {
        let Some((document, operation)) = self.operation(method, template) else {
            return vec!["the operation is not in the documents".to_owned()];
        };
        let declared = document.resolved(&operation["requestBody"]);
        let Some(body) = body else {
            return if declared["required"] == json!(true) {
                vec!["no body where one is required".to_owned()]
            } else {
                Vec::new()
            };
        };
        if declared.is_null() {
            return vec!["a body where none is declared".to_owned()];
        }
        let essence = content_type.split(';').next().unwrap_or("").trim();
        let schema = &declared["content"][essence]["schema"];
        if schema.is_null() {
            return vec![format!("the content type '{essence}' is not declared")];
        }
        if essence == FORM {
            let extra = [&UNDECLARED[..], &CLIENT_AUTHENTICATION].concat();
            document.check(document.case(schema, body), body, &extra)
        } else {
            document.check(schema, body, &UNDECLARED)
        }
    }

    /// What is wrong with an answer; `null` is an answer without a body.
    pub fn answer(&self, method: &str, template: &str, status: u16, body: &Value) -> Vec<String> {
        let Some((mut document, operation)) = self.operation(method, template) else {
            return vec!["the operation is not in the documents".to_owned()];
        };
        let mut response = document.resolved(&operation["responses"][status.to_string()]);
        if response.is_null() && status == 401 {
            // Clients are in the other document, behind the same gate.
            document = &self.documents[0];
            response = document.pointer(INVALID_TOKEN);
        }
        if response.is_null() {
            return vec![format!("the status {status} is not declared")];
        }
        let content = &response["content"];
        if content.as_object().is_none_or(serde_json::Map::is_empty) {
            let empty = body.is_null() || *body == json!({});
            return if empty {
                Vec::new()
            } else {
                vec!["a body where none is declared".to_owned()]
            };
        }
        document.check(&content["application/json"]["schema"], body, &UNDECLARED)
    }
}
