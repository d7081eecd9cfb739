//! Every name that this operator writes into a cluster or into Okta: labels,
//! annotations, finalizers, keys of Secrets, suffixes. One list, no logic.

/// The API group of both kinds.
pub const GROUP: &str = "neo4j-okta.dev";
/// The served version of both kinds.
pub const VERSION: &str = "v1alpha1";
/// The field manager of every write, and the name of the controller in events.
pub const OPERATOR: &str = "neo4j-okta-operator";

/// Label on every Secret that the operator owns; its value is [`OPERATOR`].
pub const LABEL_MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Label on every Secret that the operator owns: the name of its account.
pub const LABEL_SERVICE_ACCOUNT: &str = "neo4j-okta.dev/service-account";

/// Label on credentials that an issuer keeps private: the uid of their account,
/// which cannot be their owner from another namespace.
pub const LABEL_ACCOUNT_UID: &str = "neo4j-okta.dev/account-uid";
/// Label on credentials that an issuer keeps private: the account's namespace.
pub const LABEL_ACCOUNT_NAMESPACE: &str = "neo4j-okta.dev/account-namespace";
/// Label by which a pod asks for a token Secret, where the chart's injection is
/// switched on. The API server acts on it; the operator never looks at pods.
pub const LABEL_INJECT: &str = "neo4j-okta.dev/inject";

/// Finalizer of an account: its Okta app may still exist.
pub const FINALIZER_ACCOUNT: &str = "neo4j-okta.dev/okta-app";
/// Finalizer of an issuer, present only while an account refers to it.
pub const FINALIZER_ISSUER: &str = "neo4j-okta.dev/in-use";

/// Written on Secrets: the client id whose credentials or token they hold.
pub const ANNOTATION_CLIENT_ID: &str = "neo4j-okta.dev/client-id";
/// Written on the token Secret: when the token was issued (RFC 3339).
pub const ANNOTATION_ISSUED_AT: &str = "neo4j-okta.dev/issued-at";
/// Written on the token Secret: when the token expires (RFC 3339).
pub const ANNOTATION_EXPIRES_AT: &str = "neo4j-okta.dev/expires-at";
/// Written on the token Secret: when the token will be replaced (RFC 3339).
pub const ANNOTATION_REFRESH_AT: &str = "neo4j-okta.dev/refresh-at";
/// Written on the token Secret: the groups in the token, comma-separated.
pub const ANNOTATION_GROUPS: &str = "neo4j-okta.dev/groups";

/// What `kubectl apply` keeps of the file that an object was made from.
pub const KUBECTL_LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Set by a user on an account: any new value asks for a new token at once.
/// Copied to the token Secret with the token that answers it.
pub const ANNOTATION_RENEW: &str = "neo4j-okta.dev/renew";
/// Set by a user on an account: any new value asks for new client credentials,
/// once an hour at most. Copied to the credentials Secret once they are staged.
pub const ANNOTATION_ROTATE: &str = "neo4j-okta.dev/rotate";
/// Set by a user on an account: any new value lets an account resume whose app
/// was disabled or deleted at Okta. Copied to the credentials Secret once done.
pub const ANNOTATION_RESTORE: &str = "neo4j-okta.dev/restore";
/// Set by a user on an account under deletion: let go of the Okta app.
pub const ANNOTATION_ABANDON: &str = "neo4j-okta.dev/abandon";
/// Required on the issuer's sign-in Secret: the host it may be sent to.
pub const ANNOTATION_ALLOW_HOST: &str = "neo4j-okta.dev/allow-host";
/// Set on an issuer: its value is the number of removals that are confirmed.
pub const ANNOTATION_CONFIRM_REMOVALS: &str = "neo4j-okta.dev/confirm-removals";

/// Set on an issuer: its value is the number of orphans at Okta to delete.
pub const ANNOTATION_DELETE_ORPHANS: &str = "neo4j-okta.dev/delete-orphans";

/// Suffix of the default name of the credentials Secret.
pub const SUFFIX_CREDENTIALS: &str = "-okta-credentials";
/// Suffix of the default name of the token Secret.
pub const SUFFIX_TOKEN: &str = "-neo4j-token";

/// The type of the token Secret, as Service Binding wants it (immutable).
pub const SECRET_TYPE_TOKEN: &str = "servicebinding.io/neo4j";
/// The type of the credentials Secret.
pub const SECRET_TYPE_CREDENTIALS: &str = "Opaque";

/// Key of the token Secret: the access token.
pub const KEY_TOKEN: &str = "token";
/// Key of the token Secret: Service Binding's `type`, always `neo4j`.
pub const KEY_TYPE: &str = "type";
/// Key of the token Secret: Service Binding's `provider`, always `okta`.
pub const KEY_PROVIDER: &str = "provider";
/// Key of the token Secret: where Neo4j listens, when the issuer says so.
pub const KEY_URI: &str = "uri";

/// Key of the credentials Secret: the OAuth client id.
pub const KEY_CLIENT_ID: &str = "client_id";
/// Key of the credentials Secret: the OAuth client secret.
pub const KEY_CLIENT_SECRET: &str = "client_secret";
/// Key of the credentials Secret: the private key (PKCS #8, PEM).
pub const KEY_PRIVATE_KEY: &str = "private_key";
/// Key of the credentials Secret: the same private key as a JWK (RFC 7517).
pub const KEY_PRIVATE_JWK: &str = "private_key_jwk";
/// Key of the credentials Secret: the private key's `kid` (RFC 7638).
pub const KEY_KEY_ID: &str = "key_id";
/// Key of the credentials Secret: how the client signs in (RFC 7591).
pub const KEY_AUTH_METHOD: &str = "token_endpoint_auth_method";
/// Key of the credentials Secret: where the client gets a token.
pub const KEY_TOKEN_ENDPOINT: &str = "token_endpoint";
/// Key of the credentials Secret: the scope to ask for.
pub const KEY_SCOPE: &str = "scope";
/// Key of the credentials Secret: counts the clients registered for an account.
pub const KEY_GENERATION: &str = "generation";

/// Prefix of the staged keys of a credentials Secret: written before Okta is
/// asked, gone once Okta has proved them.
pub const PREFIX_STAGED: &str = "next_";
/// Staged: the label of the app exactly as it is sent.
pub const KEY_NEXT_LABEL: &str = "next_label";

/// The ConfigMap with Neo4j's settings for an issuer, in the operator's namespace.
#[must_use]
pub fn neo4j_settings(issuer: &str) -> String {
    format!("neo4j-settings-{issuer}")
}
