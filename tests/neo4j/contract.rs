//! Okta's documents, from the folder that OKTA_OPENAPI_DIR names; read once.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use okta_emulator::Contract;

pub(crate) fn contract() -> Option<Arc<Contract>> {
    static READ: OnceLock<Option<Arc<Contract>>> = OnceLock::new();
    let read = || {
        let folder = std::env::var_os("OKTA_OPENAPI_DIR").map(PathBuf::from)?;
        Some(Arc::new(
            Contract::from_dir(&folder).expect("Okta's documents"),
        ))
    };
    READ.get_or_init(read).clone()
}
