//! Where things may be written: below the cargo target directory.
//!
//! It needs nothing. It refuses to write anywhere else, so `cargo clean`
//! removes whatever a crash of this machine left behind.

use std::path::{Path, PathBuf};

/// The target directory of the build that this program came from.
///
/// Cargo does not tell a running test where it is, but marks the folder with
/// the file `CACHEDIR.TAG`. The variable comes second because a relative
/// `CARGO_TARGET_DIR` means another folder here than it meant to cargo.
pub(crate) fn directory() -> PathBuf {
    let above = std::env::current_exe().ok().and_then(|program| {
        let mut folders = program.ancestors();
        folders
            .find(|folder| folder.join("CACHEDIR.TAG").is_file())
            .map(Path::to_owned)
    });
    above
        .or_else(|| std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from))
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"))
}

/// Twelve hexadecimal digits that nobody else draws.
///
/// # Panics
///
/// When the kernel has no random numbers.
#[must_use]
pub fn random() -> String {
    let mut bytes = [0; 6];
    fill(&mut bytes);
    hex(&bytes)
}

pub(crate) fn fill(bytes: &mut [u8]) {
    aws_lc_rs::rand::fill(bytes).expect("the kernel has random numbers");
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
