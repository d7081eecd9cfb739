//! The way of a request through the simulation: permit, departure, arrival,
//! answer; and the issuer, which is nothing but requests.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use neo4j_okta_operator::okta::budget::{Bucket, Turn};
use neo4j_okta_operator::plan::again;
use neo4j_okta_operator::plan::schedule::after;
use neo4j_okta_operator::plan::step::Step;

use super::{CONCURRENT, Call, Caller, Event, NO_ANSWER, OPERATOR, Simulation};
use crate::account::at;
use crate::org::Fate;

impl Simulation {
    pub(super) fn nudge_issuer(&mut self, index: usize, after: u64) {
        let when = self.now + after;
        let issuer = &mut self.issuers[index];
        if issuer.is_busy() {
            issuer.again = true;
        } else if issuer.timer.is_none_or(|timer| when < timer) {
            issuer.timer = Some(when);
            self.schedule(when, Event::Issuer(index));
        }
    }

    pub(super) fn look(&mut self, index: usize) {
        if self.issuers[index].is_busy() {
            self.issuers[index].again = true;
            return;
        }
        self.issuers[index].begin(self.now);
        self.ask_on(index);
    }

    /// The issuer's next request.
    fn ask_on(&mut self, index: usize) {
        let turn = self.issuers[index].turn.clone();
        let now = at(self.now);
        match self.budget.reserve(Bucket::Management, &turn, now) {
            Ok(()) => self.send(Caller::Issuer(index), Bucket::Management, turn, None),
            Err(until) => self.issuer_put_off(index, until),
        }
    }

    fn issuer_put_off(&mut self, index: usize, until: Timestamp) {
        let pause = until.duration_since(at(self.now)).as_millis() + 1;
        self.issuers[index].give_up();
        self.nudge_issuer(index, u64::try_from(pause).unwrap());
    }

    pub(super) fn send(&mut self, caller: Caller, bucket: Bucket, turn: Turn, step: Option<Step>) {
        let principal = match (caller, &step) {
            (Caller::Account(index), Some(Step::Mint(credential))) => {
                self.accounts[index].client_id(*credential)
            }
            _ => OPERATOR.to_owned(),
        };
        self.count += 1;
        let id = self.count;
        let call = Call {
            caller,
            bucket,
            turn,
            step,
            principal,
            sent_at: at(self.now),
            fate: Fate::Lost,
        };
        self.calls.insert(id, call);
        if self.under_way < CONCURRENT {
            self.depart(id);
        } else {
            self.held.push_back(id);
        }
    }

    fn depart(&mut self, id: u64) {
        self.under_way += 1;
        let (there, back) = self.org.delays(self.calls[&id].bucket);
        self.schedule(self.now + there, Event::Arrive(id, back));
    }

    pub(super) fn arrive(&mut self, id: u64, back: u64) {
        let call = self.calls.get_mut(&id).unwrap();
        call.fate = self.org.arrive(call.bucket, &call.principal, self.now);
        let back = if call.fate == Fate::Lost {
            NO_ANSWER
        } else {
            back
        };
        self.schedule(self.now + back, Event::Answer(id));
    }

    pub(super) fn answer(&mut self, id: u64) {
        let call = self.calls.remove(&id).unwrap();
        self.under_way -= 1;
        let now = at(self.now);
        let refused = match &call.fate {
            Fate::Accepted(told) => {
                self.budget.learn(call.bucket, told, now);
                None
            }
            Fate::Refused(told) => {
                self.budget.learn(call.bucket, told, now);
                Some(self.budget.refused(call.bucket, &call.turn, told, now))
            }
            Fate::Lost => None,
        };
        self.budget.returned(call.bucket);
        if let Some(next) = self.held.pop_front() {
            self.depart(next);
        }
        match (call.caller, refused) {
            (Caller::Account(index), _) => self.resume(index, call, refused),
            (Caller::Issuer(index), Some(until)) => self.issuer_put_off(index, until),
            (Caller::Issuer(index), None) if call.fate == Fate::Lost => {
                self.issuer_put_off(index, after(now, Duration::from_secs(5)));
            }
            (Caller::Issuer(index), None) => {
                if !self.issuers[index].answered() {
                    return self.ask_on(index);
                }
                let again = std::mem::take(&mut self.issuers[index].again);
                if again && self.issuers[index].is_waiting() {
                    self.nudge_issuer(index, 100);
                } else if self.issuers[index].is_waiting() {
                    self.nudge_issuer(index, 1000);
                }
            }
        }
    }

    fn resume(&mut self, index: usize, call: Call, refused: Option<Timestamp>) {
        let step = call.step.unwrap();
        if let Some(until) = refused {
            return self.end(index, again::End::PutOff(until));
        }
        if call.fate == Fate::Lost {
            let account = &mut self.accounts[index];
            account.observed = account.observed.clone().absorb_failure(&step);
            return self.end(index, again::End::Failed);
        }
        let effect = self.accounts[index].carry_out(&step, call.sent_at);
        self.absorb(index, &step, effect);
        self.go_on(index);
    }
}
