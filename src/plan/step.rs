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
    /// As a second client secret of the app.
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

/// A client secret at Okta.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OktaSecret {
    /// Okta's id.
    pub id: String,
    /// Whether it may sign in.
    pub active: bool,
    /// Whether it is the staged one (compared in constant time).
    pub staged: bool,
    /// Whether it is the live one.
    pub live: bool,
}

/// One effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Kubernetes: add the finalizer.
    AddFinalizer,
    /// Kubernetes: remove the finalizer.
    RemoveFinalizer,
    /// Kubernetes: read the credentials Secret.
    ReadCredentials,
    /// Kubernetes: read the token Secret and compare it with what it says.
    ReadToken,
    /// Kubernetes: write new credentials beside what is live.
    Stage(Staged),
    /// Kubernetes: make the staged credentials the live ones.
    Promote,
    /// Kubernetes: write the live credentials again, from memory.
    RewriteCredentials,
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
    /// Okta: list the app's client secrets (audited there).
    ListSecrets {
        /// The app's id.
        app_id: String,
    },
    /// Okta: add the staged client secret.
    AddSecret {
        /// The app's id.
        app_id: String,
    },
    /// Okta: deactivate a client secret.
    DeactivateSecret {
        /// The app's id.
        app_id: String,
        /// The secret's id.
        secret_id: String,
    },
    /// Okta: delete an inactive client secret.
    DeleteSecret {
        /// The app's id.
        app_id: String,
        /// The secret's id.
        secret_id: String,
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
            Self::ReadCredentials => "ReadCredentials",
            Self::ReadToken => "ReadToken",
            Self::Stage(_) => "Stage",
            Self::Promote => "Promote",
            Self::RewriteCredentials => "RewriteCredentials",
            Self::Publish => "Publish",
            Self::Withdraw => "Withdraw",
            Self::Mark { .. } => "Mark",
            Self::FindClient { .. } => "FindClient",
            Self::FindApp { .. } => "FindApp",
            Self::CreateApp => "CreateApp",
            Self::ReadApp { .. } => "ReadApp",
            Self::UpdateApp { .. } => "UpdateApp",
            Self::ActivateApp { .. } => "ActivateApp",
            Self::DeactivateApp { .. } => "DeactivateApp",
            Self::DeleteApp { .. } => "DeleteApp",
            Self::ListSecrets { .. } => "ListSecrets",
            Self::AddSecret { .. } => "AddSecret",
            Self::DeactivateSecret { .. } => "DeactivateSecret",
            Self::DeleteSecret { .. } => "DeleteSecret",
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
    /// The app's client secrets.
    Secrets(Vec<OktaSecret>),
    /// Client secrets were changed by us.
    SecretsChanged,
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
