//! Okta's Org Settings API, of which one setting matters here. Needs
//! `okta.orgs.read`, which the operator can do without.

use reqwest::Method;

use super::budget::{Bucket, Turn};
use super::error::Error;
use super::http::{Org, Request};

/// The operation's name, by which it is known to be one that may be refused.
pub(super) const READ: &str = "read_org_setting";

impl Org {
    /// `GET /api/v1/org/settings/clientPrivilegesSetting`: whether new public
    /// client apps become super admins.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn new_clients_are_admins(&self, turn: &Turn) -> Result<bool, Error> {
        let path = ["api", "v1", "org", "settings", "clientPrivilegesSetting"];
        let request = Request::new(Method::GET, READ, Bucket::Management, &path);
        let answer = self.call(request, turn).await?;
        answer.body["clientPrivilegesSetting"]
            .as_bool()
            .ok_or_else(|| Error::transient(format!("{READ}: Okta's answer is no such setting")))
    }
}
