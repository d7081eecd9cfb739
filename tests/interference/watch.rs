//! The events of a watch on their way to the operator. What is left out comes
//! again, as in reality: the watch ends before it, and the client goes on from
//! what it has seen or lists anew; or the next event of the same object has it.

use std::io::{Error, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use http_body::{Body as _, Frame};
use http_body_util::{BodyDataStream, StreamBody};
use kube::client::Body;
use serde_json::{Value, json};

use crate::weather::{Event, Weather};

/// How long an event waits for the next one of the same object.
const HELD: Duration = Duration::from_millis(200);

type Part = Result<Frame<Bytes>, Error>;

pub(crate) fn disturbed(
    body: Body,
    weather: Arc<Weather>,
    path: String,
) -> StreamBody<impl Stream<Item = Part>> {
    debug_assert!(!body.is_end_stream());
    let lines = Lines {
        body: BodyDataStream::new(body),
        buffer: Vec::new(),
        weather,
        path,
        held: None,
        ended: false,
    };
    StreamBody::new(stream::unfold(lines, |mut lines| async move {
        let part = lines.part().await?;
        Some((part, lines))
    }))
}

struct Lines {
    body: BodyDataStream<Body>,
    buffer: Vec<u8>,
    weather: Arc<Weather>,
    path: String,
    /// Left out if the next one is of the same object.
    held: Option<(String, Vec<u8>)>,
    ended: bool,
}

/// What a line says, as far as it matters here.
struct Told {
    /// `ADDED` and its like.
    what: String,
    /// Kind, namespace and name.
    object: String,
}

impl Lines {
    async fn part(&mut self) -> Option<Part> {
        loop {
            if self.ended {
                return None;
            }
            let next = if self.held.is_some() {
                tokio::time::timeout(HELD, self.line()).await
            } else {
                Ok(self.line().await)
            };
            let held = self.held.take();
            let line = match (next, held) {
                // Nothing followed.
                (Err(_), Some((_, held))) => return Some(Ok(data(held))),
                (Err(_), None) => continue,
                (Ok(None), held) => {
                    self.ended = true;
                    return held.map(|(_, held)| Ok(data(held)));
                }
                (Ok(Some(Err(error))), _) => {
                    self.ended = true;
                    return Some(Err(error));
                }
                (Ok(Some(Ok(line))), held) => {
                    let told = told(&line);
                    let same = held.as_ref().is_some_and(|(o, _)| *o == told.object);
                    let goes_on = told.what == "MODIFIED" || told.what == "DELETED";
                    if let Some((_, held)) = held
                        && !(same && goes_on)
                    {
                        // It is not left out; this line is looked at next time.
                        self.buffer.splice(0..0, line);
                        return Some(Ok(data(held)));
                    }
                    line
                }
            };
            if let Some(part) = self.befall(line).await {
                return part;
            }
        }
    }

    /// What becomes of a line; `None` when it is held back.
    async fn befall(&mut self, line: Vec<u8>) -> Option<Option<Part>> {
        let told = told(&line);
        if told.object.is_empty() {
            return Some(Some(Ok(data(line))));
        }
        let question = format!("watch {} {}", self.path, told.object);
        match self.weather.event(&question) {
            Event::Fine => Some(Some(Ok(data(line)))),
            Event::Late(ms) => {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                Some(Some(Ok(data(line))))
            }
            Event::Twice => Some(Some(Ok(data([line.clone(), line].concat())))),
            Event::Merged if told.what == "MODIFIED" => {
                self.held = Some((told.object, line));
                None
            }
            Event::Merged => Some(Some(Ok(data(line)))),
            Event::Stalled(ms) => {
                self.ended = true;
                tokio::time::sleep(Duration::from_millis(ms)).await;
                Some(None)
            }
            Event::Ended => {
                self.ended = true;
                Some(None)
            }
            Event::Torn => {
                self.ended = true;
                // The rest of the line never comes.
                Some(Some(Ok(data(line[..line.len() / 2].to_vec()))))
            }
            Event::Expired => {
                self.ended = true;
                let error = json!({ "type": "ERROR", "object": {
                    "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
                    "reason": "Expired", "code": 410, "message": "interference: too old resource version",
                } });
                Some(Some(Ok(data(format!("{error}\n").into_bytes()))))
            }
        }
    }

    /// The next line with its end; `None` when the watch is over.
    async fn line(&mut self) -> Option<Result<Vec<u8>, Error>> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                return Some(Ok(self.buffer.drain(..=end).collect()));
            }
            match self.body.next().await? {
                Ok(bytes) => self.buffer.extend_from_slice(&bytes),
                Err(error) => {
                    return Some(Err(Error::new(
                        ErrorKind::ConnectionReset,
                        error.to_string(),
                    )));
                }
            }
        }
    }
}

fn data(line: Vec<u8>) -> Frame<Bytes> {
    Frame::data(Bytes::from(line))
}

fn told(line: &[u8]) -> Told {
    let event: Value = serde_json::from_slice(line).unwrap_or_default();
    let what = event["type"].as_str().unwrap_or_default().to_owned();
    let metadata = &event["object"]["metadata"];
    let name = metadata["name"].as_str().unwrap_or_default();
    let namespace = metadata["namespace"].as_str().unwrap_or_default();
    // Bookmarks and errors are of no object.
    let object = if name.is_empty() {
        String::new()
    } else {
        format!("{namespace}/{name}")
    };
    Told { what, object }
}
