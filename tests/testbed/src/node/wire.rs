//! The wire between this machine and its node: a pair of virtual devices, and
//! two addresses that nobody else has.
//!
//! It needs `ip` and the right to use it. It refuses to route anything: what the
//! node reaches by it is this machine, and nothing beyond.

use std::net::Ipv4Addr;
use std::process::Command;

use crate::error::Error;
use crate::target;

/// A wire, connected once the node's network namespace is there. It goes away
/// with that namespace.
#[derive(Debug)]
pub(crate) struct Wire {
    name: String,
    here: Ipv4Addr,
    there: Ipv4Addr,
}

impl Wire {
    /// Chooses name and addresses. RFC 2544 keeps 198.18.0.0/15 for tests of
    /// networks; four addresses of it are drawn, so that nodes of several tests
    /// do not meet.
    pub(crate) fn new() -> Self {
        let mut drawn = [0; 3];
        target::fill(&mut drawn);
        let [a, b, c] = drawn;
        let network = u32::from(Ipv4Addr::new(198, 18 | (a & 1), b, c & 0b1111_1100));
        Self {
            name: format!("testbed-{a:02x}{b:02x}{c:02x}"),
            here: Ipv4Addr::from(network + 1),
            there: Ipv4Addr::from(network + 2),
        }
    }

    /// Of the device at our end; whatever else needs a name of its own on this
    /// machine takes the same one.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Our end.
    pub(crate) fn here(&self) -> Ipv4Addr {
        self.here
    }

    /// The node's end.
    pub(crate) fn there(&self) -> Ipv4Addr {
        self.there
    }

    /// Makes the devices, and our end ready. The other is `eth0` in the network
    /// namespace of `process`, for the node to set up.
    pub(crate) fn connect(&self, process: u32) -> Result<(), Error> {
        let (name, here) = (&self.name, self.here);
        for arguments in [
            format!("link add {name} type veth peer name eth0 netns {process}"),
            format!("address add {here}/30 dev {name}"),
            format!("link set {name} up"),
        ] {
            let mut ip = Command::new("ip");
            output(ip.args(arguments.split(' ')))?;
        }
        Ok(())
    }
}

/// Runs a program that takes a moment; an error tells what it said.
pub(crate) fn output(command: &mut Command) -> Result<(), Error> {
    let what = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .map_err(|error| Error::malformed(what.as_str(), error))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let arguments: Vec<_> = command.get_args().map(|a| a.to_string_lossy()).collect();
    Err(Error::malformed(
        format!("{what} {}", arguments.join(" ")),
        said,
    ))
}
