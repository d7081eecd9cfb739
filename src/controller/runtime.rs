//! What issuers' reconciles hand to accounts' reconciles: the org, the facts,
//! and who waits to be listed in the access policy.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use tokio::sync::watch;

use crate::api::OktaIssuerSpec;
use crate::api::conditions::Reason;
use crate::okta::Org;
use crate::plan::desired::IssuerFacts;
use crate::plan::issuer::ServerView;
use crate::plan::issuer_status::Findings;
use crate::plan::schedule;
use crate::sync::lock;

/// A look at an issuer stands for so long also when it is doubted: many accounts
/// fail at once.
const DOUBT: Duration = Duration::from_secs(30);

/// An issuer in operation.
#[derive(Clone, Debug)]
pub(super) struct Runtime {
    pub(super) uid: String,
    pub(super) spec: Arc<OktaIssuerSpec>,
    pub(super) org: Arc<Org>,
    /// What is wrong with the sign-in, before Okta was asked.
    pub(super) signed_out: Option<(Reason, String)>,
    /// Known once the authorization server was seen in order.
    pub(super) facts: Option<IssuerFacts>,
    /// Okta itself says that the authorization server is out of order: nothing
    /// new is registered with it.
    pub(super) refuted: bool,
    /// Why the issuer is not ready, if it is not.
    pub(super) problem: Option<(Reason, String)>,
    pub(super) admissions: Arc<Admissions>,
    pub(super) look: Look,
}

/// The last look at an issuer's authorization server. It need not be repeated
/// while nothing that it was made on has changed.
#[derive(Clone, Debug)]
pub(super) struct Look {
    pub(super) findings: Findings,
    /// When it was made.
    pub(super) at: Timestamp,
    /// What need not be read again to list a client.
    pub(super) known: Option<Known>,
    /// Good until this instant.
    pub(super) until: Timestamp,
    pub(super) generation: i64,
    pub(super) confirmed: Option<usize>,
    pub(super) leaving: BTreeSet<String>,
    /// What the log had told of authorization servers by then.
    pub(super) server_changes: u64,
    /// When the count of accounts was last told; it moves once a minute.
    pub(super) counted_at: Timestamp,
}

/// An authorization server that was seen in order.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// Good until this instant.
    pub(super) until: Timestamp,
    pub(super) view: Arc<ServerView>,
}

/// All issuers in operation, by name.
#[derive(Debug)]
pub(super) struct Issuers {
    /// Shared: thousands of reconciles hold one at once, and a policy lists thousands
    /// of clients.
    by_name: RwLock<HashMap<String, Arc<Runtime>>>,
    /// Turns when accounts should look at their issuer again.
    changed: watch::Sender<u64>,
    /// Turns when an issuer should look at its accounts again.
    nudged: watch::Sender<u64>,
}

impl Default for Issuers {
    fn default() -> Self {
        Self {
            by_name: RwLock::default(),
            changed: watch::Sender::new(0),
            nudged: watch::Sender::new(0),
        }
    }
}

impl Issuers {
    pub(super) fn get(&self, name: &str) -> Option<Arc<Runtime>> {
        self.by_name
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .get(name)
            .cloned()
    }

    /// Puts an issuer into operation; wakes accounts only if something that
    /// matters to them is different.
    pub(super) fn put(&self, name: &str, runtime: Runtime) {
        let mut map = self
            .by_name
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let same = map.get(name).is_some_and(|old| {
            old.facts == runtime.facts
                && old.spec == runtime.spec
                && old.refuted == runtime.refuted
                && old.look.confirmed == runtime.look.confirmed
                && old.problem.is_some() == runtime.problem.is_some()
                && Arc::ptr_eq(&old.org, &runtime.org)
        });
        map.insert(name.to_owned(), Arc::new(runtime));
        drop(map);
        if !same {
            self.changed.send_modify(|n| *n += 1);
        }
    }

    pub(super) fn remove(&self, name: &str) {
        self.by_name
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .remove(name);
        self.changed.send_modify(|n| *n += 1);
    }

    /// The client is proved gone: every issuer of the org takes it out.
    pub(super) fn leave(&self, org_url: &str, client_id: &str) {
        let map = self
            .by_name
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        for runtime in map.values().filter(|r| r.spec.org_url == org_url) {
            runtime.admissions.leave(client_id);
        }
        drop(map);
        self.nudge();
    }

    /// Okta refused the operator's sign-in to an account: if the issuer was
    /// thought to be in order, look again, as soon as the last look is not quite
    /// new. The accounts back off, so a doubt that was dropped would leave the
    /// issuer ready for minutes while nobody gets a token.
    pub(super) fn doubt(&self, name: &str) {
        let mut map = self
            .by_name
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let Some(runtime) = map.get_mut(name) else {
            return;
        };
        let doubted = schedule::after(runtime.look.at, DOUBT);
        if runtime.problem.is_some() || runtime.look.until <= doubted {
            return;
        }
        let runtime = Arc::make_mut(runtime);
        runtime.look.until = doubted;
        runtime.look.known = None;
        drop(map);
        self.nudge();
    }

    pub(super) fn nudge(&self) {
        self.nudged.send_modify(|n| *n += 1);
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    pub(super) fn nudges(&self) -> watch::Receiver<u64> {
        self.nudged.subscribe()
    }
}

/// Who is listed in the access policy, who waits for it, and who leaves. Client
/// ids in lower case.
#[derive(Debug, Default)]
pub(super) struct Admissions(Mutex<Lists>);

#[derive(Debug, Default)]
struct Lists {
    listed: BTreeSet<String>,
    /// Who asked to be listed and did not leave.
    wanted: BTreeSet<String>,
    /// Who of them is not listed.
    waiting: BTreeSet<String>,
    leaving: BTreeSet<String>,
    /// Okta does not know them.
    dead: BTreeSet<String>,
    /// Okta knows them, as of the last time that it refused a policy.
    alive: BTreeSet<String>,
    /// Okta refused somebody since the last look.
    doubted: bool,
}

impl Admissions {
    /// Whether the policy lists the client; if not, it waits from now on.
    pub(super) fn ask(&self, client_id: &str) -> bool {
        let id = client_id.to_lowercase();
        let mut lists = lock(&self.0);
        lists.leaving.remove(&id);
        lists.dead.remove(&id);
        lists.wanted.insert(id.clone());
        if lists.listed.contains(&id) {
            return true;
        }
        lists.waiting.insert(id);
        false
    }

    /// The client is proved gone and leaves the policy when it is next written.
    pub(super) fn leave(&self, client_id: &str) {
        let id = client_id.to_lowercase();
        let mut lists = lock(&self.0);
        lists.wanted.remove(&id);
        lists.waiting.remove(&id);
        lists.leaving.insert(id);
    }

    /// Whether Okta knows the client: with one that it does not, it takes no
    /// change of a policy.
    pub(super) fn told(&self, client_id: &str, known: bool) {
        let id = client_id.to_lowercase();
        let mut lists = lock(&self.0);
        if known {
            lists.alive.insert(id);
        } else {
            lists.wanted.remove(&id);
            lists.waiting.remove(&id);
            lists.dead.insert(id);
        }
    }

    /// Those that Okta does not know.
    pub(super) fn dead(&self) -> BTreeSet<String> {
        lock(&self.0).dead.clone()
    }

    /// Whether Okta was asked since a policy was last in order.
    pub(super) fn is_told(&self, client_id: &str) -> bool {
        let id = client_id.to_lowercase();
        let lists = lock(&self.0);
        lists.alive.contains(&id) || lists.dead.contains(&id)
    }

    /// Okta refuses the client: whatever we believed, look again.
    pub(super) fn doubt(&self) {
        let mut lists = lock(&self.0);
        lists.listed.clear();
        lists.doubted = true;
    }

    /// Whether there was a doubt; then a look has to be a whole one.
    pub(super) fn take_doubt(&self) -> bool {
        std::mem::take(&mut lock(&self.0).doubted)
    }

    /// Who waits and who leaves.
    pub(super) fn wishes(&self) -> (BTreeSet<String>, BTreeSet<String>) {
        let lists = lock(&self.0);
        (lists.waiting.clone(), lists.leaving.clone())
    }

    /// Whether somebody waits to be listed.
    pub(super) fn is_waiting(&self) -> bool {
        !lock(&self.0).waiting.is_empty()
    }

    /// The policies were seen or written and list exactly these. Who asked while
    /// the change that takes it off was under way waits from now on.
    pub(super) fn seen(&self, listed: BTreeSet<String>) {
        let mut lists = lock(&self.0);
        lists.waiting = lists.wanted.difference(&listed).cloned().collect();
        lists.leaving.retain(|id| listed.contains(id));
        lists.dead.retain(|id| listed.contains(id));
        lists.alive.clear();
        lists.listed = listed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_while_it_is_taken_off_the_list_is_put_on_it_again() {
        let admissions = Admissions::default();
        admissions.seen(BTreeSet::from(["etl".to_owned()]));
        admissions.leave("etl");
        let (_, leaving) = admissions.wishes();
        assert!(leaving.contains("etl"));
        // The issuer's change is under way, and the account resumes.
        assert!(admissions.ask("ETL"), "it is still listed");
        admissions.seen(BTreeSet::new());
        let (waiting, leaving) = admissions.wishes();
        assert!(waiting.contains("etl") && leaving.is_empty());
        admissions.seen(BTreeSet::from(["etl".to_owned()]));
        assert!(!admissions.is_waiting());
        // And who has left does not come back by itself.
        admissions.leave("etl");
        admissions.seen(BTreeSet::new());
        assert!(!admissions.is_waiting());
    }
}
