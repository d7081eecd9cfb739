//! Carries out one step of an account and says what came of it. No decisions:
//! those are in `plan`. Each step is one effect, and the fence is passed first.

use secrecy::{ExposeSecret, SecretString};

use super::context::{Context, Remembered};
use super::runtime::Runtime;
use crate::api::conditions::Reason;
use crate::fence::Fenced;
use crate::okta::budget::Turn;
use crate::okta::{self, Class};
use crate::plan::desired::Desired;
use crate::plan::observed::Observed;
use crate::plan::step::{Effect, Place, Step};

/// Why a step could not be carried out.
#[derive(Debug, thiserror::Error)]
pub(super) enum StepError {
    /// What was planned on has changed: observe again.
    #[error("changed by somebody else at the same time")]
    Stale,
    /// The API server refused or failed.
    #[error("{0}")]
    Kubernetes(#[from] Box<kube::Error>),
    /// Okta refused or failed.
    #[error("{0}")]
    Okta(#[from] okta::Error),
    /// This instance may not write any more.
    #[error("{0}")]
    Fenced(#[from] Fenced),
    /// Cannot happen unless the planner and this file disagree.
    #[error("{0}")]
    Broken(String),
}

impl From<kube::Error> for StepError {
    fn from(error: kube::Error) -> Self {
        match &error {
            kube::Error::Api(status) if status.is_conflict() || status.is_not_found() => {
                Self::Stale
            }
            kube::Error::Service(source) if source.is::<Fenced>() => Self::Fenced(Fenced),
            _ => Self::Kubernetes(Box::new(error)),
        }
    }
}

impl StepError {
    /// What the status says about it.
    pub(super) fn reason(&self) -> Reason {
        match self {
            Self::Stale | Self::Fenced(_) => Reason::Progressing,
            Self::Kubernetes(error) => match error.as_ref() {
                kube::Error::Api(status) if status.is_invalid() => Reason::SecretRefused,
                // A namespace that is going takes nothing new; that passes by
                // itself, and is no missing right.
                kube::Error::Api(status) if terminating(status) => {
                    Reason::WaitingForGarbageCollection
                }
                _ => Reason::KubernetesError,
            },
            Self::Okta(error) => match error.class {
                Class::Transient | Class::Conflict => Reason::OktaUnreachable,
                Class::RateLimited { .. } => Reason::RateLimited,
                Class::Unauthorized => Reason::Unauthorized,
                Class::Forbidden => Reason::MissingPermission,
                Class::NotFound | Class::Rejected { .. } => Reason::OktaRefused,
            },
            Self::Broken(_) => Reason::InvalidSpec,
        }
    }

    /// What the status says about it in words: without the request's id, which
    /// would make each try a new status.
    pub(super) fn message(&self) -> String {
        match self {
            Self::Okta(error) => error.message.clone(),
            other => other.to_string(),
        }
    }

    /// Whether the step may have been carried out for all that.
    pub(super) fn is_in_doubt(&self) -> bool {
        match self {
            Self::Okta(error) => error.is_in_doubt(),
            Self::Stale | Self::Kubernetes(_) | Self::Fenced(_) | Self::Broken(_) => true,
        }
    }

    /// A stable word for metrics.
    pub(super) fn class(&self) -> &'static str {
        match self {
            Self::Stale => "stale",
            Self::Kubernetes(_) => "kubernetes",
            Self::Okta(error) => error.class.as_str(),
            Self::Fenced(_) => "fenced",
            Self::Broken(_) => "broken",
        }
    }
}

fn terminating(status: &kube::core::Status) -> bool {
    let causes = status.details.iter().flat_map(|d| &d.causes);
    status.is_forbidden()
        && causes
            .into_iter()
            .any(|c| c.reason == "NamespaceTerminating")
}

/// One reconcile of one account, between observation and status.
pub(super) struct Run<'a> {
    pub(super) ctx: &'a Context,
    pub(super) runtime: &'a Runtime,
    pub(super) desired: &'a Desired,
    pub(super) remembered: &'a mut Remembered,
    /// The token in hand; never outlives the reconcile.
    pub(super) token: Option<SecretString>,
    /// The app as it was read last in this reconcile.
    pub(super) app: Option<serde_json::Value>,
}

impl Run<'_> {
    /// Carries out `step` as planned on `observed`.
    pub(super) async fn carry_out(
        &mut self,
        step: &Step,
        observed: &Observed,
    ) -> Result<Effect, StepError> {
        self.ctx.settings.fence.pass()?;
        let turn = Turn::of(self.desired, observed, self.ctx.now());
        match step.place() {
            Place::Kubernetes => self.kubernetes(step, observed).await,
            Place::Issuer => self.issuer(step, observed),
            Place::Okta => self.okta(step, &turn).await,
            Place::Neo4j => self.neo4j(step, observed).await,
        }
    }

    /// Tells the issuer's reconcile, or hears from it.
    fn issuer(&self, step: &Step, observed: &Observed) -> Result<Effect, StepError> {
        let admissions = &self.runtime.admissions;
        match step {
            Step::Admit { client_id } => {
                if observed.memory.refused.is_some() {
                    admissions.doubt();
                }
                let listed = admissions.ask(client_id);
                if !listed {
                    self.ctx.issuers.nudge();
                }
                Ok(Effect::Admission(listed))
            }
            Step::Leave { client_id, dead } => {
                if *dead {
                    admissions.told(client_id, false);
                } else {
                    admissions.leave(client_id);
                }
                self.ctx.issuers.nudge();
                Ok(Effect::Left)
            }
            other => Err(StepError::Broken(format!(
                "{} is no matter of the issuer's",
                other.name()
            ))),
        }
    }

    /// The value of a token that was minted in this reconcile.
    pub(super) fn token(&self) -> Result<&str, StepError> {
        self.token
            .as_ref()
            .map(ExposeSecret::expose_secret)
            .ok_or_else(|| StepError::Broken("no token in hand".into()))
    }
}
