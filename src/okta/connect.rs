//! The HTTP client for one org, and what goes wrong before Okta answers. It
//! reads HTTPS_PROXY and NO_PROXY from the environment, trusts the system's CAs
//! and those of the issuer, and follows no redirect: one would carry credentials
//! elsewhere.

use std::error::Error as _;
use std::time::Duration;

use reqwest::header::{HeaderMap, LOCATION};
use reqwest::{Certificate, Client, ClientBuilder, StatusCode};
use rustls::CertificateError;
use url::Url;

use super::error::Error;
use super::headers::root_cause;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

fn builder() -> ClientBuilder {
    Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
}

/// A client that trusts the system's CAs and those in `ca_bundle`.
///
/// # Errors
/// What is wrong with the bundle, or with the system's CAs.
pub fn client(ca_bundle: Option<&str>) -> Result<Client, String> {
    let Some(pem) = ca_bundle else {
        return builder()
            .build()
            .map_err(|e| format!("the CAs of this system cannot be used: {}", root_cause(&e)));
    };
    let certificates = Certificate::from_pem_bundle(pem.as_bytes())
        .map_err(|_| "what stands between BEGIN and END is not base64".to_owned())
        .and_then(|all| match all.len() {
            0 => Err("it holds no certificate".to_owned()),
            _ => Ok(all),
        });
    certificates
        .and_then(|all| {
            builder()
                .tls_certs_merge(all)
                .build()
                .map_err(|e| root_cause(&e))
        })
        .map_err(|why| {
            format!("spec.caBundle cannot be used: {why}; it must hold CA certificates in PEM")
        })
}

/// A client that trusts nobody, for an org that cannot be talked to.
///
/// # Panics
/// Never: nothing that it is built from comes from outside.
#[must_use]
pub fn trusting_nobody() -> Client {
    builder()
        .tls_certs_only([])
        .build()
        .expect("no certificate can be wrong")
}

/// There was no answer; says why in words that stay the same while the matter
/// does.
pub(super) fn no_answer(error: &reqwest::Error) -> Error {
    // reqwest's errors may quote the URL, which holds no secret.
    Error::transient(match certificate(error) {
        Some(why) => format!("no connection to Okta: {why}"),
        None if tunnelled(error) => format!(
            "the proxy that HTTPS_PROXY names does not lead to Okta: {}",
            root_cause(error)
        ),
        None => format!("no answer from Okta: {}", root_cause(error)),
    })
}

/// Why a server of Neo4j did not answer, in words that stay the same while the
/// matter does.
#[must_use]
pub fn to_neo4j(error: &reqwest::Error) -> String {
    match certificate(error) {
        Some(why) => format!("no connection: {why}"),
        None if tunnelled(error) => format!(
            "the proxy that HTTPS_PROXY names does not lead there, and NO_PROXY does not except it: {}",
            root_cause(error)
        ),
        None => format!("no answer: {}", root_cause(error)),
    }
}

/// Whether it failed on the way through the proxy. The type of that error is not
/// told by reqwest, its words are.
fn tunnelled(error: &reqwest::Error) -> bool {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes
        .map(ToString::to_string)
        .any(|words| words.starts_with("tunnel error"))
}

/// A redirect, which is not followed. Its path may hold anything, so only the
/// host is told.
pub(super) fn redirected(status: StatusCode, headers: &HeaderMap, asked: &Url) -> Error {
    let to = headers
        .get(LOCATION)
        .and_then(|to| asked.join(to.to_str().ok()?).ok());
    let to = to
        .as_ref()
        .and_then(Url::host_str)
        .unwrap_or("an address that cannot be read");
    Error::transient(format!(
        "spec.orgUrl answers with a redirect ({}) to {to}, which is not followed, because it would carry credentials there; look for a proxy that wants a login, or for another address of the org",
        status.as_u16()
    ))
}

/// What TLS has against the certificate, if that is the matter. rustls' own
/// words name the time of the try.
fn certificate(error: &reqwest::Error) -> Option<&'static str> {
    let mut at: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = at {
        if let Some(rustls::Error::InvalidCertificate(why)) = error.downcast_ref() {
            return Some(words(why));
        }
        // An I/O error's source is that of the error within, not that error.
        at = match error.downcast_ref::<std::io::Error>() {
            Some(io) => io.get_ref().map(|within| within as _),
            None => error.source(),
        };
    }
    None
}

fn words(why: &CertificateError) -> &'static str {
    match why {
        CertificateError::UnknownIssuer => {
            "its certificate is signed by no CA that is trusted here; put that CA, or that of a proxy which inspects TLS, into spec.caBundle"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired, by this machine's clock"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet, by this machine's clock"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "its certificate is for another host than that of its URL"
        }
        _ => "its certificate is not accepted",
    }
}
