//! The planner's vocabulary: steps of one effect each, and what is next. What
//! came of a step is `effect`'s. Data only.

use std::collections::BTreeMap;

use k8s_openapi::jiff::Timestamp;

pub use super::effect::{Effect, Minted, Refusal};
use crate::api::Authentication;
use crate::api::conditions::Reason;
use crate::neo4j::sessions::Ending;

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
    /// Kubernetes: delete credentials that no owner takes along.
    RemoveCredentials,
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
        /// Okta does not know it any more.
        dead: bool,
    },
    /// Okta: ask for a token.
    Mint(Credential),
    /// Neo4j: log in with the published token and see as whom.
    Verify,
    /// Kubernetes: note that the account's connections at Neo4j end.
    EndSessions(Box<Ending>),
    /// Okta: one try to deactivate the app, whatever comes of it.
    Abandon {
        /// Its id.
        app_id: String,
    },
}

/// Where a step has its effect, or looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At the API server.
    Kubernetes,
    /// In the memory that accounts share with their issuer.
    Issuer,
    /// At Okta.
    Okta,
    /// At Neo4j.
    Neo4j,
}

impl Step {
    /// Where it is carried out.
    #[must_use]
    pub const fn place(&self) -> Place {
        match self {
            Self::AddFinalizer
            | Self::RemoveFinalizer
            | Self::ConfirmAccount
            | Self::ReadCredentials
            | Self::ReadToken
            | Self::Stage(_)
            | Self::Promote { .. }
            | Self::RewriteCredentials { .. }
            | Self::RemoveCredentials
            | Self::Publish
            | Self::Withdraw
            | Self::EndSessions(_)
            | Self::Mark { .. } => Place::Kubernetes,
            Self::Verify => Place::Neo4j,
            Self::Admit { .. } | Self::Leave { .. } => Place::Issuer,
            Self::FindClient { .. }
            | Self::FindApp { .. }
            | Self::FindFormerApp { .. }
            | Self::CreateApp
            | Self::ReadApp { .. }
            | Self::UpdateApp { .. }
            | Self::ActivateApp { .. }
            | Self::DeactivateApp { .. }
            | Self::DeleteApp { .. }
            | Self::ListCredentials { .. }
            | Self::AddCredential { .. }
            | Self::DeactivateCredential { .. }
            | Self::DeleteCredential { .. }
            | Self::ReplaceCredentials { .. }
            | Self::Mint(_)
            | Self::Abandon { .. } => Place::Okta,
        }
    }

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
            Self::RemoveCredentials => "RemoveCredentials",
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
            Self::Verify => "Verify",
            Self::EndSessions(_) => "EndSessions",
            Self::Abandon { .. } => "Abandon",
        }
    }
}
