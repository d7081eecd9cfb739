//! The part of the Okta Expression Language that a machine's token needs:
//! `app.*`, `access.scope`, literals, comparisons, `? :` and `Arrays.contains`.
//! What it does not know fails, as it would at Okta: never a guess.

use serde_json::Value;

/// Why an expression gave no value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It went through null (`appuser.x` without a user, a missing property).
    Null,
    /// It cannot be read or uses something unknown.
    Broken,
}

/// Evaluates an expression; `root` has `app`, `access` and `appuser`.
pub(crate) fn evaluate(text: &str, root: &Value) -> Result<Value, Failure> {
    let tokens = tokens(text).ok_or(Failure::Broken)?;
    let mut parser = Parser {
        tokens,
        at: 0,
        depth: 0,
    };
    let tree = parser.ternary()?;
    if parser.at < parser.tokens.len() {
        return Err(Failure::Broken);
    }
    value_of(&tree, root)
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Name(String),
    Text(String),
    Number(i64),
    Sign(&'static str),
}

const SIGNS: [&str; 17] = [
    "==", "!=", "&&", "||", "<=", ">=", "?", ":", "(", ")", "{", "}", ",", ".", "!", "[", "]",
];

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if first == '"' || first == '\'' {
            let end = rest[1..].find(first)? + 1;
            found.push(Token::Text(rest[1..end].to_owned()));
            rest = &rest[end + 1..];
        } else if first.is_ascii_digit() {
            let end = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            found.push(Token::Number(rest[..end].parse().ok()?));
            rest = &rest[end..];
        } else if first.is_ascii_alphabetic() || first == '_' {
            let end = rest
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            found.push(match &rest[..end] {
                "AND" | "and" => Token::Sign("&&"),
                "OR" | "or" => Token::Sign("||"),
                name => Token::Name(name.to_owned()),
            });
            rest = &rest[end..];
        } else {
            let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign))?;
            found.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
        }
        rest = rest.trim_start();
    }
    Some(found)
}

#[derive(Debug)]
enum Tree {
    Literal(Value),
    List(Vec<Self>),
    Path(Vec<String>),
    Contains(Box<Self>, Box<Self>),
    Not(Box<Self>),
    Both(Box<Self>, Box<Self>),
    Either(Box<Self>, Box<Self>),
    Equal(Box<Self>, Box<Self>, bool),
    Choose(Box<Self>, Box<Self>, Box<Self>),
}

/// Brackets, lists and negations within each other: each costs stack frames.
const DEEPEST: usize = 64;

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn sign(&mut self, sign: &str) -> bool {
        let hit = matches!(self.tokens.get(self.at), Some(Token::Sign(found)) if *found == sign);
        self.at += usize::from(hit);
        hit
    }

    fn need(&mut self, sign: &str) -> Result<(), Failure> {
        if self.sign(sign) {
            Ok(())
        } else {
            Err(Failure::Broken)
        }
    }

    fn ternary(&mut self) -> Result<Tree, Failure> {
        let condition = self.either()?;
        if !self.sign("?") {
            return Ok(condition);
        }
        let yes = self.ternary()?;
        self.need(":")?;
        let no = self.ternary()?;
        Ok(Tree::Choose(
            Box::new(condition),
            Box::new(yes),
            Box::new(no),
        ))
    }

    fn either(&mut self) -> Result<Tree, Failure> {
        let mut left = self.both()?;
        while self.sign("||") {
            left = Tree::Either(Box::new(left), Box::new(self.both()?));
        }
        Ok(left)
    }

    fn both(&mut self) -> Result<Tree, Failure> {
        let mut left = self.equal()?;
        while self.sign("&&") {
            left = Tree::Both(Box::new(left), Box::new(self.equal()?));
        }
        Ok(left)
    }

    fn equal(&mut self) -> Result<Tree, Failure> {
        let left = self.not()?;
        for (sign, wanted) in [("==", true), ("!=", false)] {
            if self.sign(sign) {
                return Ok(Tree::Equal(Box::new(left), Box::new(self.not()?), wanted));
            }
        }
        Ok(left)
    }

    fn not(&mut self) -> Result<Tree, Failure> {
        if self.depth == DEEPEST {
            return Err(Failure::Broken);
        }
        self.depth += 1;
        let tree = self.negated();
        self.depth -= 1;
        tree
    }

    fn negated(&mut self) -> Result<Tree, Failure> {
        if self.sign("!") {
            return Ok(Tree::Not(Box::new(self.not()?)));
        }
        let mut tree = self.primary()?;
        // A method on a value: `access.scope.contains("x")`.
        if let Tree::Path(names) = &mut tree
            && self.sign("(")
        {
            let method = names.pop().ok_or(Failure::Broken)?;
            let first = self.ternary()?;
            let arrays = names.as_slice() == ["Arrays"] && method == "contains";
            tree = if arrays {
                self.need(",")?;
                Tree::Contains(Box::new(first), Box::new(self.ternary()?))
            } else if method == "contains" && !names.is_empty() {
                Tree::Contains(Box::new(Tree::Path(std::mem::take(names))), Box::new(first))
            } else {
                return Err(Failure::Broken);
            };
            self.need(")")?;
        }
        Ok(tree)
    }

    fn primary(&mut self) -> Result<Tree, Failure> {
        if self.sign("(") {
            let inner = self.ternary()?;
            self.need(")")?;
            return Ok(inner);
        }
        if self.sign("{") {
            let mut items = Vec::new();
            while !self.sign("}") {
                if !items.is_empty() {
                    self.need(",")?;
                }
                items.push(self.ternary()?);
            }
            return Ok(Tree::List(items));
        }
        let token = self.tokens.get(self.at).cloned().ok_or(Failure::Broken)?;
        self.at += 1;
        match token {
            Token::Text(text) => Ok(Tree::Literal(Value::from(text))),
            Token::Number(number) => Ok(Tree::Literal(Value::from(number))),
            Token::Name(name) => match name.as_str() {
                "null" => Ok(Tree::Literal(Value::Null)),
                "true" => Ok(Tree::Literal(Value::Bool(true))),
                "false" => Ok(Tree::Literal(Value::Bool(false))),
                _ => self.path(name),
            },
            Token::Sign(_) => Err(Failure::Broken),
        }
    }

    fn path(&mut self, first: String) -> Result<Tree, Failure> {
        let mut names = vec![first];
        loop {
            if self.sign(".") {
                match self.tokens.get(self.at) {
                    Some(Token::Name(name)) => names.push(name.clone()),
                    _ => return Err(Failure::Broken),
                }
                self.at += 1;
            } else if self.sign("[") {
                match self.tokens.get(self.at) {
                    Some(Token::Text(name)) => names.push(name.clone()),
                    _ => return Err(Failure::Broken),
                }
                self.at += 1;
                self.need("]")?;
            } else {
                return Ok(Tree::Path(names));
            }
        }
    }
}

fn truth(tree: &Tree, root: &Value) -> Result<bool, Failure> {
    value_of(tree, root)?.as_bool().ok_or(Failure::Broken)
}

fn value_of(tree: &Tree, root: &Value) -> Result<Value, Failure> {
    Ok(match tree {
        Tree::Literal(value) => value.clone(),
        Tree::List(items) => Value::Array(
            items
                .iter()
                .map(|item| value_of(item, root))
                .collect::<Result<_, _>>()?,
        ),
        Tree::Path(names) => walk(names, root)?,
        Tree::Contains(list, item) => {
            let item = value_of(item, root)?;
            match value_of(list, root)? {
                Value::Array(list) => Value::Bool(list.contains(&item)),
                Value::Null => return Err(Failure::Null),
                _ => return Err(Failure::Broken),
            }
        }
        Tree::Not(inner) => Value::Bool(!truth(inner, root)?),
        Tree::Both(a, b) => Value::Bool(truth(a, root)? && truth(b, root)?),
        Tree::Either(a, b) => Value::Bool(truth(a, root)? || truth(b, root)?),
        Tree::Equal(a, b, wanted) => {
            Value::Bool((compared(a, root)? == compared(b, root)?) == *wanted)
        }
        Tree::Choose(condition, yes, no) => {
            value_of(if truth(condition, root)? { yes } else { no }, root)?
        }
    })
}

/// In a comparison a missing property is null, which is what guards rely on.
fn compared(tree: &Tree, root: &Value) -> Result<Value, Failure> {
    match value_of(tree, root) {
        Err(Failure::Null) => Ok(Value::Null),
        other => other,
    }
}

fn walk(names: &[String], root: &Value) -> Result<Value, Failure> {
    let mut value = root.get(&names[0]).ok_or(Failure::Broken)?;
    for name in &names[1..] {
        value = match value {
            Value::Object(map) => map.get(name).ok_or(Failure::Null)?,
            Value::Null => return Err(Failure::Null),
            _ => return Err(Failure::Broken),
        };
    }
    Ok(value.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_deepest_expression_that_can_be_saved_fits_the_stack_of_a_server() {
        for deep in ["(".repeat(1024), "!".repeat(1024), "{".repeat(1024)] {
            let one = std::thread::Builder::new().stack_size(2 << 20);
            let outcome = one.spawn(move || evaluate(&deep, &Value::Null));
            assert_eq!(outcome.unwrap().join().unwrap(), Err(Failure::Broken));
        }
    }

    #[test]
    fn what_okta_evaluates() {
        let root = json!({
            "app": { "id": "0oa1", "clientId": "client", "profile": { "g": ["a", "b"], "n": { "x": "y" } } },
            "access": { "scope": ["s"] },
            "appuser": null,
        });
        let cases = [
            ("app.profile.g", Ok(json!(["a", "b"]))),
            ("app.profile.n.x", Ok(json!("y"))),
            ("app.profile.missing", Err(Failure::Null)),
            ("appuser.groups", Err(Failure::Null)),
            (
                "(appuser != null) ? appuser.userName : app.clientId",
                Ok(json!("client")),
            ),
            (
                "app.profile.missing != null ? app.profile.missing : {}",
                Ok(json!([])),
            ),
            (
                "app.profile.g == null ? {\"x\"} : app.profile.g",
                Ok(json!(["a", "b"])),
            ),
            ("{\"a\", 'b'}", Ok(json!(["a", "b"]))),
            ("access.scope", Ok(json!(["s"]))),
            (
                "Arrays.contains(app.profile.g, \"a\") && access.scope.contains(\"s\")",
                Ok(json!(true)),
            ),
            ("null", Ok(json!(null))),
            ("user.email", Err(Failure::Broken)),
            ("app.profile.g +", Err(Failure::Broken)),
            ("", Err(Failure::Broken)),
        ];
        for (text, expected) in cases {
            assert_eq!(evaluate(text, &root), expected, "{text}");
        }
    }
}
