//! The planner's vocabulary: one effect each, what came of it, what is next.
//! Data only.

use std::collections::BTreeMap;

use k8s_openapi::jiff::Timestamp;

use super::app::AppView;
use super::check::Flaw;
use super::schedule::TokenLife;
use super::secret_meta::{Meta, Slot};
use crate::api::Authentication;
use crate::api::conditions::Reason;

/// What to do next for an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// This one effect.
    Do(Step),
    /// Nothing before `wake`.
    Settled {
        /// When to look again.
        wake: Timestamp,
    },
    /// Nothing can be done; says why and when to look again.
    Blocked(Blocked),
}

/// Why an account does not move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// The stable reason.
    pub reason: Reason,
    /// In words, with the repair.
    pub message: String,
    /// When to look again.
    pub retry: Retry,
}

/// When to look again at what is blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// At this instant.
    At(Timestamp),
    /// After the account's growing pause.
    Backoff,
    /// When something changes, and hourly to be safe.
    OnChange,
}

/// One of the account's two Secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The credentials Secret.
    Credentials,
    /// The token Secret.
    Token,
}

/// Why credentials are staged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// For an app that does not exist yet.
    Create,
    /// As a further client secret or public key of the app.
    Add,
    /// In place of whatever the app has.
    Replace,
}

/// Which credentials a token is asked for with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// The staged ones: the token is their proof.
    Staged,
    /// The live ones.
    Live,
}

/// Credentials that stand in the Secret before Okta knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staged {
    /// Why.
    pub purpose: Purpose,
    /// The client id.
    pub client_id: String,
    /// The app's label exactly as it is sent.
    pub label: String,
    /// Counts the registrations of the account.
    pub generation: u32,
    /// Client authentication.
    pub authentication: Authentication,
}

/// What a credentials Secret holds, without its secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// Usable live credentials: their client id and method.
    pub live: Option<(String, Authentication)>,
    /// Staged credentials.
    pub staged: Option<Staged>,
    /// The registration that the live credentials are of.
    pub generation: u32,
}

/// What an app signs in with, and with it the route on which Okta lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Client secrets: two at most.
    Secret,
    /// Public keys: fifty at most.
    Key,
}

impl Kind {
    /// What a method signs in with.
    #[must_use]
    pub const fn of(authentication: Authentication) -> Self {
        match authentication {
            Authentication::ClientSecretBasic | Authentication::ClientSecretPost => Self::Secret,
            Authentication::PrivateKeyJwt => Self::Key,
        }
    }

    /// How many of them Okta keeps for an app (Apps API).
    #[must_use]
    pub const fn slots(self) -> usize {
        match self {
            Self::Secret => 2,
            Self::Key => 50,
        }
    }

    /// For people.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Secret => "client secrets",
            Self::Key => "public keys",
        }
    }
}

/// A client secret or a public key of an app at Okta.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OktaCredential {
    /// Okta's id.
    pub id: String,
    /// Whether it may sign in.
    pub active: bool,
    /// Whether it is the staged one (secrets are compared in constant time).
    pub staged: bool,
    /// Whether it is the live one.
    pub live: bool,
}

/// Which former credentials end at Okta, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retire {
    /// Until then both work.
    pub at: Timestamp,
    /// Okta's id of the former one; without it all but the live one go.
    pub id: Option<String>,
}

/// One effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Kubernetes: add the finalizer.
    AddFinalizer,
    /// Kubernetes: remove the finalizer.
    RemoveFinalizer,
    /// Kubernetes: see past all caches that the account is there and held.
    ConfirmAccount,
    /// Kubernetes: read the credentials Secret.
    ReadCredentials,
    /// Kubernetes: read the token Secret and compare it with what it says.
    ReadToken,
    /// Kubernetes: write new credentials beside what is live.
    Stage(Staged),
    /// Kubernetes: make the staged credentials the live ones.
    Promote {
        /// What ends at Okta, and when.
        retire: Option<Retire>,
    },
    /// Kubernetes: write the live credentials again, from memory.
    RewriteCredentials {
        /// When the Secret is gone, and with it what was to be retired: others
        /// than these end at Okta then.
        lost: Option<Retire>,
    },
    /// Kubernetes: write the token in hand.
    Publish,
    /// Kubernetes: delete the token Secret.
    Withdraw,
    /// Kubernetes: set (`Some`) or remove (`None`) labels and annotations.
    Mark {
        /// On which Secret.
        which: Which,
        /// Labels to set.
        labels: BTreeMap<String, String>,
        /// Annotations to set or remove.
        annotations: BTreeMap<String, Option<String>>,
    },
    /// Okta: is there a client of this id?
    FindClient {
        /// The client id.
        client_id: String,
    },
    /// Okta: find the app of this client id, by label or by reading all.
    FindApp {
        /// The label to search by; `None` reads all service apps.
        label: Option<String>,
        /// The client id.
        client_id: String,
    },
    /// Okta: find the app that a former installation left for this account.
    FindFormerApp {
        /// The label to search by.
        label: String,
    },
    /// Okta: create the app with the staged credentials.
    CreateApp,
    /// Okta: read the app.
    ReadApp {
        /// Its id.
        app_id: String,
    },
    /// Okta: make the app as described (GET, merge, PUT).
    UpdateApp {
        /// Its id.
        app_id: String,
    },
    /// Okta: let the app sign in.
    ActivateApp {
        /// Its id.
        app_id: String,
    },
    /// Okta: keep the app from signing in.
    DeactivateApp {
        /// Its id.
        app_id: String,
    },
    /// Okta: delete the app.
    DeleteApp {
        /// Its id.
        app_id: String,
    },
    /// Okta: list what the app signs in with (of secrets, audited there).
    ListCredentials {
        /// The app's id.
        app_id: String,
        /// Secrets or keys.
        kind: Kind,
    },
    /// Okta: add the staged client secret or public key.
    AddCredential {
        /// The app's id.
        app_id: String,
    },
    /// Okta: deactivate one of them.
    DeactivateCredential {
        /// The app's id.
        app_id: String,
        /// Secrets or keys.
        kind: Kind,
        /// Okta's id of it.
        id: String,
    },
    /// Okta: delete an inactive one.
    DeleteCredential {
        /// The app's id.
        app_id: String,
        /// Secrets or keys.
        kind: Kind,
        /// Okta's id of it.
        id: String,
    },
    /// Okta: replace method and credentials of the app by the staged ones.
    ReplaceCredentials {
        /// The app's id.
        app_id: String,
    },
    /// Ask the issuer to list the client in its access policy.
    Admit {
        /// The client id.
        client_id: String,
    },
    /// Tell the issuer to take the client out of its access policy.
    Leave {
        /// The client id.
        client_id: String,
    },
    /// Okta: ask for a token.
    Mint(Credential),
    /// Okta: one try to deactivate the app, whatever comes of it.
    Abandon {
        /// Its id.
        app_id: String,
    },
}

impl Step {
    /// A stable name for logs, metrics and fault points.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::AddFinalizer => "AddFinalizer",
            Self::RemoveFinalizer => "RemoveFinalizer",
            Self::ConfirmAccount => "ConfirmAccount",
            Self::ReadCredentials => "ReadCredentials",
            Self::ReadToken => "ReadToken",
            Self::Stage(_) => "Stage",
            Self::Promote { .. } => "Promote",
            Self::RewriteCredentials { .. } => "RewriteCredentials",
            Self::Publish => "Publish",
            Self::Withdraw => "Withdraw",
            Self::Mark { .. } => "Mark",
            Self::FindClient { .. } => "FindClient",
            Self::FindApp { .. } => "FindApp",
            Self::FindFormerApp { .. } => "FindFormerApp",
            Self::CreateApp => "CreateApp",
            Self::ReadApp { .. } => "ReadApp",
            Self::UpdateApp { .. } => "UpdateApp",
            Self::ActivateApp { .. } => "ActivateApp",
            Self::DeactivateApp { .. } => "DeactivateApp",
            Self::DeleteApp { .. } => "DeleteApp",
            Self::ListCredentials { .. } => "ListCredentials",
            Self::AddCredential { .. } => "AddCredential",
            Self::DeactivateCredential { .. } => "DeactivateCredential",
            Self::DeleteCredential { .. } => "DeleteCredential",
            Self::ReplaceCredentials { .. } => "ReplaceCredentials",
            Self::Admit { .. } => "Admit",
            Self::Leave { .. } => "Leave",
            Self::Mint(_) => "Mint",
            Self::Abandon { .. } => "Abandon",
        }
    }
}

/// A token in hand, without the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Minted {
    /// With which credentials.
    pub credential: Credential,
    /// Its life, or why it must not be published.
    pub outcome: Result<TokenLife, Flaw>,
}

/// Why the token endpoint refused (RFC 6749 §5.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// `invalid_client`: unknown, inactive, or wrong credentials.
    InvalidClient,
    /// `access_denied`: no policy and rule match.
    AccessDenied(String),
    /// Everything else that does not go away by itself.
    Other(String),
}

/// What came of a step.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// The finalizer is there.
    FinalizerAdded,
    /// The finalizer is gone.
    FinalizerRemoved,
    /// The account is there, and the finalizer on it.
    AccountStands,
    /// A Secret of that name is there already.
    Found {
        /// Under which name.
        which: Which,
        /// Whose it is.
        slot: Slot,
    },
    /// The credentials Secret was read.
    CredentialsRead {
        /// Its metadata; `None` when it is gone.
        meta: Option<Meta>,
        /// What it holds.
        content: Content,
        /// True when memory holds other live credentials than the Secret does.
        edited: bool,
    },
    /// The credentials Secret was written.
    CredentialsWritten {
        /// Its metadata after the write.
        meta: Meta,
        /// What it holds now.
        content: Content,
    },
    /// The token Secret was read.
    TokenRead {
        /// The token inside is valid, ours, and lives as the annotations say.
        intact: bool,
    },
    /// The token Secret was written.
    TokenWritten {
        /// Its metadata after the write.
        meta: Meta,
    },
    /// The token Secret is gone.
    TokenRemoved,
    /// Labels and annotations were set.
    Marked {
        /// On which Secret.
        which: Which,
        /// Its metadata after the write.
        meta: Meta,
    },
    /// Whether there is a client of that id.
    ClientFound(bool),
    /// The app of that client id, if it was found.
    AppFound(Option<AppView>),
    /// The app that a former installation left, if there is one.
    FormerAppFound(Option<AppView>),
    /// The creation was refused, perhaps because the client id is taken.
    CreateRefused(String),
    /// The app as it is now; `None` when Okta does not know it.
    App(Option<AppView>),
    /// The app was written by us and is now so.
    AppWritten(AppView),
    /// The app was activated.
    Activated,
    /// The app was deactivated.
    Deactivated,
    /// The app was deleted, or let go of.
    AppGone,
    /// What the app signs in with.
    Credentials(Vec<OktaCredential>),
    /// The staged one was added, under this id.
    CredentialAdded(String),
    /// One of them was deactivated.
    CredentialDeactivated(String),
    /// One of them is no more.
    CredentialDeleted(String),
    /// Okta does not deactivate or delete it: what we know of it is out of date.
    CredentialKept,
    /// Method and credentials were replaced.
    Replaced,
    /// Whether the access policy lists the client.
    Admission(bool),
    /// The issuer was told that the client leaves.
    Left,
    /// A token was issued.
    Minted(Minted),
    /// A token was refused.
    MintRefused(Credential, Refusal),
}
