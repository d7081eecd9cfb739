//! Everything that the operator and Okta's emulator say to each other in these
//! tests is held to Okta's published OpenAPI: a test that passed otherwise fails
//! at its end for a violation. The documents are no part of this repository.

use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use okta_emulator::Contract;

use crate::harness::World;

/// Okta's documents, from the folder that OKTA_OPENAPI_DIR names; read once.
pub(crate) fn contract() -> Option<Arc<Contract>> {
    static READ: OnceLock<Option<Arc<Contract>>> = OnceLock::new();
    let read = || {
        let Some(folder) = std::env::var_os("OKTA_OPENAPI_DIR").map(PathBuf::from) else {
            // Not by a macro: the harness of tests would swallow it.
            let _ = writeln!(
                std::io::stderr(),
                "exchanges are not checked: OKTA_OPENAPI_DIR is not set; Okta publishes the files at github.com/okta/okta-management-openapi-spec"
            );
            return None;
        };
        Some(Arc::new(
            Contract::from_dir(&folder).expect("Okta's documents"),
        ))
    };
    READ.get_or_init(read).clone()
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let violations = self.okta.violations();
        assert!(
            violations.is_empty(),
            "Okta's OpenAPI is violated:\n{}",
            violations.join("\n")
        );
    }
}
