//! An Okta that pods reach: behind TLS, at this machine's end of the wire.

use std::net::SocketAddr;

use okta_emulator::{Config, Emulator, TlsFiles};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use testbed::Node;

/// An Okta and the CA that its certificate is of.
pub(crate) struct Okta {
    pub(crate) emulator: Emulator,
    /// As an issuer's `caBundle` wants it.
    pub(crate) ca: String,
    /// What the sign-in has to allow.
    pub(crate) host: String,
}

impl Okta {
    pub(crate) async fn at(node: &Node) -> Self {
        let host = node.host();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, "tests");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let ca = params.self_signed(&key).unwrap().pem();
        let ca_key = Issuer::new(params, key);

        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([host.to_string()]).unwrap();
        let certificate = certificate.signed_by(&key, &ca_key).unwrap();
        let files = TlsFiles {
            cert: node.directory().join("okta.crt"),
            key: node.directory().join("okta.key"),
        };
        std::fs::write(&files.cert, certificate.pem()).unwrap();
        std::fs::write(&files.key, key.serialize_pem()).unwrap();
        let config = Config {
            listen: SocketAddr::from((host, 0)),
            tls: Some(files),
            ..Config::default()
        };
        Self {
            emulator: Emulator::start(config).await.expect("an emulator"),
            ca,
            host: host.to_string(),
        }
    }

    /// How many apps there are.
    pub(crate) fn apps(&self) -> usize {
        self.emulator.admin().apps().len()
    }
}
