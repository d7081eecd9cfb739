//! The token: when one is needed, whether what was issued may be published, and
//! what a refusal means. Pure.

use k8s_openapi::jiff::Timestamp;

use super::check::Flaw;
use super::desired::Desired;
use super::memory::App;
use super::observed::{Observed, TokenFacts};
use super::schedule::{self, TENANT_MINT_BURST, TENANT_MINT_INTERVAL};
use super::secret_meta::Slot;
use super::step::{Credential, Next, Purpose, Refusal, Retry, Step};
use super::{blocked, settling};
use crate::api::conditions::Reason;

/// A refresh that is due comes before everything that could fail, as long as
/// nothing about the account's identity is in question.
pub(super) fn refresh_if_due(d: &Desired, o: &Observed, now: Timestamp) -> Option<Next> {
    let facts = o.token_facts()?;
    // A second secret that waits for its slot leaves the first one working.
    let usable = matches!(o.credentials, Slot::Ours(_))
        && o.content().is_none_or(|c| {
            c.live.is_some() && c.staged.as_ref().is_none_or(|s| s.purpose == Purpose::Add)
        });
    let touched = matches!(&o.token, Slot::Ours(meta) if meta.touched.is_some());
    let unfit = o.memory.minted.as_ref().is_some_and(|m| m.outcome.is_err());
    if !usable
        || is_proof(o)
        || touched
        || facts.groups != d.groups
        || now < facts.life.refresh_at
        || o.memory.refused.is_some()
        || unfit
    {
        return None;
    }
    token(d, o, now)
}

/// The token in hand proves staged credentials: it goes out once they are live.
pub(super) fn is_proof(o: &Observed) -> bool {
    let minted = o.memory.minted.as_ref();
    minted.is_some_and(|m| m.credential == Credential::Staged)
}

/// Before a change of method the token is refreshed, so that the time in which
/// Okta settles is covered. `None` when it is fresh enough.
pub(super) fn refresh_ahead(o: &Observed, now: Timestamp) -> Option<Next> {
    let facts = o.token_facts()?;
    let fresh = schedule::after(facts.life.issued_at, schedule::SETTLING) > now;
    if fresh || o.memory.refused.is_some() {
        return None;
    }
    match &o.memory.minted {
        Some(minted) if minted.credential == Credential::Live => match &minted.outcome {
            Ok(_) => Some(Next::Do(Step::Publish)),
            Err(_) => None,
        },
        _ => mint(o),
    }
}

/// Sees to it that the Secret holds a token that is right and not due.
pub(super) fn token(d: &Desired, o: &Observed, now: Timestamp) -> Option<Next> {
    if let Some(minted) = &o.memory.minted {
        match &minted.outcome {
            Ok(life) if now < life.refresh_at => return Some(Next::Do(Step::Publish)),
            // Held up for so long that it is due itself: ask again.
            Ok(_) => {}
            Err(flaw) => return Some(flawed(o, flaw, now)),
        }
    }
    let need = need(d, o, now)?;
    if let Need::Look = need {
        return Some(Next::Do(Step::ReadToken));
    }
    if let Some(next) = waiting(d, o, now) {
        return Some(next);
    }
    // Stopped before, it left the policy or is about to, whatever Okta says now.
    if o.memory.left
        && let Some(registered) = &o.memory.registered
        && let Some(next) = admit(d, o, &registered.client_id)
    {
        return Some(next);
    }
    if let Some(refusal) = o.refusal(Credential::Live) {
        return refused(d, o, refusal, now).or_else(|| mint(o));
    }
    if need == Need::ByTenant {
        let mut tat = o.memory.mint_tat;
        if let Some(earliest) =
            schedule::allow_at(&mut tat, now, TENANT_MINT_INTERVAL, TENANT_MINT_BURST)
        {
            return Some(blocked(
                Reason::Progressing,
                "a new token is asked for once a minute at most",
                Retry::At(earliest),
            ));
        }
    }
    mint(o)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    /// The planned refresh.
    Due,
    /// Something that the tenant did.
    ByTenant,
    /// Somebody changed the Secret: look before judging.
    Look,
}

fn need(d: &Desired, o: &Observed, now: Timestamp) -> Option<Need> {
    let Slot::Ours(meta) = &o.token else {
        return Some(Need::ByTenant);
    };
    if meta.touched.is_some() && meta.touched != o.memory.looked_token {
        return Some(Need::Look);
    }
    let Some(facts) = TokenFacts::read(meta) else {
        return Some(Need::ByTenant);
    };
    // Issued in the future: the clock was wrong then or is wrong now, and the
    // token may end before its planned refresh.
    let from_the_future = facts.life.issued_at > schedule::after(now, schedule::CLOCK_TOLERANCE);
    if now >= facts.life.refresh_at || from_the_future {
        return Some(Need::Due);
    }
    let TokenFacts {
        client_id,
        life: _,
        groups,
        renew,
        app_revision: _,
    } = facts;
    let current = o.known_client_id();
    let changed = o.memory.token_damaged
        || groups != d.groups
        || (d.renew.is_some() && d.renew != renew)
        || current.is_some_and(|current| !current.eq_ignore_ascii_case(&client_id));
    changed.then_some(Need::ByTenant)
}

fn mint(o: &Observed) -> Option<Next> {
    let readable = o.content().is_some_and(|c| c.live.is_some());
    Some(Next::Do(if readable && o.memory.holds_live {
        Step::Mint(Credential::Live)
    } else {
        Step::ReadCredentials
    }))
}

/// Old groups right after our own write are Okta's delay; other flaws need
/// somebody.
fn flawed(o: &Observed, flaw: &Flaw, now: Timestamp) -> Next {
    // Perhaps somebody changed the app: look, and it is put right.
    if !o.settling(now)
        && let Some(look) = look(o)
    {
        return look;
    }
    let reason = match flaw {
        Flaw::Groups(_) if o.settling(now) => return settle(now),
        Flaw::Lifetime(_) => Reason::ShadowedByPolicy,
        Flaw::Groups(_) | Flaw::Other(_) => Reason::TokenRefused,
    };
    blocked(
        reason,
        format!("the token is not published: {}", flaw.message()),
        Retry::Backoff,
    )
}

/// While Okta settles: wait a little. The last answer is forgotten before the
/// next look, so that one wait is followed by one try.
pub(super) fn settle(now: Timestamp) -> Next {
    settling(now, "Okta does not yet accept what was just written")
}

fn refused(d: &Desired, o: &Observed, refusal: &Refusal, now: Timestamp) -> Option<Next> {
    if matches!(refusal, Refusal::AccessDenied(_))
        && let Some(next) = admit(d, o, &o.memory.registered.as_ref()?.client_id)
    {
        return Some(next);
    }
    if o.settling(now) {
        return Some(settle(now));
    }
    // Wrong credentials, or did somebody disable or change the app? Ask.
    let ask = if matches!(refusal, Refusal::AccessDenied(_)) {
        None
    } else {
        look(o)
    };
    ask.or_else(|| Some(self::refusal(d, refusal)))
}

/// Asks for the client to be listed in the access policy, unless that is known.
pub(super) fn admit(d: &Desired, o: &Observed, client_id: &str) -> Option<Next> {
    let unknown = o.memory.admitted.is_none() && o.memory.minted.is_none();
    let ask = d.issuer.allow_list && (unknown || o.memory.left);
    ask.then(|| {
        Next::Do(Step::Admit {
            client_id: client_id.to_owned(),
        })
    })
}

/// The client is known not to be listed yet.
pub(super) fn waiting(d: &Desired, o: &Observed, now: Timestamp) -> Option<Next> {
    if !d.issuer.allow_list || o.memory.admitted != Some(false) {
        return None;
    }
    // The app was written when Okta began to settle.
    let left = schedule::until(now, o.memory.settling_until);
    let waited = schedule::SETTLING.saturating_sub(left);
    let soon = Retry::At(schedule::after(now, schedule::admission_retry(waited)));
    Some(blocked(
        Reason::WaitingForAdmission,
        "the app is registered and waits for the issuer to list it in the access policy",
        if o.settling(now) {
            soon
        } else {
            Retry::Backoff
        },
    ))
}

/// A look at the app, unless there was one.
pub(super) fn look(o: &Observed) -> Option<Next> {
    let app_id = o.memory.registered.as_ref()?.app_id.clone();
    (o.memory.app == App::Unknown).then_some(Next::Do(Step::ReadApp { app_id }))
}

/// A refusal that does not go away by itself.
pub(super) fn refusal(d: &Desired, refusal: &Refusal) -> Next {
    match refusal {
        Refusal::InvalidClient => blocked(
            Reason::InvalidClient,
            "Okta refuses the client's credentials",
            Retry::Backoff,
        ),
        Refusal::AccessDenied(words) => blocked(
            Reason::AccessDenied,
            format!(
                "no access policy of authorization server {} lets the client have scope {} ({words}); add a policy with a rule for client_credentials and that scope",
                d.issuer.authorization_server_id, d.issuer.scope
            ),
            Retry::Backoff,
        ),
        Refusal::Other(words) => blocked(
            Reason::OktaRefused,
            format!("Okta refuses a token: {words}"),
            Retry::Backoff,
        ),
    }
}
