//! The emulator's answers, and what the operator sends, held to Okta's published
//! OpenAPI. The documents are not part of this repository: the folder with them
//! is named by OKTA_OPENAPI_DIR.

mod checked;
#[path = "../emulator/kit.rs"]
#[allow(dead_code)]
mod kit;
mod management;
mod oauth;
mod served;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use okta_emulator::Contract;

/// Okta's documents, if there is a folder with them; read once.
pub(crate) fn contract() -> Option<Arc<Contract>> {
    static READ: OnceLock<Option<Arc<Contract>>> = OnceLock::new();
    let read = || {
        let Some(folder) = std::env::var_os("OKTA_OPENAPI_DIR").map(PathBuf::from) else {
            println!(
                "skipped: OKTA_OPENAPI_DIR is not set; Okta publishes the files at github.com/okta/okta-management-openapi-spec"
            );
            return None;
        };
        Some(Arc::new(
            Contract::from_dir(&folder).expect("Okta's documents"),
        ))
    };
    READ.get_or_init(read).clone()
}
