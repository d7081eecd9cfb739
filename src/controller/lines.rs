//! How many accounts are worked on at once. What an account is in the middle of
//! takes memory, and Okta takes a dozen requests at a time: ten thousand that
//! begin together would get no further, and hold up whoever comes after them. So
//! each issuer's accounts stand in line, with places of its own for each
//! [`Lane`]: a revocation never stands behind registrations, nor a new account
//! behind the renewals of all others.
//!
//! Whoever stands in line is looked at again from time to time, for meanwhile its
//! matter may have become urgent or have gone.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::plan::lane::Lane;
use crate::sync::lock;

/// Places of a lane: enough to have a dozen requests under way at Okta while others
/// write their Secrets.
const PLACES: usize = 32;
/// After so long in line an account is looked at again.
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(3);

/// The lines of all issuers.
#[derive(Debug, Default)]
pub(super) struct Lines(Mutex<HashMap<String, HashMap<Lane, Line>>>);

/// The line of one lane of an issuer.
pub(super) type Line = Arc<Semaphore>;

/// A place, until it is dropped.
pub(super) type Place = OwnedSemaphorePermit;

impl Lines {
    pub(super) fn of(&self, issuer: &str, lane: Lane) -> Line {
        let mut lines = lock(&self.0);
        let lanes = lines.entry(issuer.to_owned()).or_default();
        let line = lanes.entry(lane);
        let line = line.or_insert_with(|| Arc::new(Semaphore::new(PLACES)));
        line.clone()
    }

    /// The issuer is gone; who still stands in line comes to its turn.
    pub(super) fn forget(&self, issuer: &str) {
        lock(&self.0).remove(issuer);
    }
}

/// The place that one has, or a free one of the line; else the line to wait in.
pub(super) fn enter(place: Option<Place>, line: Line) -> Result<Place, Line> {
    if let Some(place) = place {
        return Ok(place);
    }
    line.clone().try_acquire_owned().map_err(|_| line)
}

/// Somebody's turn to come, in the order of arrival.
#[derive(Default)]
pub(super) struct Turn {
    line: Option<Line>,
    comes: Option<Pin<Box<dyn Future<Output = Option<Place>> + Send>>>,
}

impl Turn {
    /// Waits in `line`, no longer than `at_most`: then `None`, and the turn is kept
    /// for the next wait in the same line.
    pub(super) async fn wait(&mut self, line: Line, at_most: Duration) -> Option<Place> {
        let stays = self.line.as_ref().is_some_and(|at| Arc::ptr_eq(at, &line));
        if !stays {
            // A line is never closed.
            let comes = line.clone().acquire_owned();
            self.comes = Some(Box::pin(async { comes.await.ok() }));
            self.line = Some(line);
        }
        let place = timeout(at_most, self.comes.as_mut()?).await.ok()?;
        *self = Self::default();
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A_MOMENT: Duration = Duration::from_millis(10);

    #[tokio::test]
    async fn a_lane_does_not_stand_behind_another_and_nobody_loses_its_turn() {
        let lines = Lines::default();
        let mut taken: Vec<Place> = (0..PLACES)
            .map(|_| lines.of("corp", Lane::New).try_acquire_owned().unwrap())
            .collect();
        assert!(lines.of("corp", Lane::New).try_acquire_owned().is_err());
        assert!(
            lines
                .of("corp", Lane::Revocation)
                .try_acquire_owned()
                .is_ok()
        );
        assert!(lines.of("other", Lane::New).try_acquire_owned().is_ok());

        let (mut first, mut second) = (Turn::default(), Turn::default());
        assert!(
            first
                .wait(lines.of("corp", Lane::New), A_MOMENT)
                .await
                .is_none()
        );
        assert!(
            second
                .wait(lines.of("corp", Lane::New), A_MOMENT)
                .await
                .is_none()
        );
        drop(taken.pop());
        // One place is free, and the second does not overtake.
        assert!(
            second
                .wait(lines.of("corp", Lane::New), A_MOMENT)
                .await
                .is_none()
        );
        assert!(
            first
                .wait(lines.of("corp", Lane::New), A_MOMENT)
                .await
                .is_some()
        );
    }

    #[tokio::test]
    async fn whoever_becomes_urgent_leaves_the_line() {
        let lines = Lines::default();
        let new = lines.of("corp", Lane::New);
        let places = u32::try_from(PLACES).unwrap();
        let taken = new.clone().try_acquire_many_owned(places).unwrap();
        let mut turn = Turn::default();
        assert!(turn.wait(new.clone(), A_MOMENT).await.is_none());
        assert!(
            turn.wait(lines.of("corp", Lane::Revocation), A_MOMENT)
                .await
                .is_some()
        );
        // Nobody is left in the line who would take a place and not use it.
        drop(taken);
        assert_eq!(new.available_permits(), PLACES);
    }
}
