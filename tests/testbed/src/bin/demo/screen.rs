//! Everything that the demo prints, and how it looks.
//!
//! It needs no terminal: without one, with `--no-color` or `NO_COLOR`, it is
//! plain text. It refuses to fail because nobody reads.

use std::io::{IsTerminal, Write, stdout};
use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::okta::Okta;
use crate::operator::Operator;

const WIDTH: usize = 78;

/// How a piece of text stands out.
#[derive(Clone, Copy)]
enum Style {
    Bold,
    Dim,
    Good,
    Bad,
    Command,
}

impl Style {
    fn code(self) -> &'static str {
        match self {
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Good => "32",
            Self::Bad => "33",
            Self::Command => "36",
        }
    }
}

/// Where the story is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Screen {
    color: bool,
}

impl Screen {
    pub(crate) fn new(no_color: bool) -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let color = stdout().is_terminal() && !no_color && !set("NO_COLOR") && !dumb;
        Self { color }
    }

    /// Whether there are colours.
    pub(crate) fn is_colored(self) -> bool {
        self.color
    }

    pub(crate) fn opening(self, own_cluster: bool) {
        self.line("");
        self.line(&self.paint(Style::Bold, "neo4j-okta-operator: the life of one account"));
        self.line("");
        if own_cluster {
            self.say(
                "Real: etcd, kube-apiserver, kube-controller-manager, kubectl, the operator. \
                 Emulated: Okta. All on this machine, and gone at the end.",
            );
            self.note(
                "The first run builds it all: about 8 minutes for the control plane (Go) and 3 \
                 for the operator (Rust) on two idle cores. Later runs start in seconds; the story takes a minute or two.",
            );
        } else {
            self.say(
                "Your cluster, and on this machine the operator and an emulated Okta. What is \
                 created in the cluster is removed at the end.",
            );
            self.note(
                "The first run builds the operator (Rust), about 3 minutes on two idle cores.",
            );
        }
        self.line("");
    }

    /// The headline of an act.
    pub(crate) fn act(self, number: usize, headline: &str) {
        self.line("");
        let rule = "─".repeat(WIDTH.saturating_sub(headline.chars().count() + 6));
        let title = self.paint(Style::Bold, &format!("{number}  {headline}"));
        self.line(&format!("{title} {}", self.paint(Style::Dim, &rule)));
    }

    /// A sentence or two of the narrator.
    pub(crate) fn say(self, text: &str) {
        for line in wrapped(text, WIDTH - 2) {
            self.line(&format!("  {line}"));
        }
    }

    /// As [`Screen::say`], but aside.
    pub(crate) fn note(self, text: &str) {
        for line in wrapped(text, WIDTH - 2) {
            self.line(&format!("  {}", self.paint(Style::Dim, &line)));
        }
    }

    /// A part that is ready.
    pub(crate) fn ready(self, what: &str, detail: &str) {
        let mark = self.paint(Style::Good, "✓");
        self.line(&format!("  {mark} {what:<14} {detail}"));
    }

    /// A command that is being run.
    pub(crate) fn command(self, command: &str) {
        let line = self.paint(Style::Command, &format!("$ {command}"));
        self.line(&format!("  {line}"));
    }

    /// What a program printed, or a manifest.
    pub(crate) fn block(self, text: &str) {
        for line in text.lines() {
            self.line(&format!("    {line}"));
        }
    }

    /// A name and its value, aligned.
    pub(crate) fn fact(self, name: &str, value: &str) {
        self.line(&format!("    {name:<10} {value}"));
    }

    /// Something that was checked, and is as it should be.
    pub(crate) fn proved(self, what: &str) {
        let mark = self.paint(Style::Good, "✓");
        self.line(&format!("  {mark} {what}"));
    }

    /// A condition that turned.
    pub(crate) fn turned(self, after: Duration, type_: &str, status: &str, reason: &str) {
        let style = if status == "True" {
            Style::Good
        } else {
            Style::Bad
        };
        let status = self.paint(style, &format!("{status:<7}"));
        let seconds = format!("+{:.1} s", after.as_secs_f64());
        self.line(&format!("    {seconds:>8}  {type_:<17} {status} {reason}"));
    }

    /// The message of a condition.
    pub(crate) fn message(self, text: &str) {
        for line in wrapped(text, WIDTH - 16) {
            self.line(&format!("{:14}{}", "", self.paint(Style::Bad, &line)));
        }
    }

    /// Why it cannot go on; on standard error.
    pub(crate) fn failed(self, failure: &Failure) {
        let _ = stdout().flush();
        eprintln!("\nerror: {failure}");
    }

    /// The operator's last words; on standard error.
    pub(crate) fn log(self, operator: &Operator) {
        eprintln!("\nThe end of the operator's log:");
        for line in operator.last_words() {
            eprintln!("    {line}");
        }
    }

    pub(crate) fn closing(self, okta: &Okta, watch: &Stopwatch) {
        let calls = okta.calls();
        self.line("");
        self.say(&format!(
            "All of that took {} calls to Okta ({} for tokens, {} to manage the org) and {} s.",
            calls.tokens + calls.management,
            calls.tokens,
            calls.management,
            watch.elapsed().as_secs(),
        ));
        self.line("");
    }

    pub(crate) fn line(self, text: &str) {
        // Nobody reads any more: the story still ends in order.
        let _ = writeln!(stdout(), "{text}");
    }

    fn paint(self, style: Style, text: &str) -> String {
        if self.color && !text.is_empty() {
            format!("\x1b[{}m{text}\x1b[0m", style.code())
        } else {
            text.to_owned()
        }
    }
}

/// Time since an event; the demo's only clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(
        clippy::disallowed_methods,
        reason = "the demo shows real time, here and nowhere else"
    )]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Breaks at spaces; a longer word keeps a line of its own.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.len() - 1;
        let line = &mut lines[last];
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_broken_at_spaces() {
        assert_eq!(wrapped("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrapped("incomprehensible x", 5), ["incomprehensible", "x"]);
    }
}
