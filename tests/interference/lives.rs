//! The operator's lives: each in a runtime of its own that is dropped in the
//! middle of everything, so that nothing of it goes on: a crash. It comes at a
//! beat that the seed chose. A beat is a poll of the operator's run, a request to
//! the API server before it is sent or once it is answered, or a call that Okta
//! has carried out. Reconciles are tasks: each ends at the await where it is.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Duration;

use neo4j_okta_operator::clock::Clock;
use neo4j_okta_operator::controller::{Fence, Operator, Settings};
use neo4j_okta_operator::metrics::Metrics;
use testbed::{ControlPlane, OPERATOR_NAMESPACE};
use tokio::sync::{Notify, watch};

use crate::dice::Dice;
use crate::weather::Weather;
use crate::wire::{self, Past};

/// Counts the beats that a life has left.
#[derive(Clone)]
pub(crate) struct Doom {
    left: Arc<AtomicI64>,
    struck: Arc<Notify>,
    weather: Arc<Weather>,
}

impl Doom {
    fn after(beats: i64, weather: Arc<Weather>) -> Self {
        Self {
            left: Arc::new(AtomicI64::new(beats)),
            struck: Arc::new(Notify::new()),
            weather,
        }
    }

    pub(crate) fn strikes(&self) -> bool {
        if self.weather.is_calm() {
            return false;
        }
        let strikes = self.left.fetch_sub(1, Ordering::SeqCst) <= 1;
        if strikes {
            self.struck.notify_one();
        }
        strikes
    }

    /// Never returns when the life ends here.
    pub(crate) async fn beat(&self) {
        if self.strikes() {
            std::future::pending::<()>().await;
        }
    }
}

/// A future that is not polled again after the last beat.
struct Mortal<F> {
    run: Pin<Box<F>>,
    doom: Doom,
}

impl<F: Future<Output = ()>> Future for Mortal<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.doom.strikes() {
            return Poll::Ready(());
        }
        self.run.as_mut().poll(cx)
    }
}

/// What it takes to live.
#[derive(Clone)]
pub(crate) struct Nature {
    pub(crate) seed: u64,
    pub(crate) cluster: &'static ControlPlane,
    pub(crate) clock: Clock,
    pub(crate) weather: Arc<Weather>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Orders {
    deaths: u64,
    stop: bool,
}

/// One operator after the other.
pub(crate) struct Lives {
    orders: watch::Sender<Orders>,
    thread: Option<JoinHandle<()>>,
}

impl Lives {
    pub(crate) fn begin(nature: Nature) -> Self {
        let (orders, seen) = watch::channel(Orders::default());
        let thread = std::thread::spawn(move || one_after_the_other(&nature, seen));
        Self {
            orders,
            thread: Some(thread),
        }
    }

    /// The one that lives dies, and the next begins.
    pub(crate) fn kill(&self) {
        self.orders.send_modify(|orders| orders.deaths += 1);
    }

    fn end(&mut self) {
        self.orders.send_modify(|orders| orders.stop = true);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(
                ended.is_ok() || std::thread::panicking(),
                "the operator panicked"
            );
        }
    }
}

impl Drop for Lives {
    fn drop(&mut self) {
        self.end();
    }
}

fn one_after_the_other(nature: &Nature, mut orders: watch::Receiver<Orders>) {
    let mut dice = Dice::new(nature.seed, "lives", 0);
    let mortality = dice.pick(&[0, 150, 500, 2_000]);
    let past = Arc::new(Past::default());
    while !orders.borrow_and_update().stop {
        let beats = match mortality {
            0 => i64::MAX,
            most => dice.between(1, most) as i64,
        };
        let doom = Doom::after(beats, nature.weather.clone());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        nature.weather.dooms(Some(doom.clone()));
        runtime.block_on(async {
            let life = pin!(live(nature, past.clone(), doom.clone()));
            tokio::select! {
                () = life => {}
                () = doom.struck.notified() => {}
                _ = orders.changed() => {}
            }
        });
        runtime.shutdown_background();
        nature.weather.dooms(None);
        nature.weather.count("lives");
        std::thread::sleep(Duration::from_millis(20));
    }
}

async fn live(nature: &Nature, past: Arc<Past>, doom: Doom) {
    let inner = nature.cluster.operator_client().await;
    let client = wire::client(inner, nature.weather.clone(), past, doom.clone());
    let settings = Settings {
        namespace: OPERATOR_NAMESPACE.to_owned(),
        watch_namespaces: Default::default(),
        instance: "interference".to_owned(),
        clock: nature.clock.clone(),
        fence: Fence::open(),
        okta_timeout: neo4j_okta_operator::okta::TIMEOUT,
        metrics: Metrics::default(),
        after_step: None,
    };
    // A process that cannot even begin is started again.
    let Ok(operator) = Operator::new(client, settings, std::future::pending()).await else {
        return;
    };
    let run = Box::pin(operator.run());
    Mortal { run, doom }.await;
}
