//! `/api/v1/org/settings`: what an org does by itself with new apps.

use serde_json::json;

use crate::call::{Answer, Call, Outcome};
use crate::org::Org;

/// GET …/clientPrivilegesSetting
pub(crate) fn client_privileges(org: &mut Org, _call: &Call) -> Outcome {
    let setting = json!({ "clientPrivilegesSetting": org.new_clients_are_admins });
    Ok(Answer::json(200, setting))
}
