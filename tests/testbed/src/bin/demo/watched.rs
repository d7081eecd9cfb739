//! Watches the account, tells each turn of its conditions, and knows when to
//! stop waiting: when it happened, when it takes too long, when the operator is
//! gone.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use kube::api::DynamicObject;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, ResourceExt};
use serde_json::Value;

use crate::failure::Failure;
use crate::operator::Operator;
use crate::screen::{Screen, Stopwatch};

/// How long anything may take; usually it is a second. A minute, and one more,
/// because the operator gives a tenant three tokens at once and then one a
/// minute, and a story asks faster than people do.
const PATIENCE: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(200);
const SHOWN: [&str; 4] = ["Registered", "CredentialsReady", "TokenFresh", "Ready"];

/// The account under watch.
pub(crate) struct Watched {
    api: Api<DynamicObject>,
    name: String,
    stream: BoxStream<'static, Result<Option<DynamicObject>, watcher::Error>>,
    told: BTreeMap<&'static str, (String, String)>,
    since: Stopwatch,
}

impl Watched {
    pub(crate) fn new(api: Api<DynamicObject>, name: &str) -> Self {
        let stream = watcher::watch_object(api.clone(), name)
            .default_backoff()
            .boxed();
        Self {
            api,
            name: name.to_owned(),
            stream,
            told: BTreeMap::new(),
            since: Stopwatch::start(),
        }
    }

    /// Times are told from here on: somebody is about to change the account.
    pub(crate) fn mark(&mut self) {
        self.since = Stopwatch::start();
    }

    /// The account as it is now.
    pub(crate) async fn now(&self) -> Result<DynamicObject, Failure> {
        let account = self.api.get(&self.name).await;
        account.map_err(Failure::because("reading the account"))
    }

    /// Tells what turns, until the account is as `wanted`. What was seen before
    /// this generation of the spec does not count.
    pub(crate) async fn follow(
        &mut self,
        screen: &Screen,
        operator: &mut Operator,
        what: &str,
        wanted: impl Fn(&DynamicObject) -> bool,
    ) -> Result<DynamicObject, Failure> {
        let watch = Stopwatch::start();
        let generation = self.now().await?.metadata.generation;
        let mut last = None;
        let mut tick = tokio::time::interval(POLL);
        while watch.elapsed() < PATIENCE {
            tokio::select! {
                event = self.stream.next() => {
                    // An error is the stream's to retry; a deletion is not waited for here.
                    let Some(Ok(Some(account))) = event else { continue };
                    self.tell(screen, &account);
                    if account.metadata.generation >= generation && wanted(&account) {
                        return Ok(account);
                    }
                    last = Some(account);
                }
                _ = tick.tick() => alive(operator)?,
            }
        }
        Err(Failure::new(format!(
            "{what}: did not happen within {} s; the account's conditions are\n{}",
            PATIENCE.as_secs(),
            last.as_ref()
                .map_or_else(|| "unknown: no change was seen".to_owned(), all),
        )))
    }

    fn tell(&mut self, screen: &Screen, account: &DynamicObject) {
        for type_ in SHOWN {
            let Some(now) = condition(account, type_) else {
                continue;
            };
            let turned = (now.status, now.reason);
            if self.told.get(type_) == Some(&turned) {
                continue;
            }
            screen.turned(self.since.elapsed(), type_, &turned.0, &turned.1);
            if type_ == "Ready" && turned.0 != "True" {
                screen.message(&now.message);
            }
            self.told.insert(type_, turned);
        }
    }
}

/// Asks again and again, until `look` finds something.
pub(crate) async fn until<T>(
    operator: &mut Operator,
    what: &str,
    look: impl AsyncFn() -> Option<T>,
) -> Result<T, Failure> {
    let watch = Stopwatch::start();
    while watch.elapsed() < PATIENCE {
        if let Some(found) = look().await {
            return Ok(found);
        }
        alive(operator)?;
        tokio::time::sleep(POLL).await;
    }
    let seconds = PATIENCE.as_secs();
    Err(Failure::new(format!(
        "{what}: did not happen within {seconds} s"
    )))
}

fn alive(operator: &mut Operator) -> Result<(), Failure> {
    match operator.ended() {
        None => Ok(()),
        Some(exit) => Err(Failure::new(format!("the operator ended: {exit}"))),
    }
}

/// One condition.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    pub(crate) status: String,
    pub(crate) reason: String,
    pub(crate) message: String,
}

/// A condition of an account or an issuer.
pub(crate) fn condition(object: &DynamicObject, type_: &str) -> Option<Condition> {
    let conditions = object.data["status"]["conditions"].as_array()?;
    let found = conditions.iter().find(|c| c["type"] == type_)?;
    let text = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
    Some(Condition {
        status: text("status"),
        reason: text("reason"),
        message: text("message"),
    })
}

/// Whether the operator has seen this spec and calls the object ready.
pub(crate) fn is_ready(object: &DynamicObject) -> bool {
    let seen = object.data["status"]["observedGeneration"].as_i64();
    seen == object.metadata.generation
        && condition(object, "Ready").is_some_and(|ready| ready.status == "True")
}

/// Text at a path below the status.
pub(crate) fn status(object: &DynamicObject, pointer: &str) -> String {
    let found = object.data["status"].pointer(pointer);
    found.and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn all(object: &DynamicObject) -> String {
    let conditions = object.data["status"]["conditions"].as_array();
    let line = |c: &Value| {
        let text = |key: &str| c[key].as_str().unwrap_or_default().to_owned();
        format!(
            "    {} {} {}: {}",
            text("type"),
            text("status"),
            text("reason"),
            text("message")
        )
    };
    let lines: Vec<String> = conditions.into_iter().flatten().map(line).collect();
    if lines.is_empty() {
        format!("    none yet, for {}", object.name_any())
    } else {
        lines.join("\n")
    }
}
