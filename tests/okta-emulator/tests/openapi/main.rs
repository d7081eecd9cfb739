//! The emulator's answers, and what the operator sends, held to Okta's published
//! OpenAPI. The documents are not part of this repository: the folder with them
//! is named by OKTA_OPENAPI_DIR.

mod checked;
#[path = "../emulator/kit.rs"]
#[allow(dead_code)]
mod kit;
mod management;
mod oauth;
mod spec;

use std::path::PathBuf;

/// Members that Okta sends and its documents leave undeclared at this place:
/// an EC key without its curve would be no key.
pub(crate) const UNDECLARED: [&str; 5] =
    ["activated", "dpop_bound_access_tokens", "alg", "crv", "use"];

/// The folder with the documents, if there is one.
pub(crate) fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("OKTA_OPENAPI_DIR").map(PathBuf::from);
    if folder.is_none() {
        println!(
            "skipped: OKTA_OPENAPI_DIR is not set; Okta publishes the files at github.com/okta/okta-management-openapi-spec"
        );
    }
    folder
}
