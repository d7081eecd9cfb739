//! The status of an issuer as a value. Pure. No moving number but the count of
//! accounts.

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::time::Duration;

use super::condition_list::Conditions;
use super::drift;
use super::issuer::{Concern, IssuerNext, ServerView};
use super::orphans::Found;
use super::schedule::{catch_up, promise};
use super::surroundings::Surroundings;
use crate::api::conditions::{
    AUTHENTICATED, AUTHORIZATION_SERVER_READY, POLICY_SYNCED, READY, Reason, SESSIONS_ENDABLE,
    STALLED,
};
use crate::api::{Auth, CreatedObjects, Management, OktaIssuer, OktaIssuerStatus as Status, names};
use crate::okta::{Class, Error};
use crate::plan::desired::duration;

/// Beyond this difference between the clocks the issuer says so.
pub const SKEW: SignedDuration = SignedDuration::from_secs(30);

/// So many authorization servers are named in a message.
const NAMED: usize = 5;

/// What a look at an issuer found.
#[derive(Clone, Debug)]
pub struct Findings {
    /// Why the sign-in cannot be used, if it cannot.
    signed_out: Option<(Reason, String)>,
    /// Where the planner ended, if it came so far.
    next: Option<IssuerNext>,
    /// The failure that ended the look, if one did.
    pub failure: Option<Class>,
    failure_message: String,
    view: ServerView,
    /// What the operator created, this look included.
    pub created: CreatedObjects,
    /// How far Okta's clock is ahead of ours.
    pub skew: SignedDuration,
    /// A right that the sign-in was found to lack, in words.
    pub lacks: Option<String>,
    /// Accounts that refer to the issuer.
    pub accounts: usize,
    /// Accounts that would lose their permission, when they are held back.
    pub denied: Option<usize>,
    /// Accounts of all issuers of the org: they draw on one limit.
    pub accounts_of_org: usize,
    /// Tokens a minute that our share of Okta's limit allows.
    pub tokens_per_minute: u32,
    /// Apps whose account is gone, as of the last look.
    pub orphans: Found,
    /// What else there is in the org, as of the last look.
    pub surroundings: Surroundings,
    /// Whether sessions can be ended at Neo4j, if that was tried.
    pub sessions: Option<Result<(), (Reason, String)>>,
    /// Whether the System Log can be read; `None` before the first try.
    pub log_readable: Option<bool>,
}

impl Findings {
    /// The sign-in cannot be used.
    #[must_use]
    pub fn signed_out(reason: Reason, message: String, created: CreatedObjects) -> Self {
        Self {
            signed_out: Some((reason, message)),
            ..Self::empty(created)
        }
    }

    /// The look came to an end.
    #[must_use]
    pub fn seen(next: IssuerNext, view: ServerView, created: CreatedObjects) -> Self {
        Self {
            next: Some(next),
            view,
            ..Self::empty(created)
        }
    }

    /// The look failed half-way.
    #[must_use]
    pub fn failed(error: Error, view: ServerView, created: CreatedObjects) -> Self {
        Self {
            failure_message: error.message,
            failure: Some(error.class),
            view,
            ..Self::empty(created)
        }
    }

    fn empty(created: CreatedObjects) -> Self {
        Self {
            signed_out: None,
            next: None,
            failure: None,
            failure_message: String::new(),
            view: ServerView::default(),
            created,
            skew: SignedDuration::ZERO,
            lacks: None,
            accounts: 0,
            denied: None,
            accounts_of_org: 0,
            tokens_per_minute: 1,
            orphans: Found::default(),
            surroundings: Surroundings::default(),
            sessions: None,
            log_readable: None,
        }
    }

    /// The authorization server, if nothing about it (besides policies) is
    /// wrong.
    #[must_use]
    pub fn server_in_order(&self) -> Option<&Value> {
        match &self.next {
            Some(
                IssuerNext::Done
                | IssuerNext::Blocked {
                    concern: Concern::Policy,
                    ..
                },
            ) => self.view.server.as_ref(),
            _ => None,
        }
    }

    /// How long one round of the sweep over all apps takes.
    #[must_use]
    pub fn sweep(&self) -> Duration {
        drift::sweep(self.accounts, self.log_readable != Some(false))
    }

    /// What was seen, if all of it was in order.
    #[must_use]
    pub fn in_order(&self) -> Option<&ServerView> {
        let in_order = self.failure.is_none() && self.next == Some(IssuerNext::Done);
        in_order.then_some(&self.view)
    }

    /// Whether Okta itself said that the authorization server is not usable.
    #[must_use]
    pub fn refuted(&self) -> bool {
        matches!(
            self.next,
            Some(IssuerNext::Blocked {
                concern: Concern::Server,
                ..
            })
        )
    }
}

type Verdict = Result<(Reason, String), (Reason, String)>;

/// The status after a look.
#[must_use]
pub fn next_status(object: &OktaIssuer, findings: &Findings, now: Timestamp) -> Status {
    let old = object.status.clone().unwrap_or_default();
    let generation = object.metadata.generation.unwrap_or_default();
    let mut conditions = Conditions {
        old: &old.conditions,
        new: Vec::new(),
        generation,
        now,
    };
    let authenticated = authenticated(object, findings);
    let server = server(findings);
    let policy = policy(findings);
    let verdict = held(object, findings).and_then(|()| {
        [&authenticated, &server, &policy]
            .into_iter()
            .find_map(|v| v.clone().err())
            .map_or(Ok(()), Err)
    });
    let ready = verdict.map(|()| in_order(object, findings));
    for (type_, verdict) in [
        (READY, &ready),
        (AUTHENTICATED, &authenticated),
        (AUTHORIZATION_SERVER_READY, &server),
        (POLICY_SYNCED, &policy),
    ] {
        let (Ok((reason, message)) | Err((reason, message))) = verdict;
        conditions.set(type_, verdict.is_ok(), *reason, message.clone());
    }
    if object.spec.neo4j.end_sessions {
        let (good, reason, message) = sessions(findings);
        conditions.set(SESSIONS_ENDABLE, good, reason, message);
    }
    if let Err((reason, message)) = &ready
        && !matches!(
            reason,
            Reason::OktaUnreachable
                | Reason::RateLimited
                | Reason::KubernetesError
                | Reason::Progressing
        )
    {
        conditions.set(STALLED, true, *reason, message.clone());
    }
    let conditions = conditions.new;
    let found = findings.server_in_order();
    let issuer = found
        .and_then(|s| s["issuer"].as_str())
        .map(str::to_owned)
        .or(old.issuer);
    Status {
        observed_generation: generation,
        jwks_uri: issuer.as_ref().map(|issuer| format!("{issuer}/v1/keys")),
        audience: found
            .and_then(|s| s["audiences"][0].as_str())
            .map(str::to_owned)
            .or(old.audience),
        issuer,
        accounts: i32::try_from(findings.accounts).ok(),
        // The settings follow from this status.
        neo4j: old.neo4j,
        created: (findings.created != CreatedObjects::default()).then(|| findings.created.clone()),
        conditions,
    }
}

/// More accounts would lose their permission at once than is plausible.
fn held(object: &OktaIssuer, findings: &Findings) -> Result<(), (Reason, String)> {
    let Some(denied) = findings.denied else {
        return Ok(());
    };
    Err((
        Reason::MassRemoval,
        format!(
            "{denied} accounts would lose their permission and their tokens at once, which is more than is plausible, and they keep what they have; put spec.allow or the namespaces' labels right, or, if it is right: kubectl annotate oktaissuer {} {}={denied} --overwrite",
            object.metadata.name.as_deref().unwrap_or_default(),
            names::ANNOTATION_CONFIRM_REMOVALS
        ),
    ))
}

fn authenticated(object: &OktaIssuer, findings: &Findings) -> Verdict {
    if let Some((reason, message)) = &findings.signed_out {
        return Err((*reason, message.clone()));
    }
    let message = &findings.failure_message;
    match &findings.failure {
        Some(Class::Unauthorized) => Err((
            Reason::Unauthorized,
            format!("Okta refuses the operator's sign-in: {message}; {}", renewal(&object.spec.auth)),
        )),
        Some(Class::Forbidden) => Err((
            Reason::MissingPermission,
            format!("the operator's sign-in lacks a right: {message}"),
        )),
        Some(Class::Rejected { .. }) => Err((Reason::OktaRefused, message.clone())),
        Some(Class::Transient | Class::Conflict | Class::NotFound) => Err((Reason::OktaUnreachable, message.clone())),
        Some(Class::RateLimited { .. }) => Err((Reason::RateLimited, message.clone())),
        None if findings.lacks.is_some() => Err((
            Reason::MissingPermission,
            format!(
                "the operator's sign-in lacks a right that an account needed: {}",
                findings.lacks.as_deref().unwrap_or_default()
            ),
        )),
        None if object.spec.auth.api_token.is_some() => Ok((
            Reason::ApiTokenInUse,
            "signed in with an API token, which carries all rights of the admin who made it and ends with that admin; prefer spec.auth.privateKeyJwt".to_owned(),
        )),
        None => Ok((Reason::SignedIn, "signed in with private_key_jwt".to_owned())),
    }
}

/// Usable all the same: what it lacks concerns accounts that are stopped.
fn sessions(findings: &Findings) -> (bool, Reason, String) {
    match &findings.sessions {
        Some(Ok(())) => (
            true,
            Reason::AdministratorAccepted,
            "the account of spec.neo4j.endSessionsAs is an administrator at each server".to_owned(),
        ),
        Some(Err((reason, message))) => (false, *reason, message.clone()),
        None => (
            false,
            Reason::NotVerified,
            "no server has been asked yet".to_owned(),
        ),
    }
}

/// How a sign-in that Okta refuses is put right.
#[must_use]
pub fn renewal(auth: &Auth) -> String {
    match (&auth.api_token, &auth.private_key_jwt) {
        (_, Some(app)) => format!(
            "at Okta the app {} must be active and list the public key {} as active; else correct spec.auth.privateKeyJwt, or put the right private key into the Secret that spec.auth names, {}",
            app.client_id, app.key_id, app.secret_ref.name
        ),
        (token, None) => format!(
            "make a new API token at Okta and put it into the Secret that spec.auth names, {}",
            token.as_ref().map_or("", |t| t.secret_ref.name.as_str())
        ),
    }
}

fn server(findings: &Findings) -> Verdict {
    match &findings.next {
        Some(IssuerNext::Blocked {
            concern: Concern::Server,
            reason,
            message,
        }) => Err((*reason, message.clone())),
        Some(_) => Ok((
            Reason::ServerReady,
            "server, scope and claim are in place".to_owned(),
        )),
        None => Err(unknown(findings)),
    }
}

fn policy(findings: &Findings) -> Verdict {
    match &findings.next {
        Some(IssuerNext::Blocked {
            concern: Concern::Policy,
            reason,
            message,
        }) => Err((*reason, message.clone())),
        Some(IssuerNext::Done) => Ok((
            Reason::PolicyReady,
            "policy and rule are in place".to_owned(),
        )),
        Some(IssuerNext::Blocked {
            reason, message, ..
        }) => Err((*reason, message.clone())),
        Some(IssuerNext::Do(_)) => Err((
            Reason::Progressing,
            "the authorization server is being prepared".to_owned(),
        )),
        None => Err(unknown(findings)),
    }
}

fn unknown(findings: &Findings) -> (Reason, String) {
    match &findings.signed_out {
        Some((reason, _)) => (*reason, "not known without a sign-in".to_owned()),
        None => (
            Reason::OktaUnreachable,
            format!("not known: {}", findings.failure_message),
        ),
    }
}

/// In order, but perhaps with something worth knowing.
fn in_order(object: &OktaIssuer, findings: &Findings) -> (Reason, String) {
    if findings.surroundings.new_clients_are_admins {
        return (
            Reason::NewClientsAreAdmins,
            "accounts can get tokens; the org makes new public client apps super admins, which may include each app that an account registers: switch off \"Public client app admins\" in Okta's Admin Console under Settings, Account, and look at the admin roles of the apps made since".to_owned(),
        );
    }
    if findings.skew.abs() > SKEW {
        let seconds = findings.skew.as_secs();
        // Rounded, so that the status does not move with every look.
        return (
            Reason::ClockSkew,
            format!(
                "Okta's clock is about {} minutes away from this machine's; set the machine's clock",
                (seconds.abs() + 30) / 60
            ),
        );
    }
    let server = &object.spec.authorization_server;
    let lifetime = duration(&server.token_lifetime).unwrap_or_default();
    // Of a rule that is somebody else's we do not know the lifetime.
    let ours = server.management == Management::Managed;
    // How long it takes to give every account a token when all wait for one.
    let accounts = findings.accounts.max(findings.accounts_of_org);
    let catch_up = catch_up(accounts, findings.tokens_per_minute);
    if ours && promise(lifetime, catch_up).is_none() {
        return (
            Reason::PromiseNotKept,
            format!(
                "with a token life of {} and Okta's limit on tokens, workloads of {} accounts notice every outage of Okta; raise spec.authorizationServer.tokenLifetime or the org's limit",
                server.token_lifetime, accounts
            ),
        );
    }
    if findings.orphans.orphans > 0 {
        return (Reason::OrphanedApps, orphaned(object, findings.orphans));
    }
    if findings.log_readable == Some(false) {
        return (
            Reason::LogNotReadable,
            format!(
                "accounts can get tokens; the System Log cannot be read, so that changes by others at Okta are seen within {} h instead of two minutes; grant okta.logs.read and an admin role that reads reports",
                findings.sweep().as_secs() / 3600
            ),
        );
    }
    if let Some(message) = admitted_elsewhere(findings) {
        return (Reason::OtherServersAdmit, message);
    }
    (Reason::IssuerReady, "accounts can get tokens".to_owned())
}

/// Which other authorization servers issue tokens to the accounts' apps too.
fn admitted_elsewhere(findings: &Findings) -> Option<String> {
    let own = findings.view.server.as_ref().and_then(|s| s["id"].as_str());
    let others: Vec<&str> = findings.surroundings.others(own).collect();
    let named = others.iter().take(NAMED).copied().collect::<Vec<_>>();
    let more = match others.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!others.is_empty()).then(|| {
        format!(
            "accounts can get tokens; with their credentials they also get tokens of other authorization servers, which issue them to any client of the org: {}{more}; where that is not wanted, list the clients in the access policies there, or take client_credentials out of their rules",
            named.join(", ")
        )
    })
}

fn orphaned(object: &OktaIssuer, found: Found) -> String {
    let (name, number) = (
        object.metadata.name.as_deref().unwrap_or_default(),
        found.orphans,
    );
    let taken = if found.held {
        format!(
            "so many that nothing is taken from them; if this cluster was put back to an earlier state, bring the accounts back, else: kubectl annotate oktaissuer {name} {}={number} --overwrite",
            names::ANNOTATION_CONFIRM_REMOVALS
        )
    } else {
        "they have lost groups and admission".to_owned()
    };
    format!(
        "accounts can get tokens; {number} apps of this installation at Okta have no account, {taken}; they are listed in the ConfigMap neo4j-okta-operator-leftovers, and deleted by: kubectl annotate oktaissuer {name} {}={number} --overwrite",
        names::ANNOTATION_DELETE_ORPHANS
    )
}
