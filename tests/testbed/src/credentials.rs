//! Who may talk to the API server, and the files that say so.
//!
//! It needs a folder that only this user can read. Static tokens, because they
//! need no certificate authority; it refuses to use a fixed one, since the
//! port is open to every user of this machine.

use std::net::Ipv4Addr;
use std::path::Path;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::error::Error;
use crate::target;

/// A user of the API server.
pub(crate) struct Identity {
    user: &'static str,
    groups: &'static str,
    token: String,
}

impl Identity {
    pub(crate) fn new(user: &'static str, groups: &'static str) -> Self {
        let mut token = [0; 24];
        target::fill(&mut token);
        Self {
            user,
            groups,
            token: target::hex(&token),
        }
    }

    /// A line of the file for `--token-auth-file`.
    pub(crate) fn csv(&self) -> String {
        let Self {
            user,
            groups,
            token,
        } = self;
        format!("{token},{user},{user},\"{groups}\"\n")
    }

    pub(crate) fn kubeconfig(
        &self,
        (address, port): (Ipv4Addr, u16),
        authority: &Path,
    ) -> Result<String, Error> {
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": "testbed", "cluster": {
                "server": format!("https://{address}:{port}"),
                "certificate-authority": authority,
            }}],
            "users": [{ "name": self.user, "user": { "token": self.token } }],
            "contexts": [{ "name": "testbed", "context": { "cluster": "testbed", "user": self.user } }],
            "current-context": "testbed",
        });
        serde_saphyr::to_string(&config).map_err(|error| Error::malformed("kubeconfig", error))
    }
}

/// A key that signs the tokens of service accounts, as PEM.
///
/// SEC 1 and not PKCS #8: the API server reads the public key out of the same
/// file, and does so for elliptic curves only in this form.
pub(crate) fn service_account_key() -> Result<String, Error> {
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)
        .and_then(|pair| pair.private_key().as_der())
        .map_err(|error| Error::malformed("service account key", error))?;
    let base64 = STANDARD.encode(key.as_ref());
    let mut pem = "-----BEGIN EC PRIVATE KEY-----\n".to_owned();
    for (index, character) in base64.chars().enumerate() {
        if index > 0 && index % 64 == 0 {
            pem.push('\n');
        }
        pem.push(character);
    }
    pem.push_str("\n-----END EC PRIVATE KEY-----\n");
    Ok(pem)
}
