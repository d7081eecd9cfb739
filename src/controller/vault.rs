//! The values of accounts' credentials, while they are in memory: zeroed when
//! dropped, never printed. The planner sees `plan::step::Content` instead.

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use k8s_openapi::ByteString;
use secrecy::{ExposeSecret, SecretString};

use crate::api::Authentication;
use crate::api::names as n;
use crate::okta::ClientCredential;
use crate::okta::jose::{SigningKey, private_jwk};
use crate::plan::app::method_name;
use crate::plan::step::{Content, Purpose, Staged};

/// Client credentials with their values.
#[derive(Clone)]
pub(crate) struct Held {
    pub(super) client_id: String,
    pub(crate) authentication: Authentication,
    /// A client secret, or a private key in PEM.
    pub(super) value: SecretString,
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held")
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

impl Held {
    /// New credentials: a client secret of 64 characters, or an ES256 key.
    pub(super) fn generate(
        client_id: String,
        authentication: Authentication,
    ) -> Result<Self, String> {
        let value = match authentication {
            Authentication::ClientSecretBasic | Authentication::ClientSecretPost => {
                // 48 bytes are 64 characters of [A-Za-z0-9_-], which RFC 6749
                // would not have encoded.
                SecretString::from(crate::okta::jose::random_text(48).as_str())
            }
            Authentication::PrivateKeyJwt => SigningKey::generate().map_err(|e| e.to_string())?.1,
        };
        Ok(Self {
            client_id,
            authentication,
            value,
        })
    }

    /// What the token endpoint is shown.
    pub(crate) fn credential(&self) -> Result<ClientCredential, String> {
        Ok(match self.authentication {
            Authentication::ClientSecretBasic | Authentication::ClientSecretPost => {
                ClientCredential::Secret(self.value.clone())
            }
            Authentication::PrivateKeyJwt => {
                let key = SigningKey::from_pem(&self.value, None).map_err(|e| e.to_string())?;
                ClientCredential::Key(Box::new(key))
            }
        })
    }

    pub(super) fn equals(&self, other: &SecretString) -> bool {
        verify_slices_are_equal(
            self.value.expose_secret().as_bytes(),
            other.expose_secret().as_bytes(),
        )
        .is_ok()
    }
}

/// What one credentials Secret holds, with values.
#[derive(Clone, Debug, Default)]
pub(super) struct Credentials {
    pub(super) live: Option<Held>,
    pub(super) staged: Option<(Staged, Held)>,
    pub(super) generation: u32,
}

/// The credentials in use that a Secret holds.
pub(crate) fn live_credentials(data: &BTreeMap<String, ByteString>) -> Option<Held> {
    Credentials::read(data).live
}

fn text(data: &BTreeMap<String, ByteString>, key: &str) -> Option<String> {
    String::from_utf8(data.get(key)?.0.clone()).ok()
}

fn secret(data: &BTreeMap<String, ByteString>, key: &str) -> Option<SecretString> {
    text(data, key)
        .map(SecretString::from)
        .filter(|s| !s.expose_secret().is_empty())
}

fn authentication(name: &str) -> Option<Authentication> {
    [
        Authentication::ClientSecretBasic,
        Authentication::ClientSecretPost,
        Authentication::PrivateKeyJwt,
    ]
    .into_iter()
    .find(|a| method_name(*a) == name)
}

const PURPOSES: [(Purpose, &str); 3] = [
    (Purpose::Create, "create"),
    (Purpose::Add, "add"),
    (Purpose::Replace, "replace"),
];

impl Credentials {
    /// Reads a Secret's data. What is incomplete counts as not there.
    pub(super) fn read(data: &BTreeMap<String, ByteString>) -> Self {
        let held = |prefix: &str| {
            let key = |name: &str| format!("{prefix}{name}");
            let authentication = authentication(&text(data, &key(n::KEY_AUTH_METHOD))?)?;
            let value = match authentication {
                Authentication::PrivateKeyJwt => secret(data, &key(n::KEY_PRIVATE_KEY))?,
                Authentication::ClientSecretBasic | Authentication::ClientSecretPost => {
                    secret(data, &key(n::KEY_CLIENT_SECRET))?
                }
            };
            Some(Held {
                client_id: text(data, &key(n::KEY_CLIENT_ID))?,
                authentication,
                value,
            })
        };
        let number = |key: &str| text(data, key).and_then(|t| t.parse().ok());
        let staged = || {
            let held = held(n::PREFIX_STAGED)?;
            let purpose = text(data, KEY_NEXT_PURPOSE)?;
            let staged = Staged {
                purpose: PURPOSES.iter().find(|(_, name)| *name == purpose)?.0,
                client_id: held.client_id.clone(),
                label: text(data, n::KEY_NEXT_LABEL)?,
                generation: number(KEY_NEXT_GENERATION)?,
                authentication: held.authentication,
            };
            Some((staged, held))
        };
        Self {
            live: held(""),
            staged: staged(),
            generation: number(n::KEY_GENERATION).unwrap_or(0),
        }
    }

    /// The whole data of the Secret that holds this.
    pub(super) fn data(&self, token_endpoint: &str, scope: &str) -> BTreeMap<String, ByteString> {
        let mut data = BTreeMap::new();
        let mut put =
            |key: String, value: &str| data.insert(key, ByteString(value.as_bytes().to_vec()));
        let mut held = |prefix: &str, held: &Held| {
            put(format!("{prefix}{}", n::KEY_CLIENT_ID), &held.client_id);
            put(
                format!("{prefix}{}", n::KEY_AUTH_METHOD),
                method_name(held.authentication),
            );
            match held.authentication {
                Authentication::ClientSecretBasic | Authentication::ClientSecretPost => {
                    put(
                        format!("{prefix}{}", n::KEY_CLIENT_SECRET),
                        held.value.expose_secret(),
                    );
                }
                Authentication::PrivateKeyJwt => {
                    put(
                        format!("{prefix}{}", n::KEY_PRIVATE_KEY),
                        held.value.expose_secret(),
                    );
                    if let Ok(key) = SigningKey::from_pem(&held.value, None) {
                        put(format!("{prefix}{}", n::KEY_KEY_ID), key.kid());
                    }
                    // For clients that read keys as JWK; pods see it once it is live.
                    if prefix.is_empty()
                        && let Ok(jwk) = private_jwk(&held.value)
                    {
                        put(n::KEY_PRIVATE_JWK.to_owned(), jwk.expose_secret());
                    }
                }
            }
        };
        if let Some(live) = &self.live {
            held("", live);
        }
        if let Some((_, next)) = &self.staged {
            held(n::PREFIX_STAGED, next);
        }
        if let Some((staged, _)) = &self.staged {
            put(n::KEY_NEXT_LABEL.to_owned(), &staged.label);
            put(
                KEY_NEXT_GENERATION.to_owned(),
                &staged.generation.to_string(),
            );
            let purpose = PURPOSES
                .iter()
                .find(|(p, _)| *p == staged.purpose)
                .map_or("", |(_, name)| name);
            put(KEY_NEXT_PURPOSE.to_owned(), purpose);
        }
        put(n::KEY_GENERATION.to_owned(), &self.generation.to_string());
        if self.live.is_some() {
            put(n::KEY_TOKEN_ENDPOINT.to_owned(), token_endpoint);
            put(n::KEY_SCOPE.to_owned(), scope);
        }
        data
    }

    /// The same without values.
    pub(super) fn content(&self) -> Content {
        Content {
            live: self
                .live
                .as_ref()
                .map(|h| (h.client_id.clone(), h.authentication)),
            staged: self.staged.as_ref().map(|(s, _)| s.clone()),
            generation: self.generation,
        }
    }
}

const KEY_NEXT_GENERATION: &str = "next_generation";
const KEY_NEXT_PURPOSE: &str = "next_purpose";

#[cfg(test)]
mod tests {
    use super::*;

    fn staged(purpose: Purpose, authentication: Authentication) -> (Staged, Held) {
        let held =
            Held::generate("prod.ns.etl.12345678".into(), authentication).expect("credentials");
        let staged = Staged {
            purpose,
            client_id: held.client_id.clone(),
            label: "prod/ns/etl".into(),
            generation: 3,
            authentication,
        };
        (staged, held)
    }

    #[test]
    fn what_is_written_is_read_again_for_each_method_and_purpose() {
        for authentication in [
            Authentication::ClientSecretBasic,
            Authentication::ClientSecretPost,
            Authentication::PrivateKeyJwt,
        ] {
            for (purpose, _) in PURPOSES {
                let live = Held::generate("prod.ns.etl.12345678".into(), authentication)
                    .expect("credentials");
                let written = Credentials {
                    live: Some(live),
                    staged: Some(staged(purpose, authentication)),
                    generation: 2,
                };
                let read = Credentials::read(&written.data("https://okta/token", "s"));
                assert_eq!(read.content(), written.content());
                let (was, is) = (written.live.expect("live"), read.live.expect("live"));
                assert!(is.equals(&was.value));
            }
        }
    }

    #[test]
    fn a_damaged_secret_is_read_as_far_as_it_goes() {
        let written = Credentials {
            staged: Some(staged(Purpose::Create, Authentication::ClientSecretBasic)),
            ..Credentials::default()
        };
        let mut data = written.data("", "");
        data.insert("next_client_secret".into(), ByteString(vec![0xff, 0xfe]));
        assert_eq!(Credentials::read(&data).content().staged, None);
        assert_eq!(
            Credentials::read(&BTreeMap::new()).content(),
            Content::default()
        );
    }

    #[test]
    fn a_client_secret_has_64_characters_that_no_encoding_changes() {
        let (_, held) = staged(Purpose::Create, Authentication::ClientSecretBasic);
        let secret = held.value.expose_secret();
        assert_eq!(secret.len(), 64);
        assert!(
            secret
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
        );
        assert!(!format!("{held:?}").contains(secret));
    }
}
