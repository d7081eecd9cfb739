//! When a token is tried at Neo4j, and what the account's condition says of it.
//! Pure. A failed try never touches the token: who is refused today may be let in
//! tomorrow, and whoever is let in would lose by it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::desired::{Desired, IssuerFacts};
use super::observed::{Observed, TokenFacts};
use super::schedule::{after, fraction};
use super::step::{Next, Step};
use crate::api::conditions::{NEO4J_VERIFIED, Reason};
use crate::api::{Neo4jServiceAccountStatus as Status, Verify};
use crate::neo4j::login::{Expected, Login, Verdict, judge};

/// The pause after the first failed try; doubled each time …
const RETRY: Duration = Duration::from_secs(30);
/// … up to this.
const RETRY_CAP: Duration = Duration::from_secs(600);
/// After a start, or when it is asked for anew, tries that no new token asks for are
/// spread over this time.
const SPREAD: Duration = Duration::from_secs(300);

/// What is known of an account at Neo4j.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// When to try without a new reason.
    pub due: Option<Timestamp>,
    /// The last try.
    pub done: Option<Done>,
    /// Failed tries in a row.
    pub failures: u32,
}

/// A try that came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// Which token it was made with.
    issued_at: Timestamp,
    /// What else it was made on.
    basis: u64,
    verdict: Verdict,
}

impl Verification {
    /// From what an earlier process wrote into the status: what was accepted is
    /// not tried again, and the rest not all at once.
    #[must_use]
    pub(super) fn or_remembered(
        self,
        d: &Desired,
        status: &Status,
        facts: Option<&TokenFacts>,
        now: Timestamp,
    ) -> Self {
        let Some(facts) = facts.filter(|_| asked(d) && self == Self::default()) else {
            return self;
        };
        let mut conditions = status.conditions.iter();
        let condition = conditions.find(|c| c.type_ == NEO4J_VERIFIED);
        let accepted = condition.filter(|c| {
            c.status == "True"
                && c.observed_generation == Some(d.generation)
                && c.reason == Reason::TokenAccepted.as_str()
        });
        let spread = SPREAD.mul_f64(fraction(&format!("verify/{}", d.account.uid)));
        match accepted {
            Some(condition) => Self {
                done: Some(Done {
                    issued_at: facts.life.issued_at,
                    basis: basis(d, facts),
                    verdict: Verdict {
                        good: true,
                        reason: Reason::TokenAccepted,
                        message: condition.message.clone(),
                    },
                }),
                ..self
            },
            None => Self {
                due: Some(after(now, spread)),
                ..self
            },
        }
    }
}

/// A try, if one is due.
pub(super) fn verify(d: &Desired, o: &Observed, now: Timestamp) -> Option<Next> {
    due(d, o, now)
        .is_some_and(|at| at <= now)
        .then_some(Next::Do(Step::Verify))
}

/// When to try next; `None` until there is another token or another setting.
pub(super) fn due(d: &Desired, o: &Observed, now: Timestamp) -> Option<Timestamp> {
    let facts = facts(d, o)?;
    if facts.life.expires_at <= now {
        return None;
    }
    let known = &o.memory.verification;
    let Some(done) = &known.done else {
        return Some(known.due.unwrap_or(now));
    };
    let another =
        d.issuer.neo4j.verify == Verify::EveryRefresh && done.issued_at != facts.life.issued_at;
    if done.basis != basis(d, &facts) || another {
        return Some(now);
    }
    known.due.filter(|_| !done.verdict.good)
}

/// The published token, if it is one to be tried: with the groups that it shall
/// have.
fn facts(d: &Desired, o: &Observed) -> Option<TokenFacts> {
    let facts = asked(d).then(|| o.token_facts()).flatten()?;
    (facts.groups == d.groups).then_some(facts)
}

fn asked(d: &Desired) -> bool {
    let neo4j = &d.issuer.neo4j;
    neo4j.verify != Verify::Never && !neo4j.query_api_urls.is_empty()
}

/// Everything that a verdict depends on besides the token itself.
fn basis(d: &Desired, facts: &TokenFacts) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&facts.client_id, &facts.groups, settings(&d.issuer)).hash(&mut hasher);
    hasher.finish()
}

/// Tells one description of the issuer's Neo4j, and of what it trusts, from another.
#[must_use]
pub fn settings(issuer: &IssuerFacts) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&issuer.issuer, &issuer.audience, issuer.trust).hash(&mut hasher);
    format!("{:?}", issuer.neo4j).hash(&mut hasher);
    hasher.finish()
}

/// What the servers said becomes what is known.
pub(super) fn absorbed(
    d: &Desired,
    o: &Observed,
    key: Option<&str>,
    logins: &[Login],
    now: Timestamp,
) -> Verification {
    let known = o.memory.verification.clone();
    let Some(facts) = facts(d, o) else {
        return known;
    };
    let expected = Expected {
        user: &facts.client_id,
        groups: &facts.groups,
        key,
        issuer: &d.issuer.issuer,
        audience: &d.issuer.audience,
        good: (facts.life.issued_at, facts.life.expires_at),
        neo4j: &d.issuer.neo4j,
    };
    let verdict = judge(&expected, logins, now);
    let failures = if verdict.good { 0 } else { known.failures + 1 };
    let pause = RETRY.saturating_mul(1 << failures.saturating_sub(1).min(8));
    let spread = 1.0 - 0.5 * fraction(&format!("{}/{failures}", d.account.uid));
    Verification {
        due: (!verdict.good).then(|| after(now, pause.min(RETRY_CAP).mul_f64(spread))),
        failures,
        done: Some(Done {
            issued_at: facts.life.issued_at,
            basis: basis(d, &facts),
            verdict,
        }),
    }
}

/// The condition `Neo4jVerified`, where it is asked for.
pub(super) fn condition(
    d: &Desired,
    o: &Observed,
    old: Option<&Status>,
) -> Option<(bool, Reason, String)> {
    if d.issuer.neo4j.verify == Verify::Never {
        return None;
    }
    if let Some(done) = &o.memory.verification.done {
        let Verdict {
            good,
            reason,
            message,
        } = &done.verdict;
        return Some((*good, *reason, message.clone()));
    }
    // As an earlier process left it, until this one has come to it.
    let mut conditions = old.into_iter().flat_map(|s| &s.conditions);
    let told = conditions.find(|c| c.type_ == NEO4J_VERIFIED);
    let reason = |c: &str| Reason::ALL.iter().find(|r| r.as_str() == c).copied();
    told.and_then(|c| Some((c.status == "True", reason(&c.reason)?, c.message.clone())))
        .or_else(|| {
            Some((
                false,
                Reason::NotVerified,
                "No token of this account has been tried at Neo4j yet".to_owned(),
            ))
        })
}
