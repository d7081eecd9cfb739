//! Neo4j's side of an issuer: which settings make it trust the tokens, written in
//! the form that its installation needs, what a login with a token tells, and whose
//! connections end. Pure, but for the client of the Query API. It refuses to write
//! what Neo4j would read as something else.

pub mod login;
mod provider;
pub mod query_api;
mod render;
pub mod sessions;
mod settings;

pub use provider::{Provider, Refused};
pub use render::{Format, render};
pub use settings::Settings;

use std::collections::BTreeMap;

use crate::api::OktaIssuer;

/// The settings for one issuer in each format that can hold them, by the name of a
/// file.
///
/// # Errors
///
/// When Okta has not been looked at yet, or a name cannot be written.
pub fn files(issuer: &OktaIssuer) -> Result<BTreeMap<String, String>, Refused> {
    let provider = [Provider::new(issuer)?];
    let mut files = BTreeMap::new();
    for format in Format::ALL {
        match render(format, &provider) {
            Ok(text) => drop(files.insert(format.file().to_owned(), text)),
            // The others can hold it.
            Err(Refused::NoVariable(..)) => {}
            Err(refused) => return Err(refused),
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests;
