//! Writes events, through kube's recorder, which counts repetitions. It keeps each
//! event for six minutes and looks through all of them for each new one; with ten
//! thousand registrations at once that is most of the memory and of the time, so
//! this lets go of the past after so many. The price is that a repetition may be
//! told as a new event.

use std::sync::Mutex;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, Recorder, Reporter};

use crate::sync::lock;

/// As many as an unlucky minute has of an ordinary cluster.
const MOST: usize = 500;

/// The operator's voice.
pub(super) struct Events {
    client: Client,
    reporter: Reporter,
    /// And how many events it has been given.
    recorder: Mutex<(Recorder, usize)>,
}

impl Events {
    pub(super) fn new(client: Client, reporter: Reporter) -> Self {
        let recorder = Recorder::new(client.clone(), reporter.clone());
        Self {
            client,
            reporter,
            recorder: Mutex::new((recorder, 0)),
        }
    }

    /// Writes one of the object.
    pub(super) async fn publish(&self, event: &Event, of: &ObjectReference) -> kube::Result<()> {
        let recorder = self.recorder();
        recorder.publish(event, of).await
    }

    fn recorder(&self) -> Recorder {
        let mut current = lock(&self.recorder);
        if current.1 >= MOST {
            *current = (Recorder::new(self.client.clone(), self.reporter.clone()), 0);
        }
        current.1 += 1;
        current.0.clone()
    }
}
