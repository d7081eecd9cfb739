//! What stays known of an account between two reconciles of one process. Losing
//! it costs calls, never correctness. Pure; holds no secret.

use k8s_openapi::jiff::Timestamp;

use super::app::AppView;
use super::step::{Content, Credential, Minted, OktaCredential, Refusal};
use super::verification::Verification;
use crate::api::conditions::Reason;
use crate::neo4j::sessions::Cause;

/// The app at Okta, as far as we looked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum App {
    /// Not looked.
    #[default]
    Unknown,
    /// Okta does not know it.
    Absent,
    /// It is so. Forgotten once the account is settled, so it takes no room of its own.
    Present(Box<AppView>),
}

/// An app at Okta and the client id that it was registered under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// Okta's id of the app.
    pub app_id: String,
    /// The OAuth client id.
    pub client_id: String,
}

impl Registered {
    pub(super) fn of(view: &AppView) -> Self {
        Self {
            app_id: view.id.clone(),
            client_id: view.client_id.clone(),
        }
    }
}

/// A change by somebody else that the System Log told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noticed {
    /// Counts them, to tell a new one from one that was looked into.
    pub number: u64,
    /// Who, in words.
    pub actor: String,
    /// The secrets or keys were changed.
    pub credentials: bool,
}

/// How far the former credentials of a rotation were retired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Retiring {
    /// Nothing was done.
    #[default]
    NotYet,
    /// They were deactivated.
    Deactivated,
    /// They were deleted.
    Deleted,
    /// Okta refused: look at the list.
    Refused,
}

/// What stays known between two reconciles of one process. Losing it costs
/// calls, never correctness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// The app and its client id, once known.
    pub registered: Option<Registered>,
    /// The app at Okta; forgotten once the account is settled.
    pub app: App,
    /// Revision of the description that was last seen in place at Okta.
    pub confirmed: Option<String>,
    /// What the credentials Secret with this data revision holds.
    pub content: Option<(String, Content)>,
    /// Live credentials are in memory.
    pub holds_live: bool,
    /// The Secret holds other live credentials than memory does.
    pub edited: bool,
    /// The staged credentials were never sent to Okta.
    pub fresh: bool,
    /// The account was there, past all caches, in this reconcile.
    pub stands: bool,
    /// Whether Okta knows the staged client id.
    pub client_known: Option<bool>,
    /// How many ways of finding the app have been tried.
    pub searches: u8,
    /// An app of a former installation was looked for.
    pub former_searched: bool,
    /// Why the creation did not lead to the app that was asked for.
    pub create_refused: Option<(Reason, String)>,
    /// What the app signs in with; forgotten after each reconcile.
    pub credentials: Option<Vec<OktaCredential>>,
    /// How far the former credentials were retired without a look at the list.
    pub retiring: Retiring,
    /// The staged credentials replaced those of the app.
    pub replaced: bool,
    /// Whether the access policy lists the client.
    pub admitted: Option<bool>,
    /// The issuer was told that the client leaves.
    pub left: bool,
    /// We deleted the app ourselves.
    pub removed: bool,
    /// When the app is looked at although nothing says that it changed.
    pub check_at: Option<Timestamp>,
    /// Since when Okta has shown no trace of the app, as far as this process saw.
    pub absent_since: Option<Timestamp>,
    /// Groups that others had taken out were put back, and that is to be noted.
    pub regrouped: bool,
    /// What the System Log last said of it.
    pub noticed: Option<Noticed>,
    /// Since when the issuer object is missing.
    pub issuer_gone_since: Option<Timestamp>,
    /// A token in hand.
    pub minted: Option<Minted>,
    /// resourceVersion of the token Secret when we last wrote a token into it.
    pub token_version: Option<String>,
    /// The last refusal of a token, and with which credentials it was asked for.
    pub refused: Option<(Credential, Refusal)>,
    /// Until when refusals are taken for Okta's delay.
    pub settling_until: Timestamp,
    /// Rate limiter of tokens that the tenant causes.
    pub mint_tat: Timestamp,
    /// Touches of the two Secrets that were looked into.
    pub looked_credentials: Option<String>,
    /// As above.
    pub looked_token: Option<String>,
    /// A look found the token Secret damaged.
    pub token_damaged: bool,
    /// Since when the published token carries a group that the spec lost.
    pub lost_group_since: Option<Timestamp>,
    /// Since when the issuer does not permit the account.
    pub denied_since: Option<Timestamp>,
    /// What came of trying the token at Neo4j.
    pub verification: Verification,
    /// It is noted that the account's connections at Neo4j end, and why.
    pub ending: Option<Cause>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            registered: None,
            app: App::Unknown,
            confirmed: None,
            content: None,
            holds_live: false,
            edited: false,
            fresh: false,
            stands: false,
            client_known: None,
            searches: 0,
            former_searched: false,
            create_refused: None,
            credentials: None,
            retiring: Retiring::NotYet,
            replaced: false,
            admitted: None,
            left: false,
            removed: false,
            check_at: None,
            absent_since: None,
            regrouped: false,
            noticed: None,
            issuer_gone_since: None,
            minted: None,
            token_version: None,
            refused: None,
            settling_until: Timestamp::MIN,
            mint_tat: Timestamp::MIN,
            looked_credentials: None,
            looked_token: None,
            token_damaged: false,
            lost_group_since: None,
            denied_since: None,
            verification: Verification::default(),
            ending: None,
        }
    }
}

impl Memory {
    /// The clock jumped: graces begin anew.
    pub fn forget_instants(&mut self) {
        self.settling_until = Timestamp::MIN;
        self.mint_tat = Timestamp::MIN;
        self.check_at = None;
        self.absent_since = None;
        self.issuer_gone_since = None;
        self.lost_group_since = None;
        self.denied_since = None;
        self.verification.due = None;
    }

    /// Okta shows the app, or does not.
    pub(super) fn seen(&mut self, there: bool, now: Timestamp) {
        let since = self.absent_since.unwrap_or(now);
        self.absent_since = (!there).then_some(since);
    }

    /// Takes in what the System Log said: the app has to be looked at anew.
    pub fn notice(&mut self, noticed: &Noticed, now: Timestamp) {
        let known = self.noticed.as_ref().map(|n| n.number);
        if known.is_some_and(|known| known >= noticed.number) {
            return;
        }
        self.app = App::Unknown;
        self.check_at = Some(now);
        // Whether Okta still accepts what stands in the Secret, a token tells.
        self.token_damaged |= noticed.credentials;
        self.noticed = Some(noticed.clone());
    }

    /// Forgets, at the start of a reconcile, what may have changed since the
    /// last one: each reconcile tries once.
    pub fn begin(&mut self, now: Timestamp) {
        self.refused = None;
        self.minted = None;
        self.credentials = None;
        self.retiring = Retiring::NotYet;
        self.stands = false;
        self.client_known = None;
        self.searches = 0;
        self.create_refused = None;
        if self.admitted == Some(false) {
            self.admitted = None;
        }
        // What we wrote within the last minute is known better from our own
        // answer than from a new look.
        if now >= self.settling_until || self.app == App::Absent {
            self.app = App::Unknown;
        }
    }
}
