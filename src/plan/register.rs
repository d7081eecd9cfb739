//! From nothing to proved credentials: stage → create → admit → prove → promote.
//! Also their repair when a Secret was lost or damaged, and a change of method.
//! Pure.
//!
//! Each step leaves the world such that a crash after it resumes here. The
//! client id, the label as sent and the secret stand in Kubernetes before Okta
//! hears of them, so neither can be lost and no second app can come to be.

use k8s_openapi::jiff::Timestamp;

use super::app::method_name;
use super::desired::Desired;
use super::locate::{Located, by_client_id, generation_of};
use super::memory::App;
use super::observed::Observed;
use super::schedule::{self, TENANT_CREDENTIALS_INTERVAL};
use super::secret_meta::{ANNOTATION_METHOD, ANNOTATION_ROTATED_AT, ANNOTATION_STAGED, Meta, Slot};
use super::step::{Content, Credential, Kind, Next, Purpose, Refusal, Retry, Staged, Step};
use super::{blocked, rotation, settling, token};
use crate::api::conditions::Reason;
use crate::api::names as n;

/// Sees to it that the Secret holds live credentials that Okta has proved, with
/// the method that the spec asks for. `None` when that is so.
pub(super) fn credentials(d: &Desired, o: &Observed, now: Timestamp) -> Option<Next> {
    match &o.credentials {
        Slot::Ours(meta) => present(d, o, meta, now),
        Slot::Absent | Slot::Foreign | Slot::Predecessor => Some(absent(d, o, now)),
    }
}

fn absent(d: &Desired, o: &Observed, now: Timestamp) -> Next {
    if o.memory.holds_live {
        let lost = Some(rotation::after_overlap(d, now));
        return Next::Do(Step::RewriteCredentials { lost });
    }
    if o.memory.registered.is_none() {
        // After a move to another cluster the app goes on, with its client id.
        if !d.issuer.former_installations.is_empty() && !o.memory.former_searched {
            let label = d.label.clone();
            return Next::Do(Step::FindFormerApp { label });
        }
        return stage(d, Purpose::Create, 0);
    }
    lost(d, o, now)
}

fn present(d: &Desired, o: &Observed, meta: &Meta, now: Timestamp) -> Option<Next> {
    let touched = meta.touched.is_some() && meta.touched != o.memory.looked_credentials;
    let unproved = meta.annotation(n::ANNOTATION_CLIENT_ID).is_none()
        || meta.annotation(ANNOTATION_STAGED).is_some();
    let Some(content) = o.content() else {
        let refused = o.memory.refused.is_some();
        let other_method = meta
            .annotation(ANNOTATION_METHOD)
            .is_some_and(|m| m != method_name(d.authentication));
        return (touched || unproved || refused || other_method)
            .then_some(Next::Do(Step::ReadCredentials));
    };
    if touched {
        return Some(Next::Do(Step::ReadCredentials));
    }
    if let Some(staged) = &content.staged
        && !waits_behind(o, content, staged)
    {
        // Are the live ones refused because somebody disabled the app? Ask.
        let refused = o.refusal(Credential::Live) == Some(&Refusal::InvalidClient);
        let look = refused.then(|| token::look(o)).flatten();
        return Some(look.unwrap_or_else(|| prove(d, o, content, staged, now)));
    }
    let Some((_, method)) = &content.live else {
        return Some(if o.memory.holds_live {
            Next::Do(Step::RewriteCredentials { lost: None })
        } else if o.memory.registered.is_some() {
            lost(d, o, now)
        } else {
            stage(d, Purpose::Create, content.generation)
        });
    };
    if o.memory.edited {
        return Some(Next::Do(Step::RewriteCredentials { lost: None }));
    }
    if *method != d.authentication {
        // Whoever mounts the token shall notice nothing: a fresh one first.
        return token::refresh_ahead(o, now).or_else(|| Some(stage_anew(d, o, Purpose::Replace)));
    }
    refused(d, o, meta, now)
}

/// New credentials beside working ones come last, in [`rotation::rotate`]:
/// nothing that the account needs waits for them.
fn waits_behind(o: &Observed, content: &Content, staged: &Staged) -> bool {
    let live = content.live.as_ref().map(|(_, method)| *method);
    staged.purpose == Purpose::Add
        && live == Some(staged.authentication)
        && o.refusal(Credential::Live) != Some(&Refusal::InvalidClient)
        && !token::is_proof(o)
}

/// Okta knows the app and refuses its live credentials: new ones are needed.
fn refused(d: &Desired, o: &Observed, meta: &Meta, now: Timestamp) -> Option<Next> {
    if o.refusal(Credential::Live) != Some(&Refusal::InvalidClient) || o.settling(now) {
        return None;
    }
    let App::Present(view) = &o.memory.app else {
        return None;
    };
    if !view.active {
        return None;
    }
    let earliest = meta
        .instant(ANNOTATION_ROTATED_AT)
        .map(|at| schedule::after(at, TENANT_CREDENTIALS_INTERVAL));
    if let Some(earliest) = earliest.filter(|at| *at > now) {
        return Some(blocked(
            Reason::InvalidClient,
            format!(
                "Okta refuses credentials that it accepted before, and they were replaced within the last hour; the next replacement is at {earliest}"
            ),
            Retry::Backoff,
        ));
    }
    Some(stage_anew(d, o, renewal(d, o)))
}

/// The app exists and its credentials are known to nobody: new ones.
fn lost(d: &Desired, o: &Observed, now: Timestamp) -> Next {
    let Some(registered) = &o.memory.registered else {
        return stage(d, Purpose::Create, 0);
    };
    let app_id = registered.app_id.clone();
    match &o.memory.app {
        App::Unknown => Next::Do(Step::ReadApp { app_id }),
        App::Absent if o.settling(now) => settling(now, "the app is not there yet"),
        App::Absent | App::Present(_) => stage_anew(d, o, renewal(d, o)),
    }
}

/// How new credentials come to an app that exists: beside those that it has,
/// unless it signs in by another method.
fn renewal(d: &Desired, o: &Observed) -> Purpose {
    match &o.memory.app {
        App::Present(view) if view.method != method_name(d.authentication) => Purpose::Replace,
        App::Unknown | App::Absent | App::Present(_) => Purpose::Add,
    }
}

fn stage(d: &Desired, purpose: Purpose, generation: u32) -> Next {
    Next::Do(Step::Stage(Staged {
        purpose,
        client_id: d.client_id(generation),
        label: d.label.clone(),
        generation,
        authentication: d.authentication,
    }))
}

/// Stages credentials for the registration that exists, or, with
/// [`Purpose::Create`], for the one after it.
pub(super) fn stage_anew(d: &Desired, o: &Observed, purpose: Purpose) -> Next {
    let registered = o.memory.registered.as_ref();
    let of_secret = o
        .content()
        .map(|c| c.staged.as_ref().map_or(c.generation, |s| s.generation));
    let generation = of_secret
        .or_else(|| registered.map(|r| generation_of(&r.client_id)))
        .unwrap_or(0);
    if purpose == Purpose::Create {
        return stage(d, purpose, generation + 1);
    }
    let client_id = registered.map_or_else(|| d.client_id(generation), |r| r.client_id.clone());
    Next::Do(Step::Stage(Staged {
        purpose,
        client_id,
        label: d.label.clone(),
        generation,
        authentication: d.authentication,
    }))
}

/// Brings staged credentials to Okta and has them proved by a token.
pub(super) fn prove(
    d: &Desired,
    o: &Observed,
    content: &Content,
    staged: &Staged,
    now: Timestamp,
) -> Next {
    // The wish for another method came in between: those were never live.
    if staged.purpose != Purpose::Create && staged.authentication != d.authentication {
        return stage_anew(d, o, Purpose::Replace);
    }
    let in_place = match staged.purpose {
        Purpose::Create => created(d, o, staged, now),
        Purpose::Add => added(d, o, staged, now),
        Purpose::Replace => replaced(d, o, staged, now),
    };
    if let Some(next) = in_place {
        return next;
    }
    // An account that has minted before does not wait for admission again.
    let unlisted = matches!(
        o.refusal(Credential::Staged),
        Some(Refusal::AccessDenied(_))
    );
    if (content.live.is_none() || unlisted)
        && let Some(next) = token::admit(d, o, &staged.client_id)
    {
        return next;
    }
    if let Some(next) = token::waiting(d, o, now) {
        return next;
    }
    if token::is_proof(o) {
        // Okta let the client in, and that is the proof; whether the token may
        // be published is another question.
        let retire = rotation::retiring(d, o, content, staged, now);
        return Next::Do(Step::Promote { retire });
    }
    match o.refusal(Credential::Staged) {
        None => Next::Do(Step::Mint(Credential::Staged)),
        Some(_) if o.settling(now) => token::settle(now),
        Some(Refusal::InvalidClient) if staged.purpose == Purpose::Create => {
            stage_anew(d, o, renewal(d, o))
        }
        Some(Refusal::InvalidClient)
            if staged.purpose == Purpose::Add && renewal(d, o) == Purpose::Replace =>
        {
            stage_anew(d, o, Purpose::Replace)
        }
        // The method is the new one and the secret is not: Okta made one of its
        // own. Ours goes beside it.
        Some(Refusal::InvalidClient)
            if staged.purpose == Purpose::Replace
                && matches!(o.memory.app, App::Present(_))
                && renewal(d, o) == Purpose::Add =>
        {
            stage_anew(d, o, Purpose::Add)
        }
        // Perhaps somebody changed the app: look, and it is put right.
        Some(refusal) => token::look(o)
            .or_else(|| super::live::described(d, o, now))
            .unwrap_or_else(|| token::refusal(d, refusal)),
    }
}

/// The app exists as described, is active, and answers to the staged client id.
fn created(d: &Desired, o: &Observed, staged: &Staged, now: Timestamp) -> Option<Next> {
    if let App::Present(view) = &o.memory.app
        && !view.client_id.eq_ignore_ascii_case(&staged.client_id)
    {
        return Some(unexpected(d, view));
    }
    if o.memory.fresh {
        return Some(create(o));
    }
    let app_id = match by_client_id(o, &staged.client_id, &staged.label) {
        Located::Look(look) => return Some(look),
        Located::Known(app_id) => app_id,
        Located::Hidden => {
            return Some(settling(
                now,
                "Okta has the client and shows no app for it yet",
            ));
        }
        Located::Nowhere => return Some(nowhere(o)),
    };
    let view = match &o.memory.app {
        App::Present(view) => view,
        App::Absent if !o.surely_absent(now) => {
            return Some(settling(now, "the new app is not there yet"));
        }
        App::Absent => return Some(stage_anew(d, o, Purpose::Create)),
        App::Unknown => return Some(Next::Do(Step::ReadApp { app_id })),
    };
    if !d.owns(view.marker.as_ref()) {
        // The client id is somebody else's: never touched, the next one is tried.
        return Some(stage_anew(d, o, Purpose::Create));
    }
    if view.method != method_name(staged.authentication) {
        return Some(stage_anew(d, o, Purpose::Replace));
    }
    if !view.active {
        return Some(Next::Do(Step::ActivateApp { app_id }));
    }
    (!view.is(&d.app())).then_some(Next::Do(Step::UpdateApp { app_id }))
}

/// Nobody would remove the app of an account that is gone. A cache may not have
/// seen that, and even a finalizer may come too late: a deletion that the API
/// server had begun before goes through.
fn create(o: &Observed) -> Next {
    Next::Do(if o.memory.stands {
        Step::CreateApp
    } else {
        Step::ConfirmAccount
    })
}

/// Okta does not know the client id: create, unless it just refused to.
fn nowhere(o: &Observed) -> Next {
    match &o.memory.create_refused {
        None => create(o),
        Some((reason, words)) => blocked(
            *reason,
            format!("Okta does not register the app: {words}"),
            Retry::Backoff,
        ),
    }
}

/// Okta answered the creation with an app that we did not ask for. If it bears
/// our marker it is removed, so that nothing is left behind.
fn unexpected(d: &Desired, view: &super::app::AppView) -> Next {
    let app_id = view.id.clone();
    if !d.owns(view.marker.as_ref()) {
        return blocked(
            Reason::UnexpectedAnswer,
            format!(
                "Okta answered the registration with app {app_id} of another client id; it is left alone"
            ),
            Retry::Backoff,
        );
    }
    Next::Do(if view.active {
        Step::DeactivateApp { app_id }
    } else {
        Step::DeleteApp { app_id }
    })
}

/// The staged secret or key is one of the app's.
fn added(d: &Desired, o: &Observed, staged: &Staged, now: Timestamp) -> Option<Next> {
    if token::is_proof(o) {
        return None;
    }
    let app_id = match existing(d, o, staged, now) {
        Ok(app_id) => app_id,
        Err(next) => return Some(next),
    };
    let kind = Kind::of(staged.authentication);
    let Some(list) = &o.memory.credentials else {
        return Some(Next::Do(Step::ListCredentials { app_id, kind }));
    };
    if list.iter().any(|c| c.staged) {
        return None;
    }
    if list.len() < kind.slots() {
        return Some(Next::Do(Step::AddCredential { app_id }));
    }
    Some(match list.iter().find(|c| !c.active) {
        Some(inactive) => Next::Do(Step::DeleteCredential {
            app_id,
            kind,
            id: inactive.id.clone(),
        }),
        None => blocked(
            Reason::SlotsFull,
            format!(
                "app {app_id} has {} active {}, which is all that Okta keeps, and at least one is unknown here; deactivate it at Okta",
                kind.slots(),
                kind.plural()
            ),
            Retry::Backoff,
        ),
    })
}

fn replaced(d: &Desired, o: &Observed, staged: &Staged, now: Timestamp) -> Option<Next> {
    if o.memory.replaced || o.memory.minted.is_some() {
        return None;
    }
    Some(match existing(d, o, staged, now) {
        Ok(app_id) => Next::Do(Step::ReplaceCredentials { app_id }),
        Err(next) => next,
    })
}

/// The app that staged credentials are for. Its id may be unknown after a crash.
fn existing(d: &Desired, o: &Observed, staged: &Staged, now: Timestamp) -> Result<String, Next> {
    match by_client_id(o, &staged.client_id, &staged.label) {
        Located::Known(app_id) => Ok(app_id),
        Located::Look(look) => Err(look),
        Located::Hidden => Err(settling(
            now,
            "Okta has the client and shows no app for it yet",
        )),
        Located::Nowhere if !o.surely_absent(now) => {
            Err(settling(now, "Okta shows no client of that id yet"))
        }
        Located::Nowhere => Err(stage_anew(d, o, Purpose::Create)),
    }
}
