//! A list of what was checked: what came of each, and what repairs it. Pure.

use std::fmt::Write as _;

use serde::Serialize;

use super::style::{Style, Tone, wrap};

/// What came of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) enum Verdict {
    /// In order.
    Passed,
    /// In order, with something worth knowing.
    Warning,
    /// Somebody must act.
    Failed,
    /// Not looked at; the message says why.
    Skipped,
}

/// One thing that was checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    /// What was looked at.
    pub(super) name: &'static str,
    /// What came of it.
    pub(super) verdict: Verdict,
    /// In words; those of a failure name the repair.
    pub(super) message: String,
    /// Where it is put right, if it is not in the words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) repair: Option<String>,
}

impl Check {
    pub(super) fn passed(name: &'static str, message: impl Into<String>) -> Self {
        Self::new(name, Verdict::Passed, message)
    }

    pub(super) fn warning(name: &'static str, message: impl Into<String>) -> Self {
        Self::new(name, Verdict::Warning, message)
    }

    pub(super) fn failed(name: &'static str, message: impl Into<String>) -> Self {
        Self::new(name, Verdict::Failed, message)
    }

    pub(super) fn skipped(name: &'static str, message: impl Into<String>) -> Self {
        Self::new(name, Verdict::Skipped, message)
    }

    fn new(name: &'static str, verdict: Verdict, message: impl Into<String>) -> Self {
        Self {
            name,
            verdict,
            message: message.into(),
            repair: None,
        }
    }

    /// The same with the place where it is put right, if it has to be.
    pub(super) fn at(self, repair: impl Into<String>) -> Self {
        let repair = match self.verdict {
            Verdict::Passed | Verdict::Skipped => None,
            Verdict::Warning | Verdict::Failed => Some(repair.into()),
        };
        Self { repair, ..self }
    }
}

/// The exit code that the checks add up to.
pub(super) fn code(checks: &[Check]) -> u8 {
    match checks.iter().any(|c| c.verdict == Verdict::Failed) {
        true => 2,
        false => 0,
    }
}

/// The checks as text, one below the other, and what they add up to.
pub(super) fn text(title: &str, checks: &[Check], style: Style) -> String {
    let width = checks.iter().map(|c| c.name.chars().count()).max();
    let width = width.unwrap_or_default();
    let mut text = format!("{title}\n\n");
    for check in checks {
        let tone = match check.verdict {
            Verdict::Passed => Tone::Good,
            Verdict::Warning => Tone::Warn,
            Verdict::Failed => Tone::Bad,
            Verdict::Skipped => Tone::Dim,
        };
        let room = style.width.saturating_sub(width + 6).max(20);
        for (i, line) in wrap(&check.message, room).into_iter().enumerate() {
            let (mark, name) = match i {
                0 => (style.mark(tone), check.name),
                _ => (" ".to_owned(), ""),
            };
            let line = match check.verdict {
                Verdict::Passed => line,
                _ => style.paint(tone, &line),
            };
            let _ = writeln!(text, "  {mark} {name:<width$}  {line}");
        }
        let (arrow, repair) = match (style.unicode, &check.repair) {
            (true, repair) => ("→", repair.clone().unwrap_or_default()),
            (false, repair) => (">", repair.as_deref().unwrap_or_default().replace('›', ">")),
        };
        for (i, line) in wrap(&repair, room.saturating_sub(2)).iter().enumerate() {
            let arrow = if i == 0 { arrow } else { " " };
            let _ = writeln!(text, "    {:<width$}  {arrow} {line}", "");
        }
    }
    let count = |verdict| checks.iter().filter(|c| c.verdict == verdict).count();
    let (failed, warnings, skipped) = (
        count(Verdict::Failed),
        count(Verdict::Warning),
        count(Verdict::Skipped),
    );
    let (tone, mut sum) = match (failed, warnings) {
        (0, 0) => (Tone::Good, "all in order".to_owned()),
        (0, warnings) => (Tone::Warn, format!("in order; {warnings} worth a look")),
        (failed, _) => (Tone::Bad, format!("{failed} must be put right")),
    };
    if skipped > 0 {
        let _ = write!(sum, "; {skipped} not looked at");
    }
    let _ = writeln!(text, "\n{}", style.paint(tone, &sum));
    text
}
