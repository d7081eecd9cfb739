//! Tools that a test runs, such as Helm: each a module of its own below
//! `tests/tools/`, so that their dependencies do not have to agree.
//!
//! What it needs: Go and the Go module proxy. What it refuses to do: use one from
//! `PATH`, whose version nobody chose.

use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::go::{Build, Output, file_of, read};

const TOOLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tools");

/// The tool of the module `tests/tools/<name>`, built once.
///
/// # Errors
///
/// When there is no such module, or it cannot be built.
pub async fn tool(name: &str) -> Result<PathBuf, Error> {
    let module = Path::new(TOOLS).join(name);
    let go_mod = read(&module.join("go.mod"))?;
    let package = package(&go_mod)
        .ok_or_else(|| Error::malformed(format!("tests/tools/{name}/go.mod"), "has no tool"))?;
    let output = Output {
        name: file_of(package),
        package,
    };
    let folder = Build {
        module: &module,
        into: &format!("tools/{name}"),
        ldflags: "-s -w",
        takes: "up to 5 minutes on 2 cores",
    }
    .folder_with(&[output])
    .await?;
    Ok(folder.join(output.name))
}

/// The package of the one tool that a `go.mod` names.
fn package(go_mod: &str) -> Option<&str> {
    go_mod
        .lines()
        .find_map(|line| line.strip_prefix("tool "))
        .map(str::trim)
}
