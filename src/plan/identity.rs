//! Names that a cluster gives to things at Okta: client id, app label, marker.
//! Pure. Refuses to look anything up.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

/// Okta's bounds for a client id that the caller chooses (Apps API).
const CLIENT_ID_MAX: usize = 100;
const CLIENT_ID_MIN: usize = 6;
/// Okta's bound for the label of an app, in characters.
const LABEL_MAX: usize = 100;
/// Hexadecimal digits of the hash that stands in for what was cut: 64 bits.
const HASH_DIGITS: usize = 16;

/// An account as this cluster knows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountRef {
    /// Namespace of the account.
    pub namespace: String,
    /// Name of the account.
    pub name: String,
    /// The uid, so that a successor of the same name is somebody else.
    pub uid: String,
}

impl fmt::Display for AccountRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// The first [`HASH_DIGITS`] hexadecimal digits of SHA-256 over `parts`, each
/// preceded by its length so that no two lists collide.
fn short_hash(parts: &[&str]) -> String {
    let mut input = Vec::new();
    for part in parts {
        input.extend_from_slice(&(part.len() as u64).to_be_bytes());
        input.extend_from_slice(part.as_bytes());
    }
    let mut text = String::with_capacity(HASH_DIGITS);
    for byte in &digest(&SHA256, &input).as_ref()[..HASH_DIGITS / 2] {
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

/// The client id of an account: `<cluster>.<namespace>.<name>.<8 of uid>`, with
/// `-<generation>` from the second registration on. What exceeds Okta's 100
/// characters is cut and replaced by a hash over installation, uid and
/// generation. Lower case, because Okta may compare without case. This is the
/// user name that Neo4j shows.
#[must_use]
pub fn client_id(
    cluster: &str,
    installation: &str,
    account: &AccountRef,
    generation: u32,
) -> String {
    let uid: String = account
        .uid
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(8)
        .collect();
    let suffix = if generation == 0 {
        String::new()
    } else {
        format!("-{generation}")
    };
    let readable = format!(
        "{cluster}.{}.{}.{uid}{suffix}",
        account.namespace, account.name
    )
    .to_lowercase();
    if (CLIENT_ID_MIN..=CLIENT_ID_MAX).contains(&readable.len()) {
        return readable;
    }
    let hash = short_hash(&[installation, &account.uid, &generation.to_string()]);
    let tail = format!(".{hash}{suffix}");
    // All parts are ASCII (DNS labels), so cutting by bytes is cutting by characters.
    let head: String = readable.chars().take(CLIENT_ID_MAX - tail.len()).collect();
    format!("{head}{tail}")
}

/// The label of the app: the display name if given, else
/// `<cluster>/<namespace>/<name>`, cut with a hash to Okta's 100 characters.
#[must_use]
pub fn label(cluster: &str, account: &AccountRef, display_name: Option<&str>) -> String {
    if let Some(name) = display_name {
        return name.to_owned();
    }
    let full = format!("{cluster}/{account}");
    if full.chars().count() <= LABEL_MAX {
        return full;
    }
    let hash = short_hash(&[cluster, &account.namespace, &account.name]);
    let head: String = full.chars().take(LABEL_MAX - HASH_DIGITS - 1).collect();
    format!("{head}~{hash}")
}

/// A name of at most `max` characters (more than 17), cut with a hash.
#[must_use]
pub fn cut(name: &str, max: usize) -> String {
    if name.chars().count() <= max {
        return name.to_owned();
    }
    let head: String = name.chars().take(max - HASH_DIGITS - 1).collect();
    format!("{head}~{}", short_hash(&[name]))
}

/// What the operator writes into an app's profile to say whose it is. Without
/// it no app is ever changed, whatever a status claims.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// uid of the `kube-system` namespace of the cluster that owns the app.
    pub installation: String,
    /// The cluster's name for people.
    pub cluster: String,
    /// Namespace of the account.
    pub namespace: String,
    /// Name of the account.
    pub name: String,
    /// uid of the account.
    pub uid: String,
    /// True while it is the operator itself that keeps the app inactive.
    #[serde(default)]
    pub stopped: bool,
}

impl Marker {
    /// True when the app belongs to `account` of `installation`, or of one of
    /// the `former` installations that this one takes over. After a restore the
    /// account has a new uid, so a former installation's app matches by name.
    #[must_use]
    pub fn belongs_to(&self, installation: &str, former: &[String], account: &AccountRef) -> bool {
        if self.installation == installation {
            return self.uid == account.uid;
        }
        former.contains(&self.installation)
            && (self.uid == account.uid
                || (self.namespace == account.namespace && self.name == account.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(namespace: &str, name: &str) -> AccountRef {
        AccountRef {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            uid: "9d1e7f3a-5b7c-4a9e-8f00-0123456789ab".to_owned(),
        }
    }

    #[test]
    fn a_client_id_is_readable_and_counts_registrations() {
        let a = account("payments", "etl");
        assert_eq!(client_id("prod", "i", &a, 0), "prod.payments.etl.9d1e7f3a");
        assert_eq!(
            client_id("prod", "i", &a, 2),
            "prod.payments.etl.9d1e7f3a-2"
        );
    }

    #[test]
    fn a_long_client_id_is_cut_and_stays_unique_per_installation_and_generation() {
        let a = account(&"n".repeat(63), &"a".repeat(63));
        let ids = [
            client_id("c", "one", &a, 0),
            client_id("c", "two", &a, 0),
            client_id("c", "one", &a, 1),
            client_id("c", "one", &a, 12),
        ];
        for (i, id) in ids.iter().enumerate() {
            assert!(id.len() <= 100, "{id}");
            assert!(!ids[..i].contains(id), "{id} twice");
        }
    }

    #[test]
    fn a_long_label_is_cut_to_characters_and_differs_for_differing_names() {
        let one = label("c", &account(&"n".repeat(63), &"a".repeat(63)), None);
        let two = label(
            "c",
            &account(&"n".repeat(63), &format!("{}b", "a".repeat(62))),
            None,
        );
        assert_eq!(one.chars().count(), 100);
        assert_ne!(one, two);
        assert_eq!(label("c", &account("n", "a"), Some("ETL")), "ETL");
    }

    #[test]
    fn a_marker_of_another_installation_is_not_ours_unless_it_is_named_as_former() {
        let a = account("payments", "etl");
        let marker = Marker {
            installation: "old".into(),
            cluster: "prod".into(),
            namespace: "payments".into(),
            name: "etl".into(),
            uid: "another".into(),
            stopped: false,
        };
        assert!(!marker.belongs_to("new", &[], &a));
        assert!(marker.belongs_to("new", &["old".into()], &a));
        assert!(
            !Marker {
                installation: "new".into(),
                ..marker
            }
            .belongs_to("new", &[], &a)
        );
    }
}
