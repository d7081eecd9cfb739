//! What an admin of the org does by hand: in-process, actor `admin`, outside of
//! limits, faults and the record of requests. Refusals are a test's mistake and
//! panic, except through [`Admin::call`].

use std::sync::Arc;

use serde_json::{Value, json};

use crate::call::Call;
use crate::serve::{Shared, by_hand};

/// The admin's hand.
#[derive(Debug, Clone)]
pub struct Admin {
    shared: Arc<Shared>,
}

impl Admin {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Any request of the emulated API: `target` is path and query.
    ///
    /// # Errors
    /// Okta's error body, when the request is refused.
    pub fn call(&self, method: &str, target: &str, body: Option<&Value>) -> Result<Value, Value> {
        let call = Call::local(method, target, body, self.shared.clock.now_ms());
        let answer = by_hand(&mut self.shared.org(), call);
        let body = answer.body.unwrap_or(Value::Null);
        if answer.status < 400 {
            Ok(body)
        } else {
            Err(body)
        }
    }

    fn must(&self, method: &str, target: &str, body: Option<&Value>) -> Value {
        match self.call(method, target, body) {
            Ok(value) => value,
            Err(error) => panic!("{method} {target} by the admin is refused: {error}"),
        }
    }

    fn list(&self, target: &str) -> Vec<Value> {
        match self.call("GET", target, None) {
            Ok(Value::Array(list)) => list,
            _ => Vec::new(),
        }
    }

    /// All apps, oldest first.
    pub fn apps(&self) -> Vec<Value> {
        let org = self.shared.org();
        org.apps
            .values()
            .map(|app| app.get().render(&org.url, false))
            .collect()
    }

    /// An app by its id.
    pub fn app(&self, id: &str) -> Option<Value> {
        self.call("GET", &format!("/api/v1/apps/{id}"), None).ok()
    }

    /// An app by exactly this client id.
    pub fn app_by_client_id(&self, client_id: &str) -> Option<Value> {
        let org = self.shared.org();
        org.app_of_client(client_id)
            .map(|app| app.get().render(&org.url, false))
    }

    /// Deactivates an app; its tokens die at Okta.
    pub fn deactivate_app(&self, id: &str) {
        self.must(
            "POST",
            &format!("/api/v1/apps/{id}/lifecycle/deactivate"),
            None,
        );
    }

    /// Activates an app.
    pub fn activate_app(&self, id: &str) {
        self.must(
            "POST",
            &format!("/api/v1/apps/{id}/lifecycle/activate"),
            None,
        );
    }

    /// Deactivates and deletes an app.
    pub fn delete_app(&self, id: &str) {
        self.deactivate_app(id);
        self.must("DELETE", &format!("/api/v1/apps/{id}"), None);
    }

    /// Creates an app; the answer has its secret.
    pub fn create_app(&self, app: &Value) -> Value {
        self.must("POST", "/api/v1/apps", Some(app))
    }

    /// Replaces an app, as a whole.
    pub fn replace_app(&self, id: &str, app: &Value) -> Value {
        self.must("PUT", &format!("/api/v1/apps/{id}"), Some(app))
    }

    /// The secrets of an app, in plaintext, without a trace in the log.
    pub fn secrets(&self, app_id: &str) -> Vec<Value> {
        let org = self.shared.org();
        let Some(app) = org.apps.get(app_id) else {
            return Vec::new();
        };
        let app = app.get();
        app.secrets
            .iter()
            .map(|secret| crate::secrets::render(&org.url, app, secret))
            .collect()
    }

    /// Adds a secret to an app.
    pub fn add_secret(&self, app_id: &str, secret: &str) -> Value {
        let body = json!({ "client_secret": secret });
        self.must(
            "POST",
            &format!("/api/v1/apps/{app_id}/credentials/secrets"),
            Some(&body),
        )
    }

    /// Rotates the signing key of an authorization server; returns its keys.
    pub fn rotate_keys(&self, as_id: &str) -> Value {
        let target =
            format!("/api/v1/authorizationServers/{as_id}/credentials/lifecycle/keyRotate");
        self.must("POST", &target, Some(&json!({ "use": "sig" })))
    }

    /// All authorization servers.
    pub fn authorization_servers(&self) -> Vec<Value> {
        self.list("/api/v1/authorizationServers")
    }

    /// The policies of an authorization server, by priority.
    pub fn policies(&self, as_id: &str) -> Vec<Value> {
        self.list(&format!("/api/v1/authorizationServers/{as_id}/policies"))
    }

    /// The rules of a policy, by priority.
    pub fn rules(&self, as_id: &str, policy_id: &str) -> Vec<Value> {
        self.list(&format!(
            "/api/v1/authorizationServers/{as_id}/policies/{policy_id}/rules"
        ))
    }

    /// The scopes of an authorization server, Okta's own included.
    pub fn scopes(&self, as_id: &str) -> Vec<Value> {
        self.list(&format!("/api/v1/authorizationServers/{as_id}/scopes"))
    }

    /// The claims of an authorization server, Okta's own included.
    pub fn claims(&self, as_id: &str) -> Vec<Value> {
        self.list(&format!("/api/v1/authorizationServers/{as_id}/claims"))
    }

    /// Creates an authorization server; returns its id.
    pub fn create_authorization_server(&self, name: &str, audience: &str) -> String {
        let body = json!({ "name": name, "description": name, "audiences": [audience], "issuerMode": "ORG_URL" });
        id_of(&self.must("POST", "/api/v1/authorizationServers", Some(&body)))
    }

    /// Adds a scope with implicit consent; returns its id.
    pub fn add_scope(&self, as_id: &str, name: &str) -> String {
        let body = json!({ "name": name, "description": name, "consent": "IMPLICIT", "metadataPublish": "NO_CLIENTS", "default": false });
        id_of(&self.must(
            "POST",
            &format!("/api/v1/authorizationServers/{as_id}/scopes"),
            Some(&body),
        ))
    }

    /// Adds an access-token claim of an expression, under these scopes; returns its id.
    pub fn add_claim(&self, as_id: &str, name: &str, expression: &str, scopes: &[&str]) -> String {
        let body = json!({
            "name": name, "status": "ACTIVE", "claimType": "RESOURCE", "valueType": "EXPRESSION",
            "value": expression, "alwaysIncludeInToken": true, "conditions": { "scopes": scopes },
        });
        id_of(&self.must(
            "POST",
            &format!("/api/v1/authorizationServers/{as_id}/claims"),
            Some(&body),
        ))
    }

    /// Adds a policy for clients (or `ALL_CLIENTS`) at a priority, or last; returns its id.
    pub fn add_policy(
        &self,
        as_id: &str,
        name: &str,
        clients: &[&str],
        priority: Option<u64>,
    ) -> String {
        let body = json!({
            "type": "OAUTH_AUTHORIZATION_POLICY", "name": name, "description": name, "status": "ACTIVE",
            "priority": priority, "conditions": { "clients": { "include": clients } },
        });
        id_of(&self.must(
            "POST",
            &format!("/api/v1/authorizationServers/{as_id}/policies"),
            Some(&body),
        ))
    }

    /// Adds a client_credentials rule, last; returns its id.
    pub fn add_rule(
        &self,
        as_id: &str,
        policy_id: &str,
        name: &str,
        scopes: &[&str],
        minutes: u64,
    ) -> String {
        let body = json!({
            "type": "RESOURCE_ACCESS", "name": name, "status": "ACTIVE",
            "conditions": { "grantTypes": { "include": ["client_credentials"] }, "scopes": { "include": scopes } },
            "actions": { "token": { "accessTokenLifetimeMinutes": minutes, "refreshTokenLifetimeMinutes": 0, "refreshTokenWindowMinutes": 10080 } },
        });
        let target = format!("/api/v1/authorizationServers/{as_id}/policies/{policy_id}/rules");
        id_of(&self.must("POST", &target, Some(&body)))
    }

    /// The SSWS token is no longer accepted.
    pub fn revoke_api_token(&self) {
        self.shared.org().api_token_revoked = true;
    }

    /// Another SSWS token takes the place of the former; returns it.
    pub fn renew_api_token(&self) -> String {
        let token = crate::ids::random_text(42);
        let mut org = self.shared.org();
        org.api_token.clone_from(&token);
        org.api_token_revoked = false;
        token
    }

    /// The access tokens for the management API that are out.
    pub fn management_tokens(&self) -> Vec<String> {
        self.shared.org().org_tokens.keys().cloned().collect()
    }

    /// Every access token for the management API ends now.
    pub fn end_management_tokens(&self) {
        self.shared.org().org_tokens.clear();
    }

    /// Whether a client has to prove possession of a key (DPoP).
    pub fn require_dpop(&self, app_id: &str, required: bool) {
        let mut app = self.app(app_id).unwrap_or_default();
        app["settings"]["oauthClient"]["dpop_bound_access_tokens"] = json!(required);
        self.replace_app(app_id, &app);
    }

    /// Adds a public key to an app that signs in by private_key_jwt.
    pub fn add_key(&self, app_id: &str, jwk: &Value) -> Value {
        let target = format!("/api/v1/apps/{app_id}/credentials/jwks");
        self.must("POST", &target, Some(jwk))
    }

    /// Deactivates and deletes a public key by its `kid`.
    pub fn remove_key(&self, app_id: &str, kid: &str) {
        let target = format!("/api/v1/apps/{app_id}/credentials/jwks");
        let keys = self.list(&target);
        for key in keys.iter().filter(|key| key["kid"] == kid) {
            let id = id_of(key);
            self.must("POST", &format!("{target}/{id}/lifecycle/deactivate"), None);
            self.must("DELETE", &format!("{target}/{id}"), None);
        }
    }

    /// The admin roles behind the SSWS token, or permissions of a custom role
    /// (`okta.apps.manage`, `okta.apps.clientCredentials.read`, …).
    pub fn set_api_token_rights(&self, roles: &[&str]) {
        self.shared.org().api_token_roles = owned(roles);
    }

    /// Whether the org makes new client apps super admins.
    pub fn set_client_privileges(&self, new_clients_are_admins: bool) {
        self.shared.org().new_clients_are_admins = new_clients_are_admins;
    }

    /// Registers the app that an operator signs in with (private_key_jwt);
    /// grants it scopes of the Okta API and admin roles. Returns its id.
    pub fn add_service_app_for_operator(
        &self,
        client_id: &str,
        jwks: &Value,
        scopes: &[&str],
        dpop: bool,
        roles: &[&str],
    ) -> String {
        let app = self.create_app(&json!({
            "name": "oidc_client", "label": client_id, "signOnMode": "OPENID_CONNECT",
            "credentials": { "oauthClient": { "client_id": client_id, "token_endpoint_auth_method": "private_key_jwt" } },
            "settings": { "oauthClient": {
                "application_type": "service", "grant_types": ["client_credentials"], "response_types": ["token"],
                "dpop_bound_access_tokens": dpop, "jwks": jwks,
            } },
        }));
        let id = id_of(&app);
        self.set_app_rights(&id, scopes, roles);
        id
    }

    /// Replaces the scope grants and the admin roles of an app.
    pub fn set_app_rights(&self, app_id: &str, scopes: &[&str], roles: &[&str]) {
        let now = self.shared.clock.now_ms();
        if let Some(app) = self.shared.org().apps.get_mut(app_id) {
            let app = app.edit(now, 0);
            app.grants = owned(scopes);
            app.roles = owned(roles);
        }
    }

    /// The System Log, oldest first.
    pub fn logs(&self) -> Vec<Value> {
        self.shared.org().log.all()
    }
}

fn owned(list: &[&str]) -> Vec<String> {
    list.iter().map(|item| (*item).to_owned()).collect()
}

fn id_of(value: &Value) -> String {
    value["id"].as_str().unwrap_or_default().to_owned()
}
