//! What a statement about Okta is, and what can come of checking it. Knows
//! nothing of HTTP.

use std::future::Future;
use std::pin::Pin;

use super::session::Session;

/// What we believe about Okta, and how to find out.
#[derive(Debug)]
pub(super) struct Statement {
    /// Stable; for `--only` and for talking about it.
    pub(super) id: &'static str,
    /// In words.
    pub(super) says: &'static str,
    /// Who says so.
    pub(super) source: &'static str,
    pub(super) check: Check,
}

type Check = for<'a> fn(&'a mut Session) -> Checking<'a>;

/// A check under way.
pub(super) type Checking<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// What a check comes to; `Err` when it could not be carried out.
pub(super) type Outcome = Result<Verdict, Stop>;

/// Okta's answer to a statement.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is so.
    Agree,
    /// It is so in one of several ways, all of which the operator can live with.
    Variant(String),
    /// It is otherwise; says what was seen.
    Differ(String),
    /// It cannot be told from outside, or not here; says why.
    Unknown(String),
}

/// Why a check could not be carried out; the statement stays unknown.
#[derive(Debug)]
pub(super) struct Stop(pub(super) String);

/// One row of a table of statements.
pub(super) const fn says(
    id: &'static str,
    says: &'static str,
    source: &'static str,
    check: Check,
) -> Statement {
    Statement {
        id,
        says,
        source,
        check,
    }
}

/// Agrees when `holds`; else says what was seen.
pub(super) fn expect(holds: bool, seen: impl FnOnce() -> String) -> Outcome {
    Ok(if holds {
        Verdict::Agree
    } else {
        Verdict::Differ(seen())
    })
}

/// One of the known ways.
pub(super) fn variant(way: impl Into<String>) -> Outcome {
    Ok(Verdict::Variant(way.into()))
}

/// None of the known ways.
pub(super) fn differ(seen: impl Into<String>) -> Outcome {
    Ok(Verdict::Differ(seen.into()))
}
