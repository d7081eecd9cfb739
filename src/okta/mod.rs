//! Okta: management API, token endpoints, the operator's sign-in, classes of
//! failure and the rate-limit budget. One concrete client, no trait: tests talk
//! to the emulator over HTTP.

mod apps;
pub mod budget;
mod error;
mod headers;
mod http;
pub mod jose;
mod sender;
mod servers;
mod signin;
mod token;

pub use apps::ListedSecret;
pub use error::{Class, Error};
pub use http::Org;
pub use sender::{Sender, TIMEOUT};
pub use servers::Part;
pub use signin::SignIn;
pub use token::{ClientCredential, IssuedToken};
