//! What is measured, each with what it needs: a settled account, a queue of some
//! length, a token. The account is the one of the simulation in `tests/budget`.

#[allow(dead_code, clippy::unwrap_used, reason = "shared with the simulation")]
#[path = "../../../budget/account.rs"]
mod account;

use std::collections::BTreeSet;
use std::time::Duration;

use account::{Account, LIFETIME, at};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use k8s_openapi::jiff::Timestamp;
use neo4j_okta_operator::api::{Neo4jServiceAccountStatus, RateLimit};
use neo4j_okta_operator::okta::budget::{Bucket, Budget, Turn};
use neo4j_okta_operator::plan;
use neo4j_okta_operator::plan::check::{self, Claims, Expected};
use neo4j_okta_operator::plan::lane::Lane;
use neo4j_okta_operator::plan::packed::Packed;
use neo4j_okta_operator::plan::secret_meta::{Meta, Slot};
use neo4j_okta_operator::plan::status::{Outcome, next_status};
use neo4j_okta_operator::plan::step::Next;
use serde_json::json;

/// As many as one namespace has by default.
const PER_NAMESPACE: usize = 100;
const ISSUER: &str = "https://acme.okta.com/oauth2/aus1";

/// An account whose token is fresh, as almost all are almost always.
pub(crate) struct Settled {
    account: Account,
    status: Neo4jServiceAccountStatus,
    now: Timestamp,
}

impl Settled {
    pub(crate) fn new() -> Self {
        let now = at(60_000);
        let mut account = Account::existing(1, "payments", at(0));
        // The operator has just started, and convinces itself once.
        while let Next::Do(step) = plan::next(&account.desired, &account.observed, now) {
            let effect = account.carry_out(&step, now);
            let observed = account.observed.clone();
            account.observed = observed.absorb(&account.desired, effect, now);
            account.holds(&step);
        }
        let Account {
            desired, observed, ..
        } = &account;
        let status = next_status(None, desired, observed, &Outcome::Settled, now);
        let settled = Self {
            account,
            status,
            now,
        };
        assert!(
            matches!(settled.plan(), Next::Settled { .. }),
            "it is settled"
        );
        assert!(!settled.status_differs(), "there is nothing to write");
        assert!(settled.repacked().is_some(), "there is a token");
        settled
    }

    /// One step of the planner.
    pub(crate) fn plan(&self) -> Next {
        plan::next(&self.account.desired, &self.account.observed, self.now)
    }

    /// The metadata of its token Secret, packed for the cache and unpacked.
    pub(crate) fn repacked(&self) -> Option<Meta> {
        match &self.account.observed.token {
            Slot::Ours(meta) => Packed::of(meta).meta(),
            Slot::Absent | Slot::Foreign | Slot::Predecessor => None,
        }
    }

    /// Whether its status has to be written.
    pub(crate) fn status_differs(&self) -> bool {
        let Account {
            desired, observed, ..
        } = &self.account;
        let old = Some(&self.status);
        next_status(old, desired, observed, &Outcome::Settled, self.now) != self.status
    }
}

/// So many callers wait for one of Okta's rate limits.
pub(crate) struct Waiting {
    budget: Budget,
    callers: usize,
}

impl Waiting {
    pub(crate) fn new(callers: usize) -> Self {
        let mut budget = Budget::new(RateLimit::default());
        let refused = (0..callers)
            .filter(|caller| budget.reserve(Bucket::Apps, &turn(*caller), at(0)).is_err())
            .count();
        assert!(refused * 10 > callers * 8, "most of them have to wait");
        Self { budget, callers }
    }

    /// Somebody from the middle of the queue asks again.
    pub(crate) fn reserve(&mut self) -> Result<(), Timestamp> {
        let caller = turn(self.callers / 2);
        self.budget.reserve(Bucket::Apps, &caller, at(1_000))
    }
}

fn turn(caller: usize) -> Turn {
    Turn {
        lane: Lane::New,
        key: format!("uid-{caller:06}"),
        namespace: format!("team-{}", caller / PER_NAMESPACE),
        expires_at: None,
    }
}

/// A token with as many groups as an account may ask for.
pub(crate) struct Token {
    text: String,
    groups: BTreeSet<String>,
}

impl Token {
    pub(crate) fn new() -> Self {
        let groups: BTreeSet<String> = (0..20).map(|n| format!("neo4j_group_{n:02}")).collect();
        let claims = json!({
            "iss": ISSUER, "aud": "neo4j", "sub": "client", "cid": "client",
            "iat": 1000, "exp": 1000 + LIFETIME.as_secs(), "groups": groups,
            "scp": ["neo4j_groups"],
        });
        let encode = |text: String| URL_SAFE_NO_PAD.encode(text);
        let header = encode(json!({ "alg": "RS256", "kid": "k" }).to_string());
        let signature = encode("s".repeat(256));
        let token = Self {
            text: format!("{header}.{}.{signature}", encode(claims.to_string())),
            groups,
        };
        assert!(token.check().is_some(), "it is a good one");
        token
    }

    /// The checks before it is published.
    pub(crate) fn check(&self) -> Option<Claims> {
        let expected = Expected {
            issuer: ISSUER,
            audience: "neo4j",
            client_id: "client",
            groups_claim: "groups",
            groups: &self.groups,
            lifetime: Some(Duration::from_secs(3600)),
        };
        check::check(&self.text, "Bearer", &expected).ok()
    }
}
