//! Where Okta's documents leave a question open, the emulator has a switch. The
//! defaults are the answers that are hardest on a caller without being absurd.

use serde::{Deserialize, Serialize};

/// Answers to open questions about Okta.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Behaviour {
    /// Deleting an app takes its id out of every policy. Default false: the id
    /// stays, and a later PUT that names it fails.
    pub deleted_apps_leave_policies: bool,
    /// A policy may go on naming the client of an app that was deleted while
    /// it was listed. Default false: 400, "Resource not found".
    pub deleted_clients_may_stay_listed: bool,
    /// A policy may name no client at all. Default false: 400.
    pub policies_may_be_empty: bool,
    /// The client id of a deleted app can be used again. Default true.
    pub deleted_client_ids_are_free: bool,
    /// Client ids that differ in case only are the same when an app is made.
    /// Default true. A token endpoint compares with case either way.
    pub client_ids_ignore_case: bool,
    /// What a create answers whose client id is taken.
    pub taken_client_id: TakenClientId,
    /// Two apps cannot have one label (E0000040). Default false.
    pub labels_are_unique: bool,
    /// The caller's secret is taken when an app is made. Default true;
    /// otherwise Okta makes one of its own.
    pub secret_of_create_is_kept: bool,
    /// The caller's secret is taken by a PUT that changes the method. Default
    /// true; otherwise Okta makes one of its own.
    pub secret_of_method_change_is_kept: bool,
    /// So many milliseconds pass until a token endpoint knows a new client;
    /// until then it is `invalid_client`. Default 0.
    pub new_clients_settle_ms: u64,
    /// Both halves of Basic credentials are form-decoded, as RFC 6749 §2.3.1
    /// says. Default false.
    pub basic_is_form_decoded: bool,
    /// What a claim does that navigates through null.
    pub null_in_claims: NullInClaims,
    /// A policy whose client matches but none of whose rules does hands over
    /// to the next policy. Default true.
    pub next_policy_when_no_rule_matches: bool,
    /// The status of `access_denied` when no policy matches. Default 401.
    pub no_matching_policy_status: u16,
    /// `X-Rate-Limit-Limit` and `-Remaining` show the principal's share, not
    /// the org's bucket. Default false.
    pub rate_limit_headers_show_share: bool,
    /// A PUT that changes nothing but the profile is in the System Log as
    /// `application.lifecycle.update`. Default true.
    pub profile_change_is_logged: bool,
    /// `transaction.id` in the System Log is the `X-Okta-Request-Id` of the
    /// call. Default true.
    pub transaction_is_request_id: bool,
    /// The org server binds a token to the key of a DPoP proof, even if the app
    /// does not ask for it. Default true.
    pub unasked_proof_binds: bool,
    /// The org server's tokens are JWTs of a kind, not random strings. They are
    /// opaque by contract in both cases. Default false.
    pub org_tokens_look_like_jwts: bool,
    /// A DPoP proof binds the token even of a client that need not show one.
    /// Default true.
    pub unasked_proofs_bind: bool,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            deleted_apps_leave_policies: false,
            deleted_clients_may_stay_listed: false,
            policies_may_be_empty: false,
            deleted_client_ids_are_free: true,
            client_ids_ignore_case: true,
            taken_client_id: TakenClientId::Invalid,
            labels_are_unique: false,
            secret_of_create_is_kept: true,
            secret_of_method_change_is_kept: true,
            new_clients_settle_ms: 0,
            basic_is_form_decoded: false,
            null_in_claims: NullInClaims::Omit,
            next_policy_when_no_rule_matches: true,
            no_matching_policy_status: 401,
            rate_limit_headers_show_share: false,
            profile_change_is_logged: true,
            transaction_is_request_id: true,
            unasked_proof_binds: true,
            org_tokens_look_like_jwts: false,
            unasked_proofs_bind: true,
        }
    }
}

/// What becomes of a claim whose expression goes through null, such as
/// `appuser.groups` where there is no user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NullInClaims {
    /// The claim is left out of the token.
    Omit,
    /// The token request fails: 400 server_error.
    ServerError,
}

/// What a create answers whose client id is another app's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TakenClientId {
    /// 400 E0000001.
    Invalid,
    /// 409 E0000195, which Okta's OpenAPI does not declare for a create.
    Conflict,
}
