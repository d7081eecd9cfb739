//! The real control plane for tests and the demo.
//!
//! ```no_run
//! # async fn example() {
//! let cluster = testbed::control_plane().await;
//! let namespace = cluster.namespace("payments").await;
//! let client = cluster.operator_client().await;
//! # }
//! ```
//!
//! What it needs: Go (the binaries are built once, from the Go module proxy)
//! or `KUBEBUILDER_ASSETS`, and a POSIX shell. Linux and macOS. A [`Node`] needs
//! more: root on Linux, and containerd.
//!
//! What it refuses to do: touch anything outside the cargo target directory,
//! listen on anything but loopback (or the wire to a node on this machine), or
//! leave something running.

mod apply;
mod audit;
mod binaries;
mod built;
mod child;
mod component;
mod components;
mod control_plane;
mod controller_manager;
mod credentials;
mod error;
mod folder;
mod go;
pub mod neo4j;
mod net;
mod node;
mod progress;
mod start;
mod target;
mod tools;

pub use apply::{crds_served as wait_until_served, yaml as apply_yaml};
pub use audit::AuditEvent;
pub use built::{NO_PROXIES, executable};
pub use child::{Child, Exit};
pub use control_plane::{ControlPlane, OPERATOR_NAMESPACE, OPERATOR_USER};
pub use error::Error;
pub use folder::Folder;
pub use net::free_port;
pub use node::image::{Image, busybox};
pub use node::operator::{OperatorImage, image as operator_image, missing as operator_image_needs};
pub use node::requirements::missing as node_needs;
pub use node::{NODE, Node};
pub use target::random;
pub use tools::tool;

use tokio::sync::OnceCell;

/// The control plane that all tests of one binary share, started by the first.
///
/// # Panics
///
/// When it cannot be started; then each test fails with the same message, and
/// only the first has waited for it.
pub async fn control_plane() -> &'static ControlPlane {
    static SHARED: OnceCell<Result<ControlPlane, Error>> = OnceCell::const_new();
    match SHARED.get_or_init(ControlPlane::start).await {
        Ok(control_plane) => control_plane,
        Err(error) => panic!("no control plane: {error}"),
    }
}
