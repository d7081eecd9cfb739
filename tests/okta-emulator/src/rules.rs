//! `…/policies/{policyId}/rules`. A rule without scopes is saved like any other
//! and never matches.

use serde_json::{Map, Value, json};

use crate::app::strings;
use crate::app_body::{object, text};
use crate::call::{Answer, Call, Outcome};
use crate::log::Target;
use crate::org::Org;
use crate::policies::{active, missing_policy, name, place, priority};
use crate::refusal::Refusal;
use crate::server_model::{AuthorizationServer, Policy, Rule};

fn read(
    body: &Map<String, Value>,
    policy: &Policy,
    own: &Rule,
) -> Result<(Rule, Option<usize>), Refusal> {
    match text(body, "type")? {
        Some("RESOURCE_ACCESS") => {}
        _ => return Err(Refusal::invalid("type", "type: Must be 'RESOURCE_ACCESS'")),
    }
    let name = name(body, 100)?;
    if policy
        .rules
        .iter()
        .any(|rule| rule.name == name && rule.id != own.id)
    {
        return Err(Refusal::invalid(
            "name",
            "name: Policy rule name already in use",
        ));
    }
    let conditions = object(body, "conditions")?.ok_or_else(|| {
        Refusal::invalid("conditions", "conditions: The field cannot be left blank")
    })?;
    let included = |name: &str| -> Result<Option<Vec<String>>, Refusal> {
        Ok(object(conditions, name)?.map(|condition| {
            strings(condition.get("include"))
                .into_iter()
                .map(str::to_owned)
                .collect()
        }))
    };
    let grant_types = included("grantTypes")?.unwrap_or_default();
    if grant_types.is_empty() {
        return Err(Refusal::invalid(
            "conditions.grantTypes.include",
            "conditions.grantTypes.include: The field cannot be left blank",
        ));
    }
    let empty = Map::new();
    let actions = object(body, "actions")?.unwrap_or(&empty);
    let given = object(actions, "token")?.unwrap_or(&empty);
    let number = |field: &str, default: u64, allowed: std::ops::RangeInclusive<u64>| match given
        .get(field)
    {
        None | Some(Value::Null) => Ok(default),
        Some(value) => value
            .as_u64()
            .filter(|n| allowed.contains(n))
            .ok_or_else(|| {
                Refusal::invalid(
                    field,
                    &format!(
                        "{field}: Must be between {} and {}",
                        allowed.start(),
                        allowed.end()
                    ),
                )
            }),
    };
    let lifetime = number("accessTokenLifetimeMinutes", 60, 5..=1440)?;
    let mut token = Map::new();
    token.insert("accessTokenLifetimeMinutes".into(), json!(lifetime));
    token.insert(
        "refreshTokenLifetimeMinutes".into(),
        json!(number(
            "refreshTokenLifetimeMinutes",
            0,
            0..=u64::from(u32::MAX)
        )?),
    );
    token.insert(
        "refreshTokenWindowMinutes".into(),
        json!(number("refreshTokenWindowMinutes", 10_080, 10..=2_628_000)?),
    );
    let rule = Rule {
        id: own.id.clone(),
        name,
        active: active(body)?,
        grant_types,
        scopes: included("scopes")?.unwrap_or_default(),
        people: object(conditions, "people")?.map(|people| Value::Object(people.clone())),
        lifetime_minutes: lifetime,
        token,
        created: own.created,
        updated: own.updated,
    };
    Ok((rule, priority(body)?))
}

fn blank(now: u64) -> Rule {
    Rule {
        id: String::new(),
        name: String::new(),
        active: true,
        grant_types: Vec::new(),
        scopes: Vec::new(),
        people: None,
        lifetime_minutes: 60,
        token: Map::new(),
        created: now,
        updated: now,
    }
}

fn parent(org: &Org, call: &Call) -> String {
    format!(
        "{}/policies/{}",
        crate::scopes::parent(org, call),
        call.param(1)
    )
}

fn target(rule: &Rule) -> Target {
    Target::new(&rule.id, "AuthorizationServerPolicyRule", &rule.name)
}

fn policy<'a>(org: &'a Org, call: &Call) -> Result<&'a Policy, Refusal> {
    org.server(call)?
        .policy(call.param(1))
        .ok_or_else(|| missing_policy(call))
}

fn policy_mut<'a>(
    server: &'a mut AuthorizationServer,
    call: &Call,
) -> Result<&'a mut Policy, Refusal> {
    server
        .policies
        .iter_mut()
        .find(|policy| policy.id == call.param(1))
        .ok_or_else(|| missing_policy(call))
}

fn position(policy: &Policy, call: &Call) -> Result<usize, Refusal> {
    policy
        .rules
        .iter()
        .position(|rule| rule.id == call.param(2))
        .ok_or_else(|| Refusal::not_found(call.param(2), "PolicyRule"))
}

/// POST …/rules
pub(crate) fn create(org: &mut Org, call: &Call) -> Outcome {
    let (mut rule, wish) = read(&call.object()?, policy(org, call)?, &blank(call.now))?;
    rule.id = org.new_id("0pr");
    let target = target(&rule);
    let parent = parent(org, call);
    let rules = &mut policy_mut(org.server_mut(call)?, call)?.rules;
    let priority = place(rules, rule, wish);
    let answer = rules[priority - 1].render(&parent, priority);
    org.log.done(call, "policy.rule.add", vec![target]);
    Ok(Answer::json(201, answer))
}

/// GET …/rules
pub(crate) fn list(org: &mut Org, call: &Call) -> Outcome {
    let parent = parent(org, call);
    let rules = policy(org, call)?
        .rules
        .iter()
        .enumerate()
        .map(|(n, rule)| rule.render(&parent, n + 1))
        .collect();
    Ok(Answer::json(200, Value::Array(rules)))
}

/// GET …/rules/{ruleId}
pub(crate) fn get(org: &mut Org, call: &Call) -> Outcome {
    let policy = policy(org, call)?;
    let at = position(policy, call)?;
    Ok(Answer::json(
        200,
        policy.rules[at].render(&parent(org, call), at + 1),
    ))
}

/// PUT …/rules/{ruleId}
pub(crate) fn replace(org: &mut Org, call: &Call) -> Outcome {
    let policy = policy(org, call)?;
    let at = position(policy, call)?;
    let (mut rule, wish) = read(&call.object()?, policy, &policy.rules[at])?;
    rule.updated = call.now;
    let target = target(&rule);
    let parent = parent(org, call);
    let rules = &mut policy_mut(org.server_mut(call)?, call)?.rules;
    rules.remove(at);
    let priority = place(rules, rule, wish);
    let answer = rules[priority - 1].render(&parent, priority);
    org.log.done(call, "policy.rule.update", vec![target]);
    Ok(Answer::json(200, answer))
}

/// DELETE …/rules/{ruleId}
pub(crate) fn delete(org: &mut Org, call: &Call) -> Outcome {
    let at = position(policy(org, call)?, call)?;
    let rule = policy_mut(org.server_mut(call)?, call)?.rules.remove(at);
    org.log
        .done(call, "policy.rule.delete", vec![target(&rule)]);
    Ok(Answer::empty(204))
}

/// POST …/rules/{ruleId}/lifecycle/activate
pub(crate) fn activate(org: &mut Org, call: &Call) -> Outcome {
    set_active(org, call, true)
}

/// POST …/rules/{ruleId}/lifecycle/deactivate
pub(crate) fn deactivate(org: &mut Org, call: &Call) -> Outcome {
    set_active(org, call, false)
}

fn set_active(org: &mut Org, call: &Call, active: bool) -> Outcome {
    let at = position(policy(org, call)?, call)?;
    let rule = &mut policy_mut(org.server_mut(call)?, call)?.rules[at];
    rule.active = active;
    rule.updated = call.now;
    let target = target(rule);
    let verb = if active { "activate" } else { "deactivate" };
    org.log
        .done(call, &format!("policy.rule.{verb}"), vec![target]);
    Ok(Answer::empty(204))
}
