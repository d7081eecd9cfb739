//! Looks at an issuer's authorization server and carries out what
//! `plan::issuer` asks for, one effect after the other.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use serde_json::Value;

use super::context::Context;
use super::runtime::Admissions;
use crate::api::conditions::READY;
use crate::api::{
    AccessPolicy, CreatedObjects, CreatedPolicy, Management, OktaIssuer, OktaIssuerSpec,
};
use crate::okta::budget::Turn;
use crate::okta::{Class, Error, Org, Part};
use crate::plan::issuer::{self, Identity, IssuerNext, IssuerStep, ServerView, our_policies};
use crate::plan::issuer_status::Findings;
use crate::plan::lane::Lane;
use crate::plan::policy::{self, Edits, included, listed};
use crate::sync::lock;

/// Each effect brings the plan nearer to its end; more than this is a flaw.
const MAX_STEPS: usize = 24;
/// Rules are read of this many policies at most.
const MAX_POLICIES: usize = 32;

/// One look per org at a time. Two issuers that name the same server would each
/// create it, and Okta puts policies that are written at once in no good order.
#[derive(Debug, Default)]
pub(super) struct Looks(Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>);

impl Looks {
    async fn alone(&self, host: String) -> tokio::sync::OwnedMutexGuard<()> {
        let turn = lock(&self.0).entry(host).or_default().clone();
        turn.lock_owned().await
    }
}

/// What is known before a look.
pub(super) struct Before<'a> {
    /// What we created.
    pub(super) created: CreatedObjects,
    /// How many removals at once somebody confirmed.
    pub(super) confirmed: Option<usize>,
    /// What is in order and not read again: then only the policies are, to see
    /// who is listed.
    pub(super) known: Option<&'a ServerView>,
}

/// Looks, repairs, and says what was found.
pub(super) async fn look(
    object: &OktaIssuer,
    org: &Org,
    identity: Identity<'_>,
    admissions: &Admissions,
    before: Before<'_>,
    ctx: &Context,
) -> Findings {
    let turn = Turn::of_operator(Lane::New, object.uid().unwrap_or_default());
    let _alone = ctx.looks.alone(org.host()).await;
    let mut look = Look {
        object,
        org,
        identity,
        admissions,
        created: before.created,
        confirmed: before.confirmed,
        view: before.known.cloned().unwrap_or_default(),
        turn,
        ctx,
    };
    match look.run(before.known.is_some()).await {
        Ok(next) => Findings::seen(next, look.view, look.created),
        Err(error) => Findings::failed(error, look.view, look.created),
    }
}

struct Look<'a> {
    object: &'a OktaIssuer,
    org: &'a Org,
    identity: Identity<'a>,
    admissions: &'a Admissions,
    created: CreatedObjects,
    confirmed: Option<usize>,
    view: ServerView,
    turn: Turn,
    ctx: &'a Context,
}

impl Look<'_> {
    async fn run(&mut self, known: bool) -> Result<IssuerNext, Error> {
        self.org.show_again();
        if !known {
            self.observe().await?;
        }
        self.observe_policies().await?;
        for _ in 0..MAX_STEPS {
            let edits = self.edits();
            let next = issuer::next(
                &self.object.spec,
                self.identity,
                &self.created,
                &self.view,
                &edits,
            );
            let IssuerNext::Do(step) = next else {
                self.remember_listed();
                return Ok(next);
            };
            self.fenced()?;
            if let Err(error) = self.carry_out(&step).await {
                self.dismiss_unknown(&step, &error).await?;
                return Err(error);
            }
        }
        Ok(IssuerNext::Done)
    }

    fn fenced(&self) -> Result<(), Error> {
        self.ctx.settings.fence.pass().map_err(|e| Error {
            class: Class::Transient,
            message: e.to_string(),
            request_id: None,
        })
    }

    async fn observe(&mut self) -> Result<(), Error> {
        let spec = &self.object.spec;
        read_server(spec, &self.created, self.org, &self.turn, &mut self.view).await
    }

    /// The policies, and the rules of those whose rules are not known.
    async fn observe_policies(&mut self) -> Result<(), Error> {
        let Some(id) = self.server_id() else {
            return Ok(());
        };
        self.view.policies = self.org.list_parts(&id, Part::Policies, &self.turn).await?;
        let ours: BTreeSet<String> = our_policies(self.identity, &self.created, &self.view)
            .into_iter()
            .filter_map(id_of)
            .collect();
        let all = self.object.spec.authorization_server.management == Management::External;
        let wanted = |id: &str| all || ours.contains(id);
        read_rules(wanted, self.org, &self.turn, &mut self.view).await
    }

    fn server_id(&self) -> Option<String> {
        self.view.server.as_ref().and_then(id_of)
    }

    /// The difference between who is listed and who should be.
    fn edits(&self) -> Edits {
        let wanted = &self.object.spec.authorization_server;
        if wanted.management == Management::External
            || wanted.access_policy == AccessPolicy::AllClients
        {
            return Edits::default();
        }
        let (waiting, leaving) = self.admissions.wishes();
        let ours = our_policies(self.identity, &self.created, &self.view);
        policy::edit(
            &ours,
            &waiting,
            &leaving,
            &self.admissions.dead(),
            wanted.max_clients_per_policy as usize,
            self.confirmed,
        )
    }

    /// Tells the accounts who is listed, once the rule stands too.
    fn remember_listed(&self) {
        let ours = our_policies(self.identity, &self.created, &self.view);
        self.admissions
            .seen(ours.into_iter().flat_map(listed).collect());
    }

    async fn carry_out(&mut self, step: &IssuerStep) -> Result<(), Error> {
        tracing::info!(
            issuer = self.identity.name,
            step = name(step),
            "changing the authorization server"
        );
        if let IssuerStep::CreateServer(body) = step {
            let server = self.org.create_server(body.clone(), &self.turn).await?;
            self.created.authorization_server_id = id_of(&server);
            self.view.server = Some(server);
            return Ok(());
        }
        let Some(server) = self.server_id() else {
            return Err(broken("the authorization server has no id"));
        };
        let (org, turn) = (self.org, &self.turn);
        match step {
            IssuerStep::CreateServer(_) => {}
            IssuerStep::CreateScope(body) => {
                let scope = org
                    .create_part(&server, Part::Scopes, body.clone(), turn)
                    .await?;
                self.created.scope_id = id_of(&scope);
                self.view.scopes.push(scope);
            }
            IssuerStep::RepairScope(id, body) => {
                let scope = org
                    .replace_part(&server, Part::Scopes, id, body.clone(), turn)
                    .await?;
                replace(&mut self.view.scopes, scope);
            }
            IssuerStep::CreateClaim(body) => {
                let claim = org
                    .create_part(&server, Part::Claims, body.clone(), turn)
                    .await?;
                self.created.claim_id = id_of(&claim);
                self.view.claims.push(claim);
            }
            IssuerStep::RepairClaim(id, body) => {
                let claim = org
                    .replace_part(&server, Part::Claims, id, body.clone(), turn)
                    .await?;
                replace(&mut self.view.claims, claim);
            }
            IssuerStep::CreatePolicy(body) => {
                let policy = org
                    .create_part(&server, Part::Policies, body.clone(), turn)
                    .await?;
                if let Some(id) = id_of(&policy) {
                    self.created
                        .policies
                        .push(CreatedPolicy { id, rule_id: None });
                }
                self.view.policies.push(policy);
            }
            IssuerStep::ReplacePolicy(id, body) => {
                // Read again just before: Okta renumbers priorities, others edit
                // lists, and there is no ETag that would tell.
                let now = org.read_policy(&server, id, turn).await?;
                let was = self.view.policies.iter().find(|p| p["id"] == **id);
                let body = policy::rebase(&now, was.unwrap_or(&now), body);
                let policy = org
                    .replace_part(&server, Part::Policies, id, body, turn)
                    .await?;
                replace(&mut self.view.policies, policy);
            }
            IssuerStep::CreateRule(policy, body) => {
                let rule = org.create_rule(&server, policy, body.clone(), turn).await?;
                if let Some(of) = self.created.policies.iter_mut().find(|p| p.id == *policy) {
                    of.rule_id = id_of(&rule);
                }
                match self.view.rules.iter_mut().find(|(of, _)| of == policy) {
                    Some((_, rules)) => rules.push(rule),
                    None => self.view.rules.push((policy.clone(), vec![rule])),
                }
            }
            IssuerStep::RepairRule(policy, id, body) => {
                let rule = org
                    .replace_rule(&server, policy, id, body.clone(), turn)
                    .await?;
                if let Some((_, rules)) = self.view.rules.iter_mut().find(|(of, _)| of == policy) {
                    replace(rules, rule);
                }
            }
        }
        Ok(())
    }

    /// Okta refuses a policy that names a client it does not know: those leave,
    /// and the next look tries again without them.
    async fn dismiss_unknown(&self, step: &IssuerStep, error: &Error) -> Result<(), Error> {
        let (
            IssuerStep::ReplacePolicy(_, body) | IssuerStep::CreatePolicy(body),
            Class::Rejected { .. },
        ) = (step, &error.class)
        else {
            return Ok(());
        };
        // Those without a healthy account first. Whom Okta was asked about is
        // noted: when the rate limit ends this, the next look goes on from here.
        let healthy = self.healthy();
        let (well, doubtful): (Vec<&str>, Vec<&str>) =
            included(body).partition(|id| healthy.contains(&id.to_lowercase()));
        for client_id in doubtful.into_iter().chain(well) {
            if !self.admissions.is_told(client_id) {
                let known = self.org.client_exists(client_id, &self.turn).await?;
                self.admissions.told(client_id, known);
            }
        }
        Ok(())
    }

    /// Client ids of accounts that are ready, in lower case.
    fn healthy(&self) -> BTreeSet<String> {
        let ready = |conditions: &[Condition]| {
            let ready = conditions.iter().find(|c| c.type_ == READY);
            ready.is_some_and(|c| c.status == "True")
        };
        let accounts = self.ctx.stores.accounts.state();
        let ids = accounts.iter().filter_map(|account| {
            let status = account.status.as_ref().filter(|s| ready(&s.conditions))?;
            status.client_id.as_ref().map(|id| id.to_lowercase())
        });
        ids.collect()
    }
}

/// Reads the server that the spec names, its scopes and its claims.
pub(crate) async fn read_server(
    spec: &OktaIssuerSpec,
    created: &CreatedObjects,
    org: &Org,
    turn: &Turn,
    view: &mut ServerView,
) -> Result<(), Error> {
    let wanted = &spec.authorization_server;
    let created = created.authorization_server_id.as_deref();
    view.server = match (&wanted.id, &wanted.name) {
        (Some(id), _) => org.read_server(id, turn).await?,
        (None, Some(name)) => org.find_server(name, created, turn).await?,
        (None, None) => None,
    };
    let Some(id) = view.server.as_ref().and_then(id_of) else {
        return Ok(());
    };
    view.scopes = org.list_parts(&id, Part::Scopes, turn).await?;
    view.claims = org.list_parts(&id, Part::Claims, turn).await?;
    Ok(())
}

/// Reads the rules of those `wanted` policies of the view whose rules are not
/// known.
pub(crate) async fn read_rules(
    wanted: impl Fn(&str) -> bool,
    org: &Org,
    turn: &Turn,
    view: &mut ServerView,
) -> Result<(), Error> {
    let Some(id) = view.server.as_ref().and_then(id_of) else {
        return Ok(());
    };
    let policies = view.policies.iter().filter_map(id_of);
    let wanted: Vec<String> = policies
        .filter(|id| wanted(id))
        .take(MAX_POLICIES)
        .collect();
    for policy in wanted {
        if view.rules.iter().any(|(of, _)| *of == policy) {
            continue;
        }
        let rules = org.list_rules(&id, &policy, turn).await?;
        view.rules.push((policy, rules));
    }
    Ok(())
}

fn id_of(value: &Value) -> Option<String> {
    value["id"].as_str().map(str::to_owned)
}

fn replace(list: &mut [Value], new: Value) {
    if let Some(old) = list.iter_mut().find(|old| old["id"] == new["id"]) {
        *old = new;
    }
}

fn broken(message: &str) -> Error {
    Error {
        class: Class::Transient,
        message: message.to_owned(),
        request_id: None,
    }
}

const fn name(step: &IssuerStep) -> &'static str {
    match step {
        IssuerStep::CreateServer(_) => "CreateServer",
        IssuerStep::CreateScope(_) => "CreateScope",
        IssuerStep::RepairScope(..) => "RepairScope",
        IssuerStep::CreateClaim(_) => "CreateClaim",
        IssuerStep::RepairClaim(..) => "RepairClaim",
        IssuerStep::CreatePolicy(_) => "CreatePolicy",
        IssuerStep::ReplacePolicy(..) => "ReplacePolicy",
        IssuerStep::CreateRule(..) => "CreateRule",
        IssuerStep::RepairRule(..) => "RepairRule",
    }
}
