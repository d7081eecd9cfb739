//! Paging as Okta does it: `limit`, an opaque `after`, and `Link` headers with
//! absolute URLs. Whoever builds a next URL by hand is on their own.

use serde_json::Value;

use crate::call::{Answer, Call};
use crate::ids;
use crate::refusal::Refusal;

/// The page size asked for.
pub(crate) fn limit(call: &Call, default: usize, max: usize) -> Result<usize, Refusal> {
    match call.query("limit") {
        None | Some("" | "-1") => Ok(default),
        Some(text) => text
            .parse()
            .ok()
            .filter(|limit| (1..=max).contains(limit))
            .ok_or_else(|| Refusal::invalid("limit", "limit: The limit is out of range")),
    }
}

/// The key behind an opaque `after`.
pub(crate) fn after(call: &Call) -> Result<Option<String>, Refusal> {
    let Some(cursor) = call.query("after").filter(|cursor| !cursor.is_empty()) else {
        return Ok(None);
    };
    ids::unb64(cursor)
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .map(Some)
        .ok_or_else(|| Refusal::invalid("after", "after: The cursor is not valid"))
}

/// A page, its `self` link, and its `next` link when there is more.
pub(crate) fn answer(base: &str, call: &Call, items: Vec<Value>, next: Option<&str>) -> Answer {
    let own = if call.raw_query.is_empty() {
        String::new()
    } else {
        format!("?{}", call.raw_query)
    };
    let path = &call.path;
    let mut answer = Answer::json(200, Value::Array(items))
        .with_header("link", format!("<{base}{path}{own}>; rel=\"self\""));
    if let Some(key) = next {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("after", &ids::b64(key));
        for (name, value) in call
            .query
            .iter()
            .filter(|(name, _)| name != "after" && name != "since")
        {
            query.append_pair(name, value);
        }
        let query = query.finish();
        answer = answer.with_header("link", format!("<{base}{path}?{query}>; rel=\"next\""));
    }
    answer
}

/// A page of a short list that is kept in order.
pub(crate) fn slice<T>(
    base: &str,
    call: &Call,
    items: &[T],
    key: impl Fn(&T) -> &str,
    render: impl Fn(&T) -> Value,
) -> Result<Answer, Refusal> {
    let limit = limit(call, 200, 200)?;
    let start = match after(call)? {
        None => 0,
        Some(cursor) => items
            .iter()
            .position(|item| key(item) == cursor)
            .map_or(items.len(), |n| n + 1),
    };
    let end = items.len().min(start + limit);
    let next = (end < items.len() && end > start).then(|| key(&items[end - 1]));
    let rendered = items[start.min(end)..end].iter().map(render).collect();
    Ok(answer(base, call, rendered, next))
}
