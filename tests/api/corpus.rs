//! The files of `corpus/`: good objects, and cases that are patches of them.

use kube::core::cel::{ValidationError, Validator};
use neo4j_okta_operator::api::crds;
use serde::Deserialize;
use serde_json::{Value, json};

/// The good objects, by the name of their file.
const BASES: [(&str, &str); 4] = [
    (
        "account-minimal",
        include_str!("corpus/account-minimal.yaml"),
    ),
    (
        "account-maximal",
        include_str!("corpus/account-maximal.yaml"),
    ),
    ("issuer-minimal", include_str!("corpus/issuer-minimal.yaml")),
    ("issuer-maximal", include_str!("corpus/issuer-maximal.yaml")),
];

/// A good object of the corpus.
pub(crate) fn base(name: &str) -> Value {
    let (_, text) = BASES.iter().find(|(base, _)| *base == name).unwrap();
    serde_saphyr::from_str(text).unwrap()
}

/// Every good object of the corpus.
pub(crate) fn bases() -> Vec<Value> {
    BASES.iter().map(|(name, _)| base(name)).collect()
}

/// An object that is accepted, or an update to it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Accepted {
    pub(crate) name: String,
    pub(crate) base: String,
    patch: Value,
    /// Makes of the base object what exists already: this is an update.
    #[serde(default)]
    before: Option<Value>,
    /// Pointers to what is written as an explicit null.
    #[serde(default)]
    nulls: Vec<String>,
}

/// An object that is refused, or an update.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Refused {
    pub(crate) name: String,
    patch: Value,
    #[serde(default)]
    before: Option<Value>,
    pub(crate) by: By,
    /// The field that the answer names.
    pub(crate) path: String,
    /// What the answer says about it.
    pub(crate) says: String,
    #[serde(skip)]
    base: &'static str,
}

/// What refuses an object.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum By {
    /// A type, a limit or a pattern: only the API server judges by those.
    Schema,
    /// A CEL rule, which can be evaluated here as well.
    Rule,
}

/// What is sent, and what exists before that.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) object: Value,
    pub(crate) old: Option<Value>,
}

impl Accepted {
    pub(crate) fn all() -> Vec<Self> {
        serde_saphyr::from_str(include_str!("corpus/accepted.yaml")).unwrap()
    }

    pub(crate) fn request(&self) -> Request {
        let mut request = request(&self.base, self.before.as_ref(), &self.patch);
        for pointer in &self.nulls {
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            request.object.pointer_mut(parent).unwrap()[key] = Value::Null;
        }
        request
    }
}

impl Refused {
    pub(crate) fn all() -> Vec<Self> {
        let read = |text, base| {
            let mut cases: Vec<Self> = serde_saphyr::from_str(text).unwrap();
            cases.iter_mut().for_each(|case| case.base = base);
            cases
        };
        let accounts = include_str!("corpus/refused-accounts.yaml");
        let issuers = include_str!("corpus/refused-issuers.yaml");
        let mut cases = read(accounts, "account-minimal");
        cases.extend(read(issuers, "issuer-minimal"));
        cases
    }

    pub(crate) fn request(&self) -> Request {
        request(self.base, self.before.as_ref(), &self.patch)
    }
}

fn request(name: &str, before: Option<&Value>, patch: &Value) -> Request {
    let mut object = base(name);
    let old = before.map(|before| {
        merge(&mut object, before);
        object.clone()
    });
    merge(&mut object, patch);
    Request { object, old }
}

/// RFC 7396.
pub(crate) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, value) in patch {
        if value.is_null() {
            target.as_object_mut().unwrap().remove(key);
        } else {
            merge(&mut target[key], value);
        }
    }
}

/// The schema of an object's kind.
pub(crate) fn schema_of(object: &Value) -> Value {
    let crds = crds();
    let crd = crds
        .iter()
        .find(|crd| crd.spec.names.kind == object["kind"]);
    json!(crd.unwrap().spec.versions[0].schema)["openAPIV3Schema"].clone()
}

/// What the CEL rules say about a request, without a server.
pub(crate) fn evaluate(request: &Request) -> Vec<ValidationError> {
    let schema = schema_of(&request.object);
    let result = Validator::new().validate(&schema, &request.object, request.old.as_ref());
    result
        .err()
        .map_or_else(Vec::new, |errors| errors.into_vec())
}
