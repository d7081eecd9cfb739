//! The table that a run prints: one line per statement as it is decided, more
//! where there is something to say, and a sum. Prints no secret.

use std::io::Write;

use super::cleanup::Ledger;
use super::statement::{Outcome, Statement, Stop, Verdict};

/// Counts, and prints as it counts.
#[derive(Debug, Default)]
pub(super) struct Report {
    agree: usize,
    variants: usize,
    differ: usize,
    unknown: usize,
}

impl Report {
    /// One statement is decided.
    pub(super) fn row(&mut self, statement: &Statement, outcome: Outcome, ledger: &Ledger) {
        let verdict = outcome.unwrap_or_else(|Stop(why)| Verdict::Unknown(why));
        let (word, beside) = match verdict {
            Verdict::Agree => ("agree", String::new()),
            Verdict::Variant(way) => {
                self.variants += 1;
                ("agree", format!(" (variant: {way})"))
            }
            Verdict::Differ(seen) => {
                self.differ += 1;
                let Statement { says, source, .. } = statement;
                let lines = format!(
                    "\n         stated:   {says}\n         source:   {source}\n         observed: {seen}"
                );
                ("differ", lines)
            }
            Verdict::Unknown(why) => {
                self.unknown += 1;
                ("unknown", format!("\n         because: {why}"))
            }
        };
        self.agree += usize::from(word == "agree");
        let beside = ledger.redacted(&beside);
        line(&format!("{word:<8} {}{beside}", statement.id));
    }

    /// The last line.
    pub(super) fn sum(&self) {
        let Self {
            agree,
            variants,
            differ,
            unknown,
        } = self;
        line(&format!(
            "{agree} agree ({variants} of them in one of several known ways), {differ} differ, {unknown} unknown"
        ));
    }

    /// Whether Okta is anywhere otherwise than stated.
    pub(super) fn differs(&self) -> bool {
        self.differ > 0
    }
}

/// A line at once, not when a buffer is full. A closed output ends nothing:
/// what was made still has to be removed.
pub(super) fn line(text: &str) {
    let mut out = std::io::stdout();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}
