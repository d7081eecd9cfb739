//! Types of conditions and their reasons. One list, no logic: `plan::status`
//! decides which applies, `docs/reference/reasons.md` explains each.

/// The whole is usable.
pub const READY: &str = "Ready";
/// kstatus: the current generation has not had its first token yet.
pub const RECONCILING: &str = "Reconciling";
/// kstatus: nothing moves until somebody acts.
pub const STALLED: &str = "Stalled";
/// Account: the app exists at Okta as described.
pub const REGISTERED: &str = "Registered";
/// Account: the credentials Secret holds credentials that Okta has proved.
pub const CREDENTIALS_READY: &str = "CredentialsReady";
/// Account: the last refresh worked, or none was due.
pub const TOKEN_FRESH: &str = "TokenFresh";
/// Account: Neo4j accepted the token.
pub const NEO4J_VERIFIED: &str = "Neo4jVerified";
/// Issuer: the operator can end sessions at Neo4j.
pub const SESSIONS_ENDABLE: &str = "SessionsEndable";
/// Issuer: the operator may sign in at Okta.
pub const AUTHENTICATED: &str = "Authenticated";
/// Issuer: authorization server, scope and claim are as needed.
pub const AUTHORIZATION_SERVER_READY: &str = "AuthorizationServerReady";
/// Issuer: a policy and a rule let the accounts mint.
pub const POLICY_SYNCED: &str = "PolicySynced";

macro_rules! reasons {
    ($($(#[doc = $doc:literal])* $name:ident),+ $(,)?) => {
        /// Why a condition is as it is. Stable: alerts may match on it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason { $($(#[doc = $doc])* $name),+ }

        impl Reason {
            /// Every reason, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The reason as it stands in conditions and events.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),+ }
            }
        }
    };
}

reasons! {
    // Going well.
    /// The app, the credentials and a fresh token are in place.
    TokenIssued,
    /// The app exists at Okta as described.
    AppRegistered,
    /// The credentials in the Secret were proved by a token.
    CredentialsProved,
    /// Registration at Okta is under way.
    Registering,
    /// A new generation of the spec is being carried out.
    Progressing,
    /// The app waits to be admitted by the access policy.
    WaitingForAdmission,
    /// Okta was just changed by us and does not show it everywhere yet.
    Settling,
    /// Okta's rate limit is used up; the account has a slot to come back at.
    RateLimited,
    /// A Secret of a former account of this name is about to be collected.
    WaitingForGarbageCollection,

    // Somebody must act: the account.
    /// The issuer does not allow a group, or the namespace, or more accounts.
    NotAllowed,
    /// `spec.suspended` is true.
    Suspended,
    /// A Secret of that name exists and is not ours.
    SecretConflict,
    /// The API server refuses the Secret as described.
    SecretRefused,
    /// The client id is taken at Okta by an app that is not ours.
    ClientIdTaken,
    /// Okta answered a creation with another client id or method than asked.
    UnexpectedAnswer,
    /// Somebody deactivated the app at Okta.
    DisabledInOkta,
    /// Somebody deleted the app at Okta.
    DeletedInOkta,
    /// Somebody took a group out of the app's profile again.
    DisputedInOkta,
    /// The app that the status names does not carry our marker.
    NotOurs,
    /// Both slots for client secrets are in use at Okta by others.
    SlotsFull,
    /// The spec cannot be carried out as it is.
    InvalidSpec,
    /// The token that Okta issued does not pass our checks.
    TokenRefused,
    /// A policy of somebody else answers in front of ours.
    ShadowedByPolicy,

    // Somebody must act: the platform.
    /// The operator does not look into the account's namespace.
    NamespaceNotWatched,
    /// The issuer does not exist.
    IssuerNotFound,
    /// The issuer is not ready.
    IssuerNotReady,
    /// No answer, or a broken one, from Okta.
    OktaUnreachable,
    /// Okta refused the client's credentials.
    InvalidClient,
    /// No access policy lets the client have a token.
    AccessDenied,
    /// Okta refused the request for a reason of its own.
    OktaRefused,
    /// The token passed its expiry and no new one could be had.
    TokenExpired,
    /// There has been no token yet, or it was withdrawn.
    NoToken,
    /// The API server refused or failed a write.
    KubernetesError,

    // Neo4j.
    /// Each server accepts the token, as the user and with the roles expected.
    TokenAccepted,
    /// No server was asked yet.
    NotVerified,
    /// No answer from a server's Query API, or one that is not Neo4j's.
    Neo4jUnreachable,
    /// The server knows no OIDC provider: it refuses all bearer tokens.
    ProviderNotConfigured,
    /// The server refuses the token, and has accepted none of the issuer's since the
    /// operator was started, or has refused since what it had accepted.
    RefusedByNeo4j,
    /// The server refuses the token since its signing key is a new one.
    KeysStale,
    /// The server refuses the token, and its clock is off by more than it may be.
    Neo4jClockSkew,
    /// The server accepted another account of the issuer last, and refuses this one.
    UserRefused,
    /// Neo4j takes another claim than `sub` for the name of the user.
    UserDiffers,
    /// Neo4j gives roles that the issuer's mapping does not.
    UnexpectedRoles,
    /// Neo4j does not give a role that the issuer's mapping does.
    RoleMissing,
    /// A group of the account is not in the issuer's mapping and gives no role.
    GroupNotMapped,
    /// The operator can log in at each server as an administrator.
    AdministratorAccepted,
    /// The account that ends sessions has no valid token.
    AdministratorNotReady,
    /// The account that ends sessions is no administrator at a server.
    NotAdministrator,
    /// Sessions of a stopped account were ended at a server.
    SessionsEnded,

    // Deletion.
    /// The app is being removed from Okta.
    Deleting,
    /// The app was left at Okta on request.
    Abandoned,

    // Issuer.
    /// The issuer is usable.
    IssuerReady,
    /// Usable, but Okta's clock and ours differ by more than 30 s.
    ClockSkew,
    /// Usable, but an outage of Okta would be noticed at once.
    PromiseNotKept,
    /// Usable, but apps of ours at Okta have lost their account.
    OrphanedApps,
    /// Usable, but what others change at Okta is seen late.
    LogNotReadable,
    /// Usable, but the org makes new client apps super admins.
    NewClientsAreAdmins,
    /// Usable, but other authorization servers issue tokens to the apps as well.
    OtherServersAdmit,
    /// Signed in with `private_key_jwt`.
    SignedIn,
    /// Signed in with an API token (SSWS); Okta advises against it.
    ApiTokenInUse,
    /// The sign-in Secret does not exist.
    SignInSecretNotFound,
    /// The sign-in Secret lacks a key or holds something unusable.
    SignInSecretInvalid,
    /// The sign-in Secret is not marked for this org's host.
    SignInHostNotAllowed,
    /// Okta refused the operator's sign-in.
    Unauthorized,
    /// The operator's sign-in lacks an OAuth scope or an admin role.
    MissingPermission,
    /// The authorization server is in place.
    ServerReady,
    /// There is no such authorization server.
    AuthorizationServerNotFound,
    /// The authorization server is not active.
    AuthorizationServerInactive,
    /// The authorization server has another audience than the issuer says.
    AudienceMismatch,
    /// The authorization server lacks the scope.
    ScopeMissing,
    /// A scope of that name exists with other content.
    ScopeConflict,
    /// The authorization server lacks the claim.
    ClaimMissing,
    /// A claim of that name exists with other content.
    ClaimConflict,
    /// No access policy and rule let service apps have a token.
    PolicyMissing,
    /// Policy and rule are in place.
    PolicyReady,
    /// More clients would be removed from the policy than is plausible.
    MassRemoval,
    /// The spec of the issuer cannot be carried out as it is.
    InvalidIssuer,
}
