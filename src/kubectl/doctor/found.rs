//! What a look at an issuer found: types alone. The token of the sample and the
//! errors hold no more than their own types let out.

use std::collections::BTreeSet;

use k8s_openapi::jiff::SignedDuration;
use secrecy::SecretString;

use super::client::Server;
use crate::okta::Error;
use crate::okta::budget::{Bucket, Level};
use crate::plan::check::{Claims, Flaw};
use crate::plan::issuer::ServerView;
use crate::plan::step::Refusal;
use crate::plan::surroundings::Surroundings;

/// All of it.
#[derive(Debug)]
pub(super) struct Found {
    /// Who works.
    pub(super) leader: Leader,
    /// The uid of `kube-system`, or why it is not known.
    pub(super) installation: Result<String, String>,
    /// The sign-in Secret.
    pub(super) sign_in: SignIn,
    /// What Okta said, if it could be asked.
    pub(super) org: Option<Org>,
    /// How many keys the authorization server publishes, as Neo4j would fetch them.
    pub(super) keys: Option<Result<usize, String>>,
    /// The accounts of the org, or why they were not counted.
    pub(super) accounts: Result<Accounts, String>,
    /// An account's token.
    pub(super) sample: Sample,
    /// What came of `--mint` with an app of its own.
    pub(super) minted: Option<Minted>,
    /// What came of `--mint` with an account's credentials, where the clients are
    /// listed and an app of its own gets no token.
    pub(super) fresh: Option<Fresh>,
    /// Somebody stopped it.
    pub(super) interrupted: bool,
}

impl Found {
    /// The authorization server, if there is one.
    pub(super) fn server(&self) -> Option<Server> {
        let view = self.org.as_ref()?.view.as_ref().ok()?;
        Server::read(view.server.as_ref()?)
    }
}

/// A token that was asked for with an account's credentials.
#[derive(Debug)]
pub(super) struct Fresh {
    /// Whose.
    pub(super) account: String,
    /// The token, or why there is none.
    pub(super) token: Trial,
}

/// Which replica of the operator leads.
#[derive(Clone, Debug)]
pub(super) enum Leader {
    /// This one, as of now.
    Holds(String),
    /// None: this one did not renew its lease for so many seconds.
    Late(String, i64),
    /// There is no lease in this namespace.
    Nobody(String),
    /// It cannot be seen, and why.
    Unknown(String),
}

/// The sign-in Secret.
#[derive(Clone, Debug)]
pub(super) enum SignIn {
    /// It holds what it should.
    Ready,
    /// Whoever asks may not read it.
    NoRight(String),
    /// It is missing, or holds something else.
    Wrong(String),
}

/// What Okta said.
#[derive(Debug)]
pub(super) struct Org {
    /// Scopes of the sign-in by key, once there is one.
    pub(super) granted: Option<Vec<&'static str>>,
    /// The server with its parts. The first question of all.
    pub(super) view: Result<ServerView, Error>,
    /// Whether apps can be looked at.
    pub(super) apps: Result<(), Error>,
    /// Whether clients can.
    pub(super) clients: Result<(), Error>,
    /// Whether the log can.
    pub(super) log: Result<(), Error>,
    /// Whether new client apps become super admins.
    pub(super) new_apps_are_admins: Result<bool, Error>,
    /// Other servers.
    pub(super) surroundings: Result<Surroundings, Error>,
    /// How far Okta's clock is ahead of this machine's.
    pub(super) skew: SignedDuration,
    /// What Okta told of its limits.
    pub(super) limits: Limits,
}

/// What Okta told of its limits.
#[derive(Debug)]
pub(super) struct Limits {
    /// Each bucket that was drawn on.
    pub(super) levels: Vec<(Bucket, Level)>,
    /// Our part of them, in per cent.
    pub(super) share_percent: u8,
    /// Our part of the bucket of new accounts, a minute.
    pub(super) apps_per_minute: u32,
    /// Our part of the bucket of tokens, a minute.
    pub(super) tokens_per_minute: u32,
}

/// The accounts that concern an issuer.
#[derive(Clone, Debug, Default)]
pub(super) struct Accounts {
    /// Those that refer to it.
    pub(super) of_issuer: usize,
    /// Those of all issuers of its org.
    pub(super) of_org: usize,
    /// Of the org's, those that wait to be registered.
    pub(super) new: usize,
    /// Of the org's, those whose app waits to go.
    pub(super) leaving: usize,
    /// Client ids of those of the issuer that should be let in, in lower case.
    pub(super) clients: BTreeSet<String>,
}

/// A token that an account has published.
#[derive(Debug)]
pub(super) enum Sample {
    /// No account of the issuer has one.
    None,
    /// It cannot be read, and why.
    Unread(String),
    /// This one.
    Read {
        /// Whose.
        account: String,
        /// The client that got it.
        client_id: String,
        /// The groups that were asked for.
        groups: BTreeSet<String>,
        /// The token.
        token: SecretString,
    },
}

/// What came of asking for a token with an app of our own.
#[derive(Debug)]
pub(super) struct Minted {
    /// The token, or why there is none.
    pub(super) token: Trial,
    /// Whether client secrets can be read, as a rotation does; `None` when there
    /// was no app, or no time.
    pub(super) secrets: Option<Result<(), Error>>,
    /// Whether the app is gone again; else what is left, in words.
    pub(super) removed: Result<(), String>,
}

/// How far the attempt came.
#[derive(Debug)]
pub(super) enum Trial {
    /// It was not begun, and why.
    NotBegun(String),
    /// The app was not registered.
    NotRegistered(Error),
    /// There was no answer from the token endpoint.
    NoAnswer(Error),
    /// The authorization server refused.
    Refused(Refusal),
    /// There was a token, and it is as it should be, or not.
    Judged(Result<Claims, Flaw>),
    /// Somebody stopped it.
    Interrupted,
}
