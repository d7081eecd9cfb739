//! The simulated world: machines with clocks of their own, processes on them, a
//! network that loses and delays, and an API server with one lease. Time goes on
//! in steps. Drawn numbers come from a seed, so each history can be repeated.

use std::time::Duration;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{Event, OKTA_TIMEOUT, REPLICAS, STEP, TIMING};
use crate::leader::decide::{Act, Candidate, Record, UNKNOWN};
use crate::leader::elapsed::{Elapsed, Meter};

/// What is asked of the API server.
#[derive(Clone, Debug)]
enum Ask {
    Read,
    Put {
        over: Option<String>,
        record: Record,
    },
}

#[derive(Clone, Debug)]
enum Answer {
    Found(Option<Record>),
    Written(Record),
    Conflict,
    NotFound,
}

/// A request under way: to the server, or back.
struct Message {
    process: usize,
    number: u64,
    arrives: u64,
    ask: Ask,
    answer: Option<Answer>,
}

/// One process; a replica that starts again is another one.
struct Process {
    candidate: Candidate,
    meter: Meter,
    /// The machine it runs on.
    replica: usize,
    pending: Option<(u64, Elapsed)>,
    open: bool,
    over: bool,
    has_seen: bool,
    /// Until when a request of its to Okta may be under way.
    busy: u64,
    ended: bool,
}

/// A machine with its clocks and its network.
#[derive(Clone, Default)]
struct Machine {
    monotonic: u64,
    wall: i64,
    frozen: u64,
    suspended: u64,
    loses_requests: u64,
    loses_answers: u64,
    slow: (u64, u64),
    starts: Option<u64>,
    process: Option<usize>,
}

pub(super) struct World {
    now: u64,
    random: u64,
    lease: Option<Record>,
    deleted: bool,
    version: u64,
    messages: Vec<Message>,
    numbers: u64,
    machines: Vec<Machine>,
    processes: Vec<Process>,
}

impl World {
    pub(super) fn new(random: u64) -> Self {
        let machine = Machine {
            starts: Some(0),
            ..Machine::default()
        };
        Self {
            now: 0,
            random: random | 1,
            lease: None,
            deleted: false,
            version: 0,
            messages: Vec::new(),
            numbers: 0,
            machines: vec![machine; REPLICAS],
            processes: Vec::new(),
        }
    }

    /// Less than `limit`.
    fn any(&mut self, limit: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        if limit == 0 { 0 } else { self.random % limit }
    }

    pub(super) fn happens(&mut self, replica: usize, event: &Event) {
        let now = self.now;
        let machine = &mut self.machines[replica];
        match *event {
            Event::Crash(pause) => self.end(replica, pause),
            Event::Stop(pause) => self.stop(replica, pause),
            Event::Freeze(time) => machine.frozen = machine.frozen.max(now + time),
            Event::Suspend(time) => machine.suspended = machine.suspended.max(now + time),
            // What is set back while nobody looks hides a suspension from any
            // program that has these two clocks.
            Event::Set(_) if now < machine.suspended.max(machine.frozen) => {}
            Event::Set(by) => {
                machine.wall += by;
                if let Some(process) = machine.process {
                    self.elapsed(process);
                }
            }
            Event::LoseRequests(time) => machine.loses_requests = now + time,
            Event::LoseAnswers(time) => machine.loses_answers = now + time,
            Event::Slow(time, delay) => machine.slow = (now + time, delay),
            Event::Edit => {
                self.version += 1;
                if let Some(lease) = &mut self.lease {
                    lease.version = self.version.to_string();
                }
            }
            Event::Delete if self.processes.iter().all(|p| p.ended || p.has_seen) => {
                self.deleted |= self.lease.take().is_some();
            }
            Event::Delete => {}
        }
    }

    fn end(&mut self, replica: usize, pause: u64) {
        if let Some(process) = self.machines[replica].process.take() {
            self.processes[process].ended = true;
            self.machines[replica].starts = Some(self.now + pause);
        }
    }

    /// What is under way has ended, then the fence is closed, then the lease is
    /// released.
    fn stop(&mut self, replica: usize, pause: u64) {
        let Some(process) = self.machines[replica].process else {
            return;
        };
        if self.sleeps(replica) {
            return;
        }
        if self.processes[process].open {
            self.processes[process].busy = self.now;
        }
        if let (Some(version), Some(lease)) = (
            self.processes[process].candidate.resign(),
            self.lease.clone(),
        ) {
            let record = Record {
                holder: String::new(),
                ..lease
            };
            let over = Some(version);
            self.send(process, Ask::Put { over, record });
        }
        self.end(replica, pause);
    }

    fn sleeps(&self, replica: usize) -> bool {
        let machine = &self.machines[replica];
        self.now < machine.frozen || self.now < machine.suspended
    }

    fn delay(&mut self, replica: usize) -> u64 {
        let (until, longest) = self.machines[replica].slow;
        if self.now < until {
            self.any(longest)
        } else {
            0
        }
    }

    fn send(&mut self, process: usize, ask: Ask) {
        self.numbers += 1;
        let replica = self.processes[process].replica;
        let number = self.numbers;
        let now = self.elapsed(process);
        self.processes[process].pending = Some((number, now));
        if self.now < self.machines[replica].loses_requests {
            return;
        }
        let arrives = self.now + self.delay(replica);
        self.messages.push(Message {
            process,
            number,
            arrives,
            ask,
            answer: None,
        });
    }

    /// What both clocks of a machine show. Machines differ in speed.
    fn clocks(&self, replica: usize) -> (Duration, Timestamp) {
        let machine = &self.machines[replica];
        let speed = 999 + u64::try_from(replica).expect("few");
        let wall = i64::try_from(self.now).expect("short") + machine.wall;
        (
            Duration::from_micros(machine.monotonic * speed),
            Timestamp::UNIX_EPOCH + SignedDuration::from_millis(wall),
        )
    }

    fn elapsed(&mut self, process: usize) -> Elapsed {
        let (monotonic, wall) = self.clocks(self.processes[process].replica);
        self.processes[process].meter.read(monotonic, wall)
    }

    /// What the API server answers.
    fn serve(&mut self, ask: &Ask) -> Answer {
        match (ask, &self.lease) {
            (Ask::Read, lease) => Answer::Found(lease.clone()),
            (Ask::Put { over: None, .. }, Some(_)) => Answer::Conflict,
            (Ask::Put { over: Some(_), .. }, None) => Answer::NotFound,
            (Ask::Put { over: Some(v), .. }, Some(lease)) if *v != lease.version => {
                Answer::Conflict
            }
            (Ask::Put { record, .. }, _) => {
                self.version += 1;
                let record = Record {
                    version: self.version.to_string(),
                    ..record.clone()
                };
                self.lease = Some(record.clone());
                self.deleted = false;
                Answer::Written(record)
            }
        }
    }

    fn carry_messages(&mut self) {
        let (due, rest) = std::mem::take(&mut self.messages)
            .into_iter()
            .partition::<Vec<_>, _>(|message| message.arrives <= self.now);
        self.messages = rest;
        for mut message in due {
            let replica = self.processes[message.process].replica;
            let Some(answer) = message.answer.take() else {
                let answer = self.serve(&message.ask);
                if self.now >= self.machines[replica].loses_answers {
                    message.answer = Some(answer);
                    message.arrives = self.now + self.delay(replica);
                    self.messages.push(message);
                }
                continue;
            };
            if self.processes[message.process].ended {
                continue;
            }
            if self.sleeps(replica) {
                message.answer = Some(answer);
                self.messages.push(message);
                continue;
            }
            self.deliver(message.process, message.number, answer);
        }
    }

    fn deliver(&mut self, process: usize, number: u64, answer: Answer) {
        let now = self.elapsed(process);
        let process = &mut self.processes[process];
        let Some((_, began)) = process.pending.take_if(|(pending, _)| *pending == number) else {
            return; // given up long ago
        };
        process.has_seen |= matches!(answer, Answer::Found(Some(_)) | Answer::Written(_));
        match answer {
            Answer::Found(found) => process.candidate.read(found, now),
            Answer::Written(record) if record.holder == UNKNOWN => {
                process.candidate.read(Some(record), now);
            }
            Answer::Written(record) => process.candidate.wrote(record, began, now),
            Answer::Conflict => process.candidate.refused(now),
            Answer::NotFound => process.candidate.read(None, now),
        }
    }

    fn run(&mut self, process: usize) {
        let now = self.elapsed(process);
        let p = &mut self.processes[process];
        if let Some((_, began)) = p.pending
            && now.at_least > began.at_least + TIMING.request_timeout()
        {
            p.pending = None;
            p.candidate.failed(now);
        }
        let open = p
            .candidate
            .leads_until()
            .is_some_and(|end| now.at_most < end);
        // As the fence does: once over it does not begin again.
        p.over |= p.open && !open;
        p.open = open && !p.over;
        if p.open {
            p.busy = self.now + OKTA_TIMEOUT;
        }
        if p.pending.is_some() {
            return;
        }
        let replica = p.replica;
        let identity = p.candidate.identity().to_owned();
        match p.candidate.next(now) {
            Act::Wait(_) => {}
            Act::Read => self.send(process, Ask::Read),
            Act::Restore => {
                let record = Record {
                    holder: UNKNOWN.to_owned(),
                    version: String::new(),
                    lease: TIMING.lease,
                    transitions: 0,
                    acquired_at: None,
                };
                self.send(process, Ask::Put { over: None, record });
            }
            Act::Write(claim) => {
                let record = Record {
                    holder: identity,
                    version: String::new(),
                    lease: TIMING.lease,
                    transitions: claim.transitions,
                    acquired_at: None,
                };
                let over = claim.over;
                self.send(process, Ask::Put { over, record });
            }
            Act::StandDown(_) => self.end(replica, 1_000),
        }
    }

    fn start(&mut self, replica: usize) {
        // One that has never seen the lease takes a missing one for its own.
        if self.deleted && self.processes.iter().any(|p| !p.ended || p.busy > self.now) {
            return;
        }
        let process = self.processes.len();
        let (monotonic, wall) = self.clocks(replica);
        self.processes.push(Process {
            candidate: Candidate::new(format!("{replica}_{process}"), TIMING),
            meter: Meter::new(monotonic, wall),
            replica,
            pending: None,
            open: false,
            over: false,
            has_seen: false,
            busy: 0,
            ended: false,
        });
        let machine = &mut self.machines[replica];
        (machine.process, machine.starts) = (Some(process), None);
    }

    /// One step of time.
    pub(super) fn step(&mut self) -> Result<(), TestCaseError> {
        self.now += STEP;
        for machine in &mut self.machines {
            if self.now >= machine.suspended {
                machine.monotonic += STEP;
            }
        }
        self.carry_messages();
        let first = usize::try_from(self.any(REPLICAS as u64)).expect("few");
        for replica in (0..REPLICAS).map(|i| (first + i) % REPLICAS) {
            if self.sleeps(replica) {
                continue;
            }
            if self.machines[replica]
                .starts
                .is_some_and(|at| at <= self.now)
            {
                self.start(replica);
            }
            if let Some(process) = self.machines[replica].process {
                self.run(process);
            }
        }
        let busy: Vec<&str> = (self.processes.iter())
            .filter(|p| p.busy > self.now)
            .map(|p| p.candidate.identity())
            .collect();
        prop_assert!(busy.len() <= 1, "at {}: {busy:?} write at once", self.now);
        Ok(())
    }

    pub(super) fn leader(&self) -> Option<usize> {
        self.processes.iter().position(|p| p.open && !p.ended)
    }

    /// From now on nothing sleeps, and what is late arrives: the last renewal of
    /// a dead leader counts from then.
    pub(super) fn fine_weather(&mut self) {
        for message in &mut self.messages {
            message.arrives = self.now;
        }
        for machine in &mut self.machines {
            (machine.frozen, machine.suspended) = (0, 0);
            (machine.loses_requests, machine.loses_answers) = (0, 0);
            machine.slow = (0, 0);
            machine.starts = machine.starts.map(|_| self.now);
        }
    }
}
