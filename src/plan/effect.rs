//! What came of a step, for [`super::observed::Observed::absorb`]. Data only.

use super::app::AppView;
use super::check::Flaw;
use super::schedule::TokenLife;
use super::secret_meta::{Meta, Slot};
use super::step::{Content, Credential, OktaCredential, Which};
use crate::neo4j::login::Login;
use crate::neo4j::sessions::Cause;

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
    /// The credentials Secret is gone.
    CredentialsRemoved,
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
    /// Neo4j's servers were asked.
    Verified {
        /// The key that signed the token (`kid`).
        key: Option<String>,
        /// What came of it at each.
        logins: Vec<Login>,
    },
    /// It is noted that connections end.
    EndingNoted(Cause),
    /// A token was refused.
    MintRefused(Credential, Refusal),
}
