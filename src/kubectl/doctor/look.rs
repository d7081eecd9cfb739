//! Asks: first the cluster, then Okta in the issuer's name, question by question.
//! Each question has its own answer, so that one that is refused hides no other.
//! Judges nothing.

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use url::Url;

use super::super::cli;
use super::super::failure::Failure;
use super::super::session::Session;
use super::super::verify;
use super::found::{Found, Limits, Org as Answers, Sample, SignIn};
use super::patience::{Interrupt, Patience};
use super::{accounts, cluster, fresh, mint};
use crate::api::{OktaIssuer, RateLimit};
use crate::controller::{self, SurroundingsRound};
use crate::metrics::Metrics;
use crate::okta::budget::{Bucket, Turn};
use crate::okta::limits::Orgs;
use crate::okta::{self, Cursor, Error, Org, Part, Sender, connect};
use crate::plan::drift::FILTER;
use crate::plan::issuer::ServerView;
use crate::plan::lane::Lane;
use crate::plan::surroundings::Surroundings;

/// A name that nothing has.
const NOBODY: &str = "neo4j-okta-operator.doctor";

pub(super) async fn around(
    session: &Session,
    arguments: &cli::Doctor,
    issuer: &OktaIssuer,
) -> Result<Found, Failure> {
    let name = issuer.name_any();
    let namespace = &arguments.operator.operator_namespace;
    let issuers = accounts::issuers(session, issuer).await;
    let (all, counted) = accounts::list(session).await;
    let mut found = Found {
        leader: cluster::leader(session, namespace).await,
        installation: cluster::installation(session).await,
        sign_in: SignIn::Ready,
        org: None,
        keys: None,
        accounts: counted.map(|()| accounts::count(&all, &issuers, &name)),
        sample: Sample::None,
        minted: None,
        fresh: None,
        interrupted: false,
    };
    let signed = cluster::sign_in(session, &issuer.spec, namespace).await;
    let signed = match signed {
        Ok(signed) => signed,
        Err(why) => {
            found.sign_in = why;
            return Ok(found);
        }
    };
    let share = accounts::share(&issuers, issuer);
    let org = connection(session, issuer, signed, share)?;
    let patience = Patience::new(&session.clock, arguments.timeout);
    let answers = ask(&org, issuer, share, &patience, session.clock.now()).await;
    if let Ok(view) = &answers.view
        && let Some(server) = &view.server
    {
        let uri = server["issuer"]
            .as_str()
            .map(|iss| format!("{iss}/v1/keys"));
        let ca = issuer.spec.ca_bundle.as_deref();
        if let Some(uri) = uri {
            found.keys = Some(verify::keys_at(&uri, ca).await.map(|keys| keys.keys.len()));
        }
    }
    let newest = accounts::newest(&all, &name, session.clock.now());
    found.sample = accounts::sample(session, newest).await;
    found.org = Some(answers);
    if arguments.mint {
        let interrupt = Interrupt::listen()
            .map_err(|e| Failure::told(format!("no app is made, as Ctrl-C cannot be seen: {e}")))?;
        let minted = mint::run(&org, issuer, &found, namespace, &patience, &interrupt).await;
        found.minted = Some(minted);
        if let (Some((account, client_id)), Some(server)) = (newest, found.server())
            && fresh::is_needed(issuer)
            && !interrupt.came()
        {
            let ask = fresh::Ask {
                session,
                org: &org,
                issuer,
                server: &server,
                namespace,
            };
            let patience = patience.until(&interrupt);
            found.fresh = Some(ask.token(account, client_id, &patience, &interrupt).await);
        }
        found.interrupted = interrupt.came();
        // What the token endpoint told of its limit.
        if let Some(answers) = &mut found.org {
            answers.limits = limits(&org, share);
        }
    }
    Ok(found)
}

fn connection(
    session: &Session,
    issuer: &OktaIssuer,
    signed: okta::SignIn,
    share: RateLimit,
) -> Result<Org, Failure> {
    let url = Url::parse(&issuer.spec.org_url)
        .map_err(|_| Failure::told("spec.orgUrl is not a URL; create the issuer anew"))?;
    let http = connect::client(issuer.spec.ca_bundle.as_deref()).map_err(Failure::told)?;
    let limits = Orgs::default().limits(&url, share);
    let org = Org::new(
        http,
        url,
        signed,
        limits,
        session.clock.clone(),
        Metrics::default(),
    );
    Ok(org.with_sender(Sender {
        instance: "kubectl neo4jsa doctor".to_owned(),
        ..Sender::default()
    }))
}

async fn ask(
    org: &Org,
    issuer: &OktaIssuer,
    share: RateLimit,
    patience: &Patience,
    now: Timestamp,
) -> Answers {
    let turn = Turn::of_operator(Lane::New, "doctor".to_owned());
    // First of all, because it also signs in.
    let view = patience.ask(async || view(org, issuer, &turn).await).await;
    let signed_out = match (&view, org.granted().await) {
        (Err(error), None) if error.class == okta::Class::Unauthorized => Some(error.clone()),
        (Err(error), None) if issuer.spec.auth.private_key_jwt.is_some() => Some(error.clone()),
        _ => None,
    };
    if let Some(error) = signed_out {
        return refused(org, &error, share);
    }
    let mine = |_: &serde_json::Value| false;
    let apps = patience
        .ask(async || org.find_app(Some(NOBODY), mine, &turn).await.map(drop))
        .await;
    let clients = patience
        .ask(async || org.client_exists(NOBODY, &turn).await.map(drop))
        .await;
    let log = patience
        .ask(async || {
            let page = org.read_log(&Cursor::Since(now), FILTER, &turn).await;
            page.map(drop)
        })
        .await;
    let new_apps_are_admins = patience
        .ask(async || org.new_clients_are_admins(&turn).await)
        .await;
    let surroundings = surroundings(org, patience).await;
    Answers {
        granted: org.granted().await,
        view,
        apps,
        clients,
        log,
        new_apps_are_admins,
        surroundings,
        skew: org.skew(),
        limits: limits(org, share),
    }
}

/// Nothing else is asked without a sign-in.
fn refused(org: &Org, error: &Error, share: RateLimit) -> Answers {
    Answers {
        granted: None,
        view: Err(error.clone()),
        apps: Err(error.clone()),
        clients: Err(error.clone()),
        log: Err(error.clone()),
        new_apps_are_admins: Err(error.clone()),
        surroundings: Err(error.clone()),
        skew: org.skew(),
        limits: limits(org, share),
    }
}

/// The server, its parts, and the rules of all its policies: of others', too,
/// because one of them may answer first.
async fn view(org: &Org, issuer: &OktaIssuer, turn: &Turn) -> Result<ServerView, Error> {
    let created = issuer.status.as_ref().and_then(|s| s.created.clone());
    let mut view = ServerView::default();
    let created = created.unwrap_or_default();
    controller::read_server(&issuer.spec, &created, org, turn, &mut view).await?;
    let id = view.server.as_ref().and_then(|s| s["id"].as_str());
    if let Some(id) = id.map(str::to_owned) {
        view.policies = org.list_parts(&id, Part::Policies, turn).await?;
        controller::read_rules(|_| true, org, turn, &mut view).await?;
    }
    Ok(view)
}

async fn surroundings(org: &Org, patience: &Patience) -> Result<Surroundings, Error> {
    let round = tokio::sync::Mutex::new(SurroundingsRound::default());
    let part = async || controller::look_around(org, &mut *round.lock().await).await;
    while !patience.ask(part).await? {}
    Ok(round.into_inner().found)
}

fn limits(org: &Org, share: RateLimit) -> Limits {
    Limits {
        levels: org.levels(),
        share_percent: share.share_percent,
        apps_per_minute: org.per_minute(Bucket::Apps),
        tokens_per_minute: org.per_minute(Bucket::Token),
    }
}
