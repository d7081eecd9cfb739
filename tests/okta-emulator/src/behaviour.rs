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
    /// The client id of a deleted app can be used again. Default true.
    pub deleted_client_ids_are_free: bool,
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
            deleted_client_ids_are_free: true,
            null_in_claims: NullInClaims::Omit,
            next_policy_when_no_rule_matches: true,
            no_matching_policy_status: 401,
            rate_limit_headers_show_share: false,
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
