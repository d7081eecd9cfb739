//! What an account asks for, parsed once from its spec and its issuer's facts.
//! Pure. Everything after this works with parsed values only.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use kube::core::Duration as GoDuration;

use super::app::AppSpec;
use super::check::Expected;
use super::identity::{AccountRef, Marker, client_id, label};
use crate::api::{
    Authentication, Neo4j, Neo4jServiceAccount, OnDelete, OnExternalDisable, names as n,
};

/// The overlap of a rotation when nobody says how long a token lives.
const DEFAULT_OVERLAP: Duration = Duration::from_secs(3600);

/// What the issuer's reconciler has found out and every account needs.
#[derive(Clone, Debug, PartialEq)]
pub struct IssuerFacts {
    /// Name of the `OktaIssuer`.
    pub name: String,
    /// The org.
    pub org_url: String,
    /// The id of the authorization server.
    pub authorization_server_id: String,
    /// The `iss` of its tokens.
    pub issuer: String,
    /// The `aud` of its tokens.
    pub audience: String,
    /// Where its tokens are asked for.
    pub token_endpoint: String,
    /// The scope to ask for.
    pub scope: String,
    /// The claim that carries the groups.
    pub groups_claim: String,
    /// The key of the app's profile that holds them.
    pub profile_attribute: String,
    /// The lifetime that our own rule sets, if the rule is ours.
    pub lifetime: Option<Duration>,
    /// True when the access policy lists each client.
    pub allow_list: bool,
    /// Network zones for the clients.
    pub network_zones: Vec<String>,
    /// What becomes of a deleted account's app.
    pub on_delete: OnDelete,
    /// What follows when somebody disables an app at Okta.
    pub on_external_disable: OnExternalDisable,
    /// How long one round of the sweep over all apps takes.
    pub sweep: Duration,
    /// This installation.
    pub installation: String,
    /// Installations whose apps this one takes over.
    pub former_installations: Vec<String>,
    /// The cluster's name for people.
    pub cluster: String,
    /// The Neo4j that trusts the tokens.
    pub neo4j: Arc<Neo4j>,
    /// Tells one `caBundle` from another.
    pub trust: u64,
    /// The account that ends sessions at Neo4j, where that is asked for.
    pub end_sessions: Option<AccountName>,
    /// The namespace in which credentials are kept from the account's own.
    pub private_namespace: Option<String>,
}

/// An account, whatever its uid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountName {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// How one of the two Secrets shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretSpec {
    /// Its namespace: the account's, or the operator's for private credentials.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Labels of the user and of the operator.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the user.
    pub annotations: BTreeMap<String, String>,
}

/// How credentials are replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// How often, if regularly.
    pub interval: Option<Duration>,
    /// How long the former ones still work.
    pub overlap: Duration,
}

/// Whether the account shall live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Yes.
    Live,
    /// No, by the tenant's wish.
    Suspended,
    /// No, the issuer does not permit it; says why.
    NotAllowed(String),
    /// Neither: the operator may not look into its namespace.
    NotWatched,
    /// It is being deleted.
    Deleted {
        /// Let go of the app without Okta's answer.
        abandon: bool,
    },
}

/// Everything that an account asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    /// Whose.
    pub account: AccountRef,
    /// `metadata.generation`.
    pub generation: i64,
    /// Whether it shall live.
    pub wish: Wish,
    /// The groups in the token.
    pub groups: BTreeSet<String>,
    /// Client authentication.
    pub authentication: Authentication,
    /// The app's label.
    pub label: String,
    /// The credentials Secret.
    pub credentials: SecretSpec,
    /// The token Secret.
    pub token: SecretSpec,
    /// The renew annotation.
    pub renew: Option<String>,
    /// The restore annotation.
    pub restore: Option<String>,
    /// The rotate annotation.
    pub rotate: Option<String>,
    /// When credentials are replaced, and how long both work.
    pub rotation: Rotation,
    /// The issuer.
    pub issuer: IssuerFacts,
}

/// Parses a duration as Go writes it, such as `1h30m`. Negative ones and ones
/// that cannot be parsed are `None`.
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    let parsed: GoDuration = text.parse().ok()?;
    (!parsed.is_negative()).then(|| parsed.into())
}

/// The overlap is a token's lifetime unless the spec says otherwise: whoever
/// read the former credentials for one token finds the new ones for the next.
fn rotation(object: &Neo4jServiceAccount, lifetime: Option<Duration>) -> Rotation {
    let spec = object.spec.rotation.as_ref();
    let overlap = spec.and_then(|r| r.overlap.as_deref()).and_then(duration);
    let interval = spec.and_then(|r| duration(&r.interval));
    // The default could be longer than an interval that somebody chose.
    let longest = interval.map_or(Duration::MAX, |interval| interval / 2);
    let default = lifetime.unwrap_or(DEFAULT_OVERLAP).min(longest);
    Rotation {
        interval,
        overlap: overlap.unwrap_or(default),
    }
}

/// The account of an object.
#[must_use]
pub fn account_ref(object: &Neo4jServiceAccount) -> AccountRef {
    AccountRef {
        namespace: object.namespace().unwrap_or_default(),
        name: object.name_any(),
        uid: object.uid().unwrap_or_default(),
    }
}

/// The name of the account's credentials Secret.
#[must_use]
pub fn credentials_name(object: &Neo4jServiceAccount) -> String {
    let chosen = object.spec.credentials_secret.name.clone();
    chosen.unwrap_or_else(|| format!("{}{}", object.name_any(), n::SUFFIX_CREDENTIALS))
}

/// The name of private credentials: as no other account's, whatever it is called.
#[must_use]
pub fn private_name(uid: &str) -> String {
    format!("{uid}{}", n::SUFFIX_CREDENTIALS)
}

/// The name of the account's token Secret.
#[must_use]
pub fn token_name(object: &Neo4jServiceAccount) -> String {
    let chosen = object.spec.token_secret.name.clone();
    chosen.unwrap_or_else(|| format!("{}{}", object.name_any(), n::SUFFIX_TOKEN))
}

impl Desired {
    /// Parses an account. `permission` is what `plan::allow` decided.
    #[must_use]
    pub fn new(
        object: &Neo4jServiceAccount,
        issuer: IssuerFacts,
        permission: Result<(), super::allow::Denied>,
    ) -> Self {
        let account = account_ref(object);
        let annotation = |key: &str| object.annotations().get(key).cloned();
        let labels = BTreeMap::from([
            (n::LABEL_MANAGED_BY.to_owned(), n::OPERATOR.to_owned()),
            (n::LABEL_SERVICE_ACCOUNT.to_owned(), account.name.clone()),
        ]);
        let secret = |name: String, template: &crate::api::SecretTemplate| SecretSpec {
            namespace: account.namespace.clone(),
            name,
            labels: template
                .labels
                .clone()
                .into_iter()
                .chain(labels.clone())
                .collect(),
            annotations: template.annotations.clone(),
        };
        let mut credentials = secret(credentials_name(object), &object.spec.credentials_secret);
        if let Some(namespace) = &issuer.private_namespace {
            credentials.namespace.clone_from(namespace);
            credentials.name = private_name(&account.uid);
            credentials.labels.extend([
                (n::LABEL_ACCOUNT_UID.to_owned(), account.uid.clone()),
                (
                    n::LABEL_ACCOUNT_NAMESPACE.to_owned(),
                    account.namespace.clone(),
                ),
            ]);
        }
        let wish = if object.metadata.deletion_timestamp.is_some() {
            Wish::Deleted {
                abandon: annotation(n::ANNOTATION_ABANDON).is_some(),
            }
        } else if let Err(super::allow::Denied(why)) = permission {
            Wish::NotAllowed(why)
        } else if object.spec.suspended {
            Wish::Suspended
        } else {
            Wish::Live
        };
        Self {
            generation: object.metadata.generation.unwrap_or_default(),
            wish,
            groups: object.spec.groups.iter().cloned().collect(),
            authentication: object.spec.authentication,
            label: label(
                &issuer.cluster,
                &account,
                object.spec.display_name.as_deref(),
            ),
            credentials,
            token: secret(token_name(object), &object.spec.token_secret),
            renew: annotation(n::ANNOTATION_RENEW),
            restore: annotation(n::ANNOTATION_RESTORE),
            rotate: annotation(n::ANNOTATION_ROTATE),
            rotation: rotation(object, issuer.lifetime),
            account,
            issuer,
        }
    }

    /// The same account where the operator may not look into its namespace. That
    /// it is being deleted is carried out all the same: it concerns Okta alone.
    #[must_use]
    pub fn not_watched(mut self) -> Self {
        if !matches!(self.wish, Wish::Deleted { .. }) {
            self.wish = Wish::NotWatched;
        }
        self
    }

    /// Whether nobody but the operator sees the credentials.
    #[must_use]
    pub fn keeps_private(&self) -> bool {
        self.issuer.private_namespace.is_some()
    }

    /// The client id of the given registration.
    #[must_use]
    pub fn client_id(&self, generation: u32) -> String {
        client_id(
            &self.issuer.cluster,
            &self.issuer.installation,
            &self.account,
            generation,
        )
    }

    /// The app as it shall be at Okta while the account lives.
    #[must_use]
    pub fn app(&self) -> AppSpec {
        AppSpec {
            label: self.label.clone(),
            groups: self.groups.clone(),
            profile_attribute: self.issuer.profile_attribute.clone(),
            marker: self.marker(false),
            network_zones: self.issuer.network_zones.clone(),
            authentication: self.authentication,
        }
    }

    /// The app as it shall be while the account is stopped: without groups.
    #[must_use]
    pub fn stopped_app(&self) -> AppSpec {
        AppSpec {
            groups: BTreeSet::new(),
            marker: self.marker(true),
            ..self.app()
        }
    }

    /// The app as it shall be now.
    #[must_use]
    pub fn app_spec(&self) -> AppSpec {
        match self.wish {
            Wish::Live | Wish::NotWatched => self.app(),
            Wish::Suspended | Wish::NotAllowed(_) | Wish::Deleted { .. } => self.stopped_app(),
        }
    }

    fn marker(&self, stopped: bool) -> Marker {
        Marker {
            installation: self.issuer.installation.clone(),
            cluster: self.issuer.cluster.clone(),
            namespace: self.account.namespace.clone(),
            name: self.account.name.clone(),
            uid: self.account.uid.clone(),
            stopped,
        }
    }

    /// Whether a marker says that an app is this account's.
    #[must_use]
    pub fn owns(&self, marker: Option<&Marker>) -> bool {
        let issuer = &self.issuer;
        marker.is_some_and(|m| {
            m.belongs_to(
                &issuer.installation,
                &issuer.former_installations,
                &self.account,
            )
        })
    }

    /// What a token of `client_id` has to be.
    #[must_use]
    pub fn expected_token<'a>(&'a self, client_id: &'a str) -> Expected<'a> {
        Expected {
            issuer: &self.issuer.issuer,
            audience: &self.issuer.audience,
            client_id,
            groups_claim: &self.issuer.groups_claim,
            groups: &self.groups,
            lifetime: self.issuer.lifetime,
        }
    }
}
