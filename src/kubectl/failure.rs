//! Why a command came to nothing, in words that say what to do. Pure.

use kube::core::Status;

/// A command that came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// In words.
    Told(String),
    /// Nobody reads any more: the pipe behind us was closed.
    Unread,
}

impl Failure {
    /// A failure in words.
    pub(super) fn told(words: impl Into<String>) -> Self {
        Self::Told(words.into())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::Unread,
            _ => Self::Told(format!("the output cannot be written: {error}")),
        }
    }
}

/// What a failed request to the API server means for `what`, such as
/// `Neo4jServiceAccount payments/etl`.
#[must_use]
pub(super) fn refused(what: &str, error: &kube::Error) -> Failure {
    Failure::Told(match error {
        kube::Error::Api(status) => words(what, status),
        error => format!("{what}: the cluster does not answer: {}", root(error)),
    })
}

fn words(what: &str, status: &Status) -> String {
    let message = status.message.as_str();
    if let Some(policy) = denied(message) {
        return format!("{what}: refused by an admission policy: {policy}");
    }
    let unknown = message.contains("the server could not find the requested resource")
        || message.contains("404 page not found");
    match status.code {
        404 if unknown => {
            "the cluster knows no such kind: is neo4j-okta-operator installed there?".to_owned()
        }
        404 => format!("there is no {what}"),
        401 => "the cluster does not know you: look at the user of your kubeconfig".to_owned(),
        403 => format!("{what}: you may not do that: {message}"),
        _ => format!("{what}: {message}"),
    }
}

/// What a ValidatingAdmissionPolicy says, without the names around it.
fn denied(message: &str) -> Option<&str> {
    message
        .contains("ValidatingAdmissionPolicy")
        .then_some(())?;
    message.split_once("denied request: ").map(|(_, why)| why)
}

fn root(error: &kube::Error) -> String {
    let mut error: &dyn std::error::Error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16, message: &str) -> kube::Error {
        let mut status = Status::failure(message, "");
        status.code = code;
        kube::Error::Api(status.boxed())
    }

    #[test]
    fn a_policys_own_words_are_told_and_not_its_names() {
        let error = status(
            403,
            "neo4jserviceaccounts.neo4j-okta.dev \"etl\" is forbidden: ValidatingAdmissionPolicy 'neo4j-okta-operator-account-annotations' with binding 'neo4j-okta-operator-account-annotations' denied request: metadata.annotations: neo4j-okta.dev/restore needs the verb restore on OktaIssuer default; ask the platform team",
        );
        assert_eq!(
            refused("account etl", &error),
            Failure::told(
                "account etl: refused by an admission policy: metadata.annotations: neo4j-okta.dev/restore needs the verb restore on OktaIssuer default; ask the platform team"
            )
        );
    }

    #[test]
    fn a_missing_operator_is_not_taken_for_a_missing_account() {
        let Failure::Told(kind) = refused("account etl", &status(404, "404 page not found")) else {
            panic!("told");
        };
        assert!(kind.contains("is neo4j-okta-operator installed"), "{kind}");
        let name = "neo4jserviceaccounts.neo4j-okta.dev \"etl\" not found";
        assert_eq!(
            refused("account etl", &status(404, name)),
            Failure::told("there is no account etl")
        );
    }
}
