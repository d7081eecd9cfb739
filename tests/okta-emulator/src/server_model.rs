//! A custom authorization server and its parts as the emulator keeps them and
//! as Okta shows them. No request is judged here.

use serde_json::{Map, Value, json};

use crate::app::status;
use crate::clock::iso;
use crate::ids;
use crate::org::href;
use crate::signing::Signing;

/// An authorization server with everything in it.
#[derive(Debug, Clone)]
pub(crate) struct AuthorizationServer {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) audience: String,
    pub(crate) issuer_mode: String,
    pub(crate) active: bool,
    pub(crate) created: u64,
    pub(crate) updated: u64,
    pub(crate) signing: Signing,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) claims: Vec<Claim>,
    /// In the order of their priority.
    pub(crate) policies: Vec<Policy>,
}

/// A scope.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) system: bool,
    pub(crate) default: bool,
    pub(crate) consent: String,
    /// displayName, description, metadataPublish, optional.
    pub(crate) rest: Map<String, Value>,
}

/// A claim.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) system: bool,
    pub(crate) active: bool,
    pub(crate) claim_type: String,
    pub(crate) value_type: String,
    pub(crate) value: String,
    pub(crate) always: bool,
    pub(crate) scopes: Vec<String>,
    pub(crate) group_filter_type: Option<String>,
}

/// An access policy.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) active: bool,
    pub(crate) clients: Vec<String>,
    pub(crate) created: u64,
    pub(crate) updated: u64,
    /// In the order of their priority.
    pub(crate) rules: Vec<Rule>,
}

/// A rule of an access policy.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) active: bool,
    pub(crate) grant_types: Vec<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) people: Option<Value>,
    pub(crate) lifetime_minutes: u64,
    /// `actions.token` as it was given, defaults filled in.
    pub(crate) token: Map<String, Value>,
    pub(crate) created: u64,
    pub(crate) updated: u64,
}

/// The server that every org starts with.
pub(crate) fn default_server(sequence: &mut u64, now: u64) -> AuthorizationServer {
    new_server(
        "default",
        "default",
        "Default Authorization Server for your applications",
        "api://default",
        sequence,
        now,
    )
}

/// A server with Okta's own scopes and its `sub` claim.
pub(crate) fn new_server(
    id: &str,
    name: &str,
    description: &str,
    audience: &str,
    sequence: &mut u64,
    now: u64,
) -> AuthorizationServer {
    let mut new_id = |prefix| {
        *sequence += 1;
        ids::object_id(prefix, *sequence)
    };
    let system = [
        "openid",
        "profile",
        "email",
        "address",
        "phone",
        "offline_access",
        "device_sso",
    ];
    let scopes = system
        .iter()
        .map(|name| {
            let mut rest = Map::new();
            rest.insert("displayName".into(), json!(name));
            rest.insert("metadataPublish".into(), json!("ALL_CLIENTS"));
            rest.insert("optional".into(), json!(false));
            Scope {
                id: new_id("scp"),
                name: (*name).to_owned(),
                system: true,
                default: false,
                consent: "IMPLICIT".to_owned(),
                rest,
            }
        })
        .collect();
    let sub = Claim {
        id: new_id("ocl"),
        name: "sub".to_owned(),
        system: true,
        active: true,
        claim_type: "RESOURCE".to_owned(),
        value_type: "EXPRESSION".to_owned(),
        value: "(appuser != null) ? appuser.userName : app.clientId".to_owned(),
        always: true,
        scopes: Vec::new(),
        group_filter_type: None,
    };
    AuthorizationServer {
        id: id.to_owned(),
        name: name.to_owned(),
        description: description.to_owned(),
        audience: audience.to_owned(),
        issuer_mode: "ORG_URL".to_owned(),
        active: true,
        created: now,
        updated: now,
        signing: Signing::new(now),
        scopes,
        claims: vec![sub],
        policies: Vec::new(),
    }
}

impl AuthorizationServer {
    pub(crate) fn issuer(&self, base: &str) -> String {
        format!("{base}/oauth2/{}", self.id)
    }

    pub(crate) fn render(&self, base: &str) -> Value {
        let link = format!("{base}/api/v1/authorizationServers/{}", self.id);
        let verb = if self.active {
            "deactivate"
        } else {
            "activate"
        };
        let mut signing = json!({
            "kid": self.signing.kid(),
            "use": "sig",
            "rotationMode": if self.signing.automatic { "AUTO" } else { "MANUAL" },
            "lastRotated": iso(self.signing.rotated),
        });
        if self.signing.automatic {
            signing["nextRotation"] = json!(iso(self.signing.next_rotation()));
        }
        let mut server = json!({
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "audiences": [self.audience],
            "issuer": self.issuer(base),
            "issuerMode": self.issuer_mode,
            "status": status(self.active),
            "created": iso(self.created),
            "lastUpdated": iso(self.updated),
            "credentials": { "signing": signing },
            "_links": {
                "self": { "href": link, "hints": { "allow": ["GET", "DELETE", "PUT"] } },
                "rotateKey": { "href": format!("{link}/credentials/lifecycle/keyRotate"), "hints": { "allow": ["POST"] } },
                "metadata": [{ "name": "oauth-authorization-server", "href": format!("{}/.well-known/oauth-authorization-server", self.issuer(base)), "hints": { "allow": ["GET"] } }],
                "scopes": href(&format!("{link}/scopes")),
                "claims": href(&format!("{link}/claims")),
                "policies": href(&format!("{link}/policies")),
            },
        });
        server["_links"][verb] =
            json!({ "href": format!("{link}/lifecycle/{verb}"), "hints": { "allow": ["POST"] } });
        server
    }

    pub(crate) fn policy(&self, id: &str) -> Option<&Policy> {
        self.policies.iter().find(|policy| policy.id == id)
    }
}

impl Scope {
    pub(crate) fn render(&self, parent: &str) -> Value {
        let mut scope = Value::Object(self.rest.clone());
        scope["id"] = json!(self.id);
        scope["name"] = json!(self.name);
        scope["system"] = json!(self.system);
        scope["default"] = json!(self.default);
        scope["consent"] = json!(self.consent);
        scope["_links"] = json!({ "self": { "href": format!("{parent}/scopes/{}", self.id), "hints": { "allow": ["GET", "PUT", "DELETE"] } } });
        scope
    }
}

impl Claim {
    pub(crate) fn render(&self, parent: &str) -> Value {
        let mut claim = json!({
            "id": self.id,
            "name": self.name,
            "status": status(self.active),
            "claimType": self.claim_type,
            "valueType": self.value_type,
            "value": self.value,
            "alwaysIncludeInToken": self.always,
            "system": self.system,
            "conditions": { "scopes": self.scopes },
            "_links": { "self": { "href": format!("{parent}/claims/{}", self.id), "hints": { "allow": ["GET", "PUT", "DELETE"] } } },
        });
        if let Some(kind) = &self.group_filter_type {
            claim["group_filter_type"] = json!(kind);
        }
        claim
    }
}

impl Policy {
    pub(crate) fn render(&self, parent: &str, priority: usize) -> Value {
        let link = format!("{parent}/policies/{}", self.id);
        let mut policy = json!({
            "type": "OAUTH_AUTHORIZATION_POLICY",
            "id": self.id,
            "status": status(self.active),
            "name": self.name,
            "description": self.description,
            "priority": priority,
            "system": false,
            "conditions": { "clients": { "include": self.clients } },
            "created": iso(self.created),
            "lastUpdated": iso(self.updated),
            "_links": {
                "self": { "href": link, "hints": { "allow": ["GET", "PUT", "DELETE"] } },
                "rules": { "href": format!("{link}/rules"), "hints": { "allow": ["GET"] } },
            },
        });
        let verb = if self.active {
            "deactivate"
        } else {
            "activate"
        };
        policy["_links"][verb] =
            json!({ "href": format!("{link}/lifecycle/{verb}"), "hints": { "allow": ["POST"] } });
        policy
    }
}

impl Rule {
    pub(crate) fn render(&self, parent: &str, priority: usize) -> Value {
        let link = format!("{parent}/rules/{}", self.id);
        let mut rule = json!({
            "type": "RESOURCE_ACCESS",
            "id": self.id,
            "status": status(self.active),
            "name": self.name,
            "priority": priority,
            "system": false,
            "conditions": {
                "grantTypes": { "include": self.grant_types },
                "scopes": { "include": self.scopes },
            },
            "actions": { "token": self.token },
            "created": iso(self.created),
            "lastUpdated": iso(self.updated),
            "_links": { "self": { "href": link, "hints": { "allow": ["GET", "PUT", "DELETE"] } } },
        });
        if let Some(people) = &self.people {
            rule["conditions"]["people"] = people.clone();
        }
        let verb = if self.active {
            "deactivate"
        } else {
            "activate"
        };
        rule["_links"][verb] =
            json!({ "href": format!("{link}/lifecycle/{verb}"), "hints": { "allow": ["POST"] } });
        rule
    }
}
