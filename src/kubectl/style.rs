//! How text looks on this terminal: colour, symbols, width. Pure but for
//! [`Style::of_stdout`], which asks the terminal once.

use std::io::IsTerminal;

/// What a piece of text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// Nothing special.
    Plain,
    /// In order.
    Good,
    /// Worth a look.
    Warn,
    /// Somebody must act.
    Bad,
    /// Beside the point.
    Dim,
}

/// How to write.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    /// With colours.
    pub(super) color: bool,
    /// With symbols beyond ASCII.
    pub(super) unicode: bool,
    /// Columns of the terminal.
    pub(super) width: usize,
}

/// Where there is no terminal, as `man` has it.
const WIDTH: usize = 80;

impl Style {
    /// Without colours, with symbols: what a file gets.
    #[cfg(test)]
    pub(super) const fn plain(width: usize) -> Self {
        Self {
            color: false,
            unicode: true,
            width,
        }
    }

    /// What suits the standard output and the environment.
    #[must_use]
    pub(super) fn of_stdout() -> Self {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
        let utf8 = |locale: String| locale.to_lowercase().replace('-', "").contains("utf8");
        let columns = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
        Self {
            // https://no-color.org
            color: std::io::stdout().is_terminal()
                && set("NO_COLOR").is_none()
                && set("TERM").is_none_or(|term| term != "dumb"),
            unicode: locale.is_none_or(utf8),
            width: columns.unwrap_or(WIDTH).max(40),
        }
    }

    /// The text in its colour.
    #[must_use]
    pub(super) fn paint(&self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Plain => return text.to_owned(),
            Tone::Good => 32,
            Tone::Warn => 33,
            Tone::Bad => 31,
            Tone::Dim => 2,
        };
        match self.color && !text.is_empty() {
            true => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            false => text.to_owned(),
        }
    }

    /// A mark in front of a line.
    #[must_use]
    pub(super) fn mark(&self, tone: Tone) -> String {
        let mark = match (tone, self.unicode) {
            (Tone::Good, true) => "✓",
            (Tone::Good, false) => "+",
            (Tone::Warn, _) => "!",
            (Tone::Bad, true) => "✗",
            (Tone::Bad, false) => "x",
            (Tone::Plain | Tone::Dim, true) => "·",
            (Tone::Plain | Tone::Dim, false) => "-",
        };
        self.paint(tone, mark)
    }
}

/// A cell of a table.
#[derive(Clone, Debug)]
pub(super) struct Cell(pub(super) Tone, pub(super) String);

impl Cell {
    /// Text without a meaning of its own.
    pub(super) fn plain(text: impl Into<String>) -> Self {
        Self(Tone::Plain, text.into())
    }
}

/// A table as kubectl prints it: three spaces between columns, none at the end.
#[must_use]
pub(super) fn table(style: Style, header: &[&str], rows: &[Vec<Cell>]) -> String {
    let head: Vec<Cell> = header.iter().map(|name| Cell::plain(*name)).collect();
    let widths = widths(header, rows);
    let lines = std::iter::once(&head).chain(rows);
    lines.map(|row| line(style, &widths, row)).collect()
}

/// How wide each column has to be.
#[must_use]
pub(super) fn widths(header: &[&str], rows: &[Vec<Cell>]) -> Vec<usize> {
    let width = |(column, name): (usize, &&str)| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let widest = cells.map(|cell| cell.1.chars().count()).max();
        widest.unwrap_or(0).max(name.chars().count())
    };
    header.iter().enumerate().map(width).collect()
}

/// One line of a table with columns of these widths.
#[must_use]
pub(super) fn line(style: Style, widths: &[usize], row: &[Cell]) -> String {
    let mut line = String::new();
    for (column, Cell(tone, cell)) in row.iter().enumerate() {
        line.push_str(&style.paint(*tone, cell));
        if column + 1 < row.len() {
            let width = widths.get(column).copied().unwrap_or_default();
            let gap = width.saturating_sub(cell.chars().count()) + 3;
            line.push_str(&" ".repeat(gap));
        }
    }
    format!("{}\n", line.trim_end())
}

/// Breaks words into lines of at most `width`; a longer word stays whole, so that
/// a command can be copied.
#[must_use]
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_moves_no_column() {
        let rows = [
            vec![Cell(Tone::Bad, "Expired".into()), Cell::plain("now")],
            vec![Cell(Tone::Good, "Ready".into()), Cell::plain("in 40m")],
        ];
        let plain = table(Style::plain(80), &["STATE", "EXPIRES"], &rows);
        let colour = Style {
            color: true,
            ..Style::plain(80)
        };
        let mut painted = table(colour, &["STATE", "EXPIRES"], &rows);
        assert!(painted.contains("\u{1b}[31mExpired\u{1b}[0m   now"));
        for code in ["\u{1b}[31m", "\u{1b}[32m", "\u{1b}[0m"] {
            painted = painted.replace(code, "");
        }
        assert_eq!(painted, plain);
    }

    #[test]
    fn lines_are_broken_at_spaces_alone() {
        let command = "neo4j-okta.dev/restore=$(date +%s)";
        assert_eq!(
            wrap(&format!("to resume: {command}"), 12),
            ["to resume:", "neo4j-okta.dev/restore=$(date", "+%s)"]
        );
    }
}
