//! Accounts as text: a table, or one of them in detail. Pure: the terminal is an
//! argument, and the instant is in the view.

use std::fmt::Write as _;

use super::style::{Cell, Style, Tone, wrap};
use super::view::{Token, View};

/// How wide the bar is in a table, and in detail.
const BAR: usize = 10;
const LONG_BAR: usize = 30;
/// Where values begin in detail.
const INDENT: usize = 15;

/// Which columns a table has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Columns {
    /// The namespace in front.
    pub(super) namespaces: bool,
    /// Groups, issuer and ids behind.
    pub(super) wide: bool,
}

impl Columns {
    /// The names of the columns.
    #[must_use]
    pub(super) fn header(self) -> Vec<&'static str> {
        let mut header = Vec::new();
        if self.namespaces {
            header.push("NAMESPACE");
        }
        header.extend([
            "NAME",
            "STATE",
            "TOKEN",
            "EXPIRES",
            "REFRESH",
            "CREDENTIALS",
        ]);
        if self.wide {
            header.extend(["GROUPS", "ISSUER", "CLIENT-ID", "APP-ID"]);
        }
        header
    }

    /// The cells of one account.
    #[must_use]
    pub(super) fn row(self, view: &View, style: Style) -> Vec<Cell> {
        let or_none = |text: Option<String>| text.map_or_else(none, Cell::plain);
        let token = view.token.as_ref();
        let mut row = Vec::new();
        if self.namespaces {
            row.push(Cell::plain(&view.namespace));
        }
        row.push(Cell::plain(&view.name));
        row.push(Cell(view.state.tone(), view.state.word().to_owned()));
        row.push(token.map_or_else(none, |t| Cell(tone(t), bar(t, BAR, style))));
        row.push(or_none(token.map(|t| when(t.seconds_left))));
        let turn = view
            .seconds_to_turn
            .map(|seconds| format!("~{}", human(seconds)));
        row.push(or_none(token.map(refresh).or(turn)));
        row.push(or_none(view.credentials.seconds_old.map(|old| {
            match view.credentials.seconds_to_rotation {
                Some(next) => format!("{} old, next {}", human(old), when(next)),
                None => format!("{} old", human(old)),
            }
        })));
        if self.wide {
            row.push(Cell::plain(view.groups.join(",")));
            row.push(Cell::plain(&view.issuer));
            row.push(or_none(view.client_id.clone()));
            row.push(or_none(view.app_id.clone()));
        }
        row
    }
}

fn none() -> Cell {
    Cell(Tone::Dim, "-".to_owned())
}

/// One account in detail, its conditions in words.
#[must_use]
pub(super) fn detail(view: &View, style: Style) -> String {
    let mut text = String::new();
    let state = style.paint(view.state.tone(), view.state.word());
    let _ = writeln!(
        text,
        "Neo4jServiceAccount {}/{}: {state}",
        view.namespace, view.name
    );
    if let Some(message) = &view.message {
        for line in wrap(message, style.width.saturating_sub(2)) {
            let _ = writeln!(text, "  {line}");
        }
    }
    if let Some(seconds) = view.seconds_to_turn {
        let _ = writeln!(
            text,
            "  at the pace of the last minutes its turn comes in about {}",
            human(seconds)
        );
    }
    text.push('\n');
    let mut field = |name: &str, lines: &[String]| {
        for (i, line) in lines.iter().enumerate() {
            let name = if i == 0 { name } else { "" };
            let _ = writeln!(text, "  {name:<width$}{line}", width = INDENT - 2);
        }
    };
    match &view.token {
        Some(token) => field("Token", &token_lines(token, style)),
        None => field("Token", &["none".to_owned()]),
    }
    field("Groups", &[groups(view)]);
    field("Credentials", &[credentials(view)]);
    if let Some(client_id) = &view.client_id {
        field("User name", &[format!("{client_id} in Neo4j")]);
    }
    if let Some(app_id) = &view.app_id {
        let org = view.org_url.as_deref().unwrap_or("Okta");
        field("Okta app", &[format!("{app_id} at {org}")]);
    }
    field("Issuer", std::slice::from_ref(&view.issuer));
    if !view.conditions.is_empty() {
        text.push('\n');
        text.push_str(&conditions(view, style));
    }
    text
}

fn token_lines(token: &Token, style: Style) -> Vec<String> {
    let life = human(token.lifetime());
    let left = match token.seconds_left {
        left if left > 0 => format!("{} of {life} left", human(left)),
        left => format!("expired {} ago, lived {life}", human(-left)),
    };
    let bar = style.paint(tone(token), &bar(token, LONG_BAR, style));
    vec![
        format!("{bar}  {left}"),
        format!("refresh {}, at {}", refresh(token), token.next_refresh_at.0),
        format!(
            "expires {}, at {}",
            when(token.seconds_left),
            token.expires_at.0
        ),
        format!("in Secret {}", token.secret_name),
    ]
}

fn groups(view: &View) -> String {
    let asked = view.groups.join(", ");
    let mut sorted = view.groups.clone();
    sorted.sort();
    match &view.token {
        Some(token) if token.groups != sorted && token.groups != view.groups => {
            format!("{asked}; in the token: {}", token.groups.join(", "))
        }
        _ => asked,
    }
}

fn credentials(view: &View) -> String {
    let credentials = &view.credentials;
    let mut text = match credentials.seconds_old {
        Some(old) => format!("in use for {}", human(old)),
        None => "none yet".to_owned(),
    };
    if let Some(next) = credentials.seconds_to_rotation {
        let _ = write!(text, ", next rotation {}", when(next));
    }
    if let Some(secret) = &credentials.secret_name {
        let _ = write!(text, ", in Secret {secret}");
    }
    text
}

fn conditions(view: &View, style: Style) -> String {
    // Stalled and Reconciling are bad or unfinished when they are True.
    let tone = |type_: &str, status: &str| match (type_, status) {
        ("Stalled", "True") => Tone::Bad,
        ("Reconciling", "True") => Tone::Warn,
        (_, "True") => Tone::Good,
        (_, "False") => Tone::Bad,
        _ => Tone::Warn,
    };
    let mut text = String::new();
    // A problem's words are repeated by each condition that it keeps from True.
    let mut told: Vec<&str> = view.message.as_deref().into_iter().collect();
    for c in &view.conditions {
        let tone = tone(&c.type_, &c.status);
        let _ = writeln!(
            text,
            "  {} {:<18}{}",
            style.mark(tone),
            c.type_,
            style.paint(tone, &c.reason)
        );
        if told.contains(&c.message.as_str()) {
            continue;
        }
        told.push(&c.message);
        for line in wrap(&c.message, style.width.saturating_sub(4)) {
            let _ = writeln!(text, "    {line}");
        }
    }
    text
}

/// The life that is left, as a bar, with a mark where the refresh comes.
#[must_use]
pub(super) fn bar(token: &Token, cells: usize, style: Style) -> String {
    let (full, empty, mark) = match style.unicode {
        true => ('█', '░', '┊'),
        false => ('#', '.', '|'),
    };
    let lifetime = token.lifetime().max(1);
    let part = |seconds: i64| {
        let seconds = seconds.clamp(0, lifetime);
        let cells = i64::try_from(cells).unwrap_or(i64::MAX);
        // Rounded up: a bar is empty when nothing is left, and not before.
        usize::try_from((seconds * cells + lifetime - 1) / lifetime).unwrap_or(0)
    };
    let filled = part(token.seconds_left);
    let refresh = part(token.seconds_left - token.seconds_to_refresh);
    (0..cells)
        .map(|cell| match cell {
            // A short bar has no room for it.
            _ if cell == refresh && cells > BAR => mark,
            _ if cell < filled => full,
            _ => empty,
        })
        .collect()
}

const fn tone(token: &Token) -> Tone {
    match (token.seconds_left, token.seconds_to_refresh) {
        (..=0, _) => Tone::Bad,
        (_, ..=0) => Tone::Warn,
        _ => Tone::Good,
    }
}

fn refresh(token: &Token) -> String {
    match token.seconds_to_refresh {
        seconds if seconds > 0 => when(seconds),
        seconds => format!("due for {}", human(-seconds)),
    }
}

/// `in 12m`, or `12m ago`.
#[must_use]
pub(super) fn when(seconds: i64) -> String {
    match seconds {
        0.. => format!("in {}", human(seconds)),
        _ => format!("{} ago", human(-seconds)),
    }
}

/// A duration as kubectl writes it: two units at most, the smaller one only while
/// it matters.
#[must_use]
pub(super) fn human(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    let two = |large: i64, unit: &str, small: i64, smaller: &str| match small {
        0 => format!("{large}{unit}"),
        _ => format!("{large}{unit}{small}{smaller}"),
    };
    match seconds {
        0..120 => format!("{seconds}s"),
        120..600 => two(minutes, "m", seconds % 60, "s"),
        600..3600 => format!("{minutes}m"),
        3600..28800 => two(hours, "h", minutes % 60, "m"),
        28800..172_800 => format!("{hours}h"),
        _ => format!("{days}d"),
    }
}
