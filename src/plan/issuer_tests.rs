//! A shared authorization server is left as it was found, and a missing piece
//! is named with its repair.

use super::*;

fn spec(management: &str) -> OktaIssuerSpec {
    serde_json::from_value(json!({
        "orgUrl": "https://acme.okta.com",
        "clusterName": "prod",
        "auth": { "apiToken": { "secretRef": { "name": "okta" } } },
        "authorizationServer": { "name": "neo4j", "audience": "neo4j", "management": management },
    }))
    .expect("a valid issuer")
}

const WHO: Identity<'static> = Identity {
    name: "default",
    installation: "inst-1",
};

fn step(spec: &OktaIssuerSpec, created: &CreatedObjects, view: &ServerView) -> IssuerNext {
    next(spec, WHO, created, view, &Edits::default())
}

fn reason(next: IssuerNext) -> Reason {
    match next {
        IssuerNext::Blocked { reason, .. } => reason,
        other => panic!("not blocked: {other:?}"),
    }
}

fn full(spec: &OktaIssuerSpec) -> (CreatedObjects, ServerView) {
    let mut view = ServerView::default();
    let mut created = CreatedObjects::default();
    let with_id = |mut body: Value, id: &str| {
        body["id"] = json!(id);
        body
    };
    for _ in 0..10 {
        let edits = if view.policies.is_empty() {
            Edits {
                edits: vec![Edit::Create {
                    include: vec!["c".into()],
                }],
                held: 0,
            }
        } else {
            Edits::default()
        };
        match next(spec, WHO, &created, &view, &edits) {
            IssuerNext::Do(IssuerStep::CreateServer(b)) => view.server = Some(with_id(b, "aus1")),
            IssuerNext::Do(IssuerStep::CreateScope(b)) => {
                view.scopes.push(with_id(b, "scp1"));
                created.scope_id = Some("scp1".into());
            }
            IssuerNext::Do(IssuerStep::CreateClaim(b)) => {
                view.claims.push(with_id(b, "ocl1"));
                created.claim_id = Some("ocl1".into());
            }
            IssuerNext::Do(IssuerStep::CreatePolicy(b)) => view.policies.push(with_id(b, "00p1")),
            IssuerNext::Do(IssuerStep::CreateRule(policy, b)) => {
                view.rules.push((policy, vec![with_id(b, "0pr1")]))
            }
            IssuerNext::Done => return (created, view),
            other => panic!("unexpected {other:?}"),
        }
    }
    panic!("does not settle")
}

#[test]
fn managed_creates_what_is_missing_and_settles() {
    let spec = spec("Managed");
    let (created, view) = full(&spec);
    assert_eq!(step(&spec, &created, &view), IssuerNext::Done);
}

#[test]
fn external_names_each_missing_piece_and_writes_nothing() {
    let (created, whole) = full(&spec("Managed"));
    let spec = spec("External");
    type Damage = fn(&mut ServerView);
    let cases: [(Damage, Reason); 6] = [
        (|v| v.server = None, Reason::AuthorizationServerNotFound),
        (
            |v| v.server.as_mut().unwrap()["audiences"] = json!(["other"]),
            Reason::AudienceMismatch,
        ),
        (|v| v.scopes.clear(), Reason::ScopeMissing),
        (
            |v| v.scopes[0]["consent"] = json!("REQUIRED"),
            Reason::ScopeConflict,
        ),
        (|v| v.claims.clear(), Reason::ClaimMissing),
        (|v| v.rules.clear(), Reason::PolicyMissing),
    ];
    for (damage, expected) in cases {
        let mut view = whole.clone();
        damage(&mut view);
        assert_eq!(reason(step(&spec, &created, &view)), expected);
    }
    assert_eq!(step(&spec, &created, &whole), IssuerNext::Done);
}

#[test]
fn a_claim_of_others_is_never_overwritten_and_ours_is_repaired() {
    let spec = spec("Managed");
    let (created, mut view) = full(&spec);
    view.claims[0]["value"] = json!("appuser.groups");
    assert!(
        matches!(step(&spec, &created, &view), IssuerNext::Do(IssuerStep::RepairClaim(id, _)) if id == "ocl1")
    );
    view.claims[0]["id"] = json!("somebody-elses");
    assert_eq!(reason(step(&spec, &created, &view)), Reason::ClaimConflict);
}

#[test]
fn a_rule_widened_by_somebody_is_narrowed_again() {
    let spec = spec("Managed");
    let (created, mut view) = full(&spec);
    view.rules[0].1[0]["conditions"]["scopes"]["include"] = json!(["*"]);
    assert!(matches!(
        step(&spec, &created, &view),
        IssuerNext::Do(IssuerStep::RepairRule(..))
    ));
}
