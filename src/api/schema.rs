//! Pieces of the schemas that more than one field needs, and those that no
//! derive can make: patterns, CEL rules, and other people's types with limits.

use schemars::{Schema, SchemaGenerator, json_schema};

/// A name of an object in Kubernetes.
pub(super) const NAME: &str = "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$";
/// A group, as a token carries it.
pub(super) const GROUP: &str = "^[A-Za-z0-9_.:@/-]([A-Za-z0-9_.:@/ -]*[A-Za-z0-9_.:@/-])?$";
/// A duration such as `1h30m`: at most three parts, so that it cannot overflow.
const DURATION: &str = "^([0-9]{1,5}(h|m|s)){1,3}$";
/// CEL: the URL of an org, and nothing more than that.
pub(super) const ORG_URL: &str = r"self.matches('^(https://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|http://(localhost|127[.]0[.]0[.]1|\\[::1\\]))(:[0-9]{1,5})?$')";
/// CEL: the org itself, and not the host that only browsers of admins use.
pub(super) const NOT_ADMIN_CONSOLE: &str =
    "!self.matches('^https://[^.]+-admin[.](okta|oktapreview|okta-emea|okta-gov)[.]com')";
/// CEL: an audience that contains a colon is a URI.
pub(super) const AUDIENCE: &str = "!self.contains(':') || self.matches('^[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9._~:/?#@!$&*+,;=%-]+$')";

/// The value of a label.
pub(super) const LABEL_VALUE: &str = "^([A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?)?$";
/// The key of a label or an annotation.
const QUALIFIED: &str =
    "^([a-z0-9]([a-z0-9.-]*[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$";
/// Room for a prefix, the slash and a name.
const QUALIFIED_MAX: u32 = 253 + 1 + 63;

/// CEL: no key of a map belongs to the operator or to Kubernetes.
pub(super) const NOT_OURS: &str = "self.all(k, !k.startsWith('neo4j-okta.dev/') && !k.startsWith('kubernetes.io/') && k != 'app.kubernetes.io/managed-by')";
/// What to do then.
pub(super) const NOT_OURS_MESSAGE: &str = "must have no key under neo4j-okta.dev/ or kubernetes.io/, nor app.kubernetes.io/managed-by, because the operator sets those: remove it";
/// What to do when [`qualified_keys`] fails.
pub(super) const QUALIFIED_KEYS_MESSAGE: &str =
    "must have keys such as team or example.com/team: correct the key";

/// CEL: each key of a map is one that labels and annotations may have.
pub(super) fn qualified_keys() -> String {
    format!("self.all(k, k.size() <= {QUALIFIED_MAX} && k.matches('{QUALIFIED}'))")
}

/// CEL: each key of a map is a group.
pub(super) fn group_keys() -> String {
    format!("self.all(k, k.size() <= 100 && k.matches('{GROUP}'))")
}

/// CEL: a duration that is not shorter than `least`.
pub(super) fn at_least(least: &str) -> String {
    format!("self.matches('{DURATION}') && duration(self) >= duration('{least}')")
}

/// CEL: whole minutes from `least` to `most`.
pub(super) fn minutes(least: &str, most: &str) -> String {
    format!(
        "self.matches('^([0-9]{{1,5}}(h|m)){{1,2}}$') && duration(self) >= duration('{least}') && duration(self) <= duration('{most}')"
    )
}

/// CEL: where both are durations, one is shorter than the other.
pub(super) fn shorter(short: &str, long: &str) -> String {
    format!(
        "!has(self.{short}) || !self.{short}.matches('{DURATION}') || !self.{long}.matches('{DURATION}') || duration(self.{short}) < duration(self.{long})"
    )
}

/// CEL: an optional field is as it was, present or absent.
pub(super) fn unchanged(field: &str) -> String {
    format!(
        "(has(self.{field}) ? self.{field} : '') == (has(oldSelf.{field}) ? oldSelf.{field} : '')"
    )
}

/// Conditions, as `metav1.Condition` has them, and with its limits.
pub(super) fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 16,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "required": ["lastTransitionTime", "message", "reason", "status", "type"],
            "properties": {
                "type": {
                    "description": "Which condition.",
                    "type": "string",
                    "maxLength": 316,
                },
                "status": {
                    "description": "Whether it holds.",
                    "type": "string",
                    "enum": ["True", "False", "Unknown"],
                },
                "reason": {
                    "description": "Why, in one word on which alerts may match.",
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 1024,
                    "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
                },
                "message": {
                    "description": "Why, for people, and what to do.",
                    "type": "string",
                    "maxLength": 32768,
                },
                "lastTransitionTime": {
                    "description": "When the status last changed.",
                    "type": "string",
                    "format": "date-time",
                },
                "observedGeneration": {
                    "description": "The generation of the spec that this condition speaks of.",
                    "type": "integer",
                    "format": "int64",
                    "minimum": 0,
                },
            },
        },
    })
}

/// A label selector, with limits and the checks that otherwise come too late.
pub(super) fn label_selector(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "properties": {
            "matchLabels": {
                "description": "Labels that a namespace must have.",
                "type": "object",
                "maxProperties": 16,
                "additionalProperties": { "type": "string", "maxLength": 63, "pattern": LABEL_VALUE },
                "x-kubernetes-validations": [
                    { "rule": qualified_keys(), "message": QUALIFIED_KEYS_MESSAGE },
                ],
            },
            "matchExpressions": {
                "description": "Conditions on a namespace's labels; all must hold.",
                "type": "array",
                "maxItems": 16,
                "x-kubernetes-list-type": "atomic",
                "items": {
                    "type": "object",
                    "required": ["key", "operator"],
                    "x-kubernetes-validations": [{
                        "rule": "(self.operator in ['In', 'NotIn']) == (has(self.values) && self.values.size() > 0)",
                        "message": "must be given with the operators In and NotIn, and with no other: add or remove values",
                        "fieldPath": ".values",
                    }],
                    "properties": {
                        "key": {
                            "description": "The key of the label.",
                            "type": "string",
                            "maxLength": QUALIFIED_MAX,
                            "pattern": QUALIFIED,
                        },
                        "operator": {
                            "description": "How the label's value and `values` must relate.",
                            "type": "string",
                            "enum": ["In", "NotIn", "Exists", "DoesNotExist"],
                        },
                        "values": {
                            "description": "Values for `In` and `NotIn`.",
                            "type": "array",
                            "maxItems": 32,
                            "x-kubernetes-list-type": "atomic",
                            "items": { "type": "string", "maxLength": 63, "pattern": LABEL_VALUE },
                        },
                    },
                },
            },
        },
    })
}
