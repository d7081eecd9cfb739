//! The part of Okta's filter language that the emulated lists understand:
//! `eq`, `ne`, `sw`, `and`, `or`, `not` and brackets over strings. Anything
//! else is refused with E0000031, as an unknown field is.

use crate::refusal::Refusal;

/// Bytes of a filter; Okta's own limit is not published.
const LONGEST: usize = 2048;
/// Brackets and negations within each other: each costs stack frames.
const DEEPEST: usize = 64;

/// A parsed filter.
#[derive(Debug)]
pub(crate) enum Filter {
    Compare {
        field: String,
        op: Op,
        value: String,
    },
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Not(Box<Self>),
}

/// A comparison.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Op {
    Equal,
    NotEqual,
    StartsWith,
}

impl Filter {
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        if text.len() > LONGEST {
            return Err(bad());
        }
        let tokens = tokens(text).ok_or_else(bad)?;
        let mut parser = Parser {
            tokens,
            at: 0,
            depth: 0,
        };
        let filter = parser.or()?;
        if parser.at == parser.tokens.len() {
            Ok(filter)
        } else {
            Err(bad())
        }
    }

    /// Refuses every field but these.
    pub(crate) fn only(&self, fields: &[&str]) -> Result<(), Refusal> {
        match self {
            Self::Compare { field, .. } if fields.contains(&field.as_str()) => Ok(()),
            Self::Compare { .. } => Err(bad()),
            Self::And(a, b) | Self::Or(a, b) => a.only(fields).and_then(|()| b.only(fields)),
            Self::Not(a) => a.only(fields),
        }
    }

    /// Whether it holds; a field may have several values.
    pub(crate) fn matches(&self, values: &dyn Fn(&str) -> Vec<String>) -> bool {
        match self {
            Self::Compare { field, op, value } => {
                let found = values(field);
                match op {
                    Op::Equal => found.contains(value),
                    Op::NotEqual => !found.contains(value),
                    Op::StartsWith => found.iter().any(|found| found.starts_with(value)),
                }
            }
            Self::And(a, b) => a.matches(values) && b.matches(values),
            Self::Or(a, b) => a.matches(values) || b.matches(values),
            Self::Not(a) => !a.matches(values),
        }
    }
}

fn bad() -> Refusal {
    Refusal::api(400, "E0000031")
}

#[derive(Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Open,
    Close,
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut found = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            ' ' => {}
            '(' => found.push(Token::Open),
            ')' => found.push(Token::Close),
            '"' => {
                let mut value = String::new();
                loop {
                    match chars.next()? {
                        '"' => break,
                        '\\' => value.push(chars.next()?),
                        other => value.push(other),
                    }
                }
                found.push(Token::Text(value));
            }
            other => {
                let mut word = String::from(other);
                while let Some(next) = chars.next_if(|c| !" ()\"".contains(*c)) {
                    word.push(next);
                }
                found.push(Token::Word(word));
            }
        }
    }
    Some(found)
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn word(&mut self, word: &str) -> bool {
        let hit = matches!(self.tokens.get(self.at), Some(Token::Word(found)) if found.eq_ignore_ascii_case(word));
        self.at += usize::from(hit);
        hit
    }

    fn token(&mut self, token: &Token) -> bool {
        let hit = self.tokens.get(self.at) == Some(token);
        self.at += usize::from(hit);
        hit
    }

    fn or(&mut self) -> Result<Filter, Refusal> {
        let mut left = self.and()?;
        while self.word("or") {
            left = Filter::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Filter, Refusal> {
        let mut left = self.one()?;
        while self.word("and") {
            left = Filter::And(Box::new(left), Box::new(self.one()?));
        }
        Ok(left)
    }

    fn one(&mut self) -> Result<Filter, Refusal> {
        if self.depth == DEEPEST {
            return Err(bad());
        }
        self.depth += 1;
        let filter = self.single();
        self.depth -= 1;
        filter
    }

    fn single(&mut self) -> Result<Filter, Refusal> {
        if self.word("not") {
            return Ok(Filter::Not(Box::new(self.one()?)));
        }
        if self.token(&Token::Open) {
            let inner = self.or()?;
            return if self.token(&Token::Close) {
                Ok(inner)
            } else {
                Err(bad())
            };
        }
        let Some(Token::Word(field)) = self.tokens.get(self.at) else {
            return Err(bad());
        };
        let field = field.clone();
        self.at += 1;
        let op = if self.word("eq") {
            Op::Equal
        } else if self.word("ne") {
            Op::NotEqual
        } else if self.word("sw") {
            Op::StartsWith
        } else {
            return Err(bad());
        };
        let value = match self.tokens.get(self.at) {
            Some(Token::Text(value)) => value.clone(),
            Some(Token::Word(value)) if value == "true" || value == "false" => value.clone(),
            _ => return Err(bad()),
        };
        self.at += 1;
        Ok(Filter::Compare { field, op, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn and_binds_closer_than_or() {
        let filter = Filter::parse(r#"a eq "1" or a eq "2" and not (b sw "x")"#).unwrap();
        let with = |a: &'static str, b: &'static str| {
            filter.matches(&move |field| vec![if field == "a" { a } else { b }.to_owned()])
        };
        assert!(with("1", "xy"));
        assert!(!with("2", "xy"));
        assert!(with("2", "y"));
        assert!(Filter::parse("label co 1").is_err());
        assert!(Filter::parse(r#"a eq "1" b"#).is_err());
        assert!(Filter::parse(&"(".repeat(LONGEST)).is_err());
        assert!(Filter::parse(&"(".repeat(1 << 20)).is_err());
    }
}
