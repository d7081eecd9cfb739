//! Okta: management API, token endpoints, the operator's sign-in, classes of
//! failure and the rate-limit budget. One concrete client, no trait: tests talk
//! to the emulator over HTTP.

mod apps;
mod authorize;
pub mod budget;
pub mod connect;
pub mod credentials;
mod error;
#[cfg(fuzzing)]
pub mod fuzz;
mod headers;
mod http;
pub mod jose;
pub mod limits;
mod logs;
mod org_settings;
mod queue;
mod request;
mod rights;
mod sender;
mod servers;
mod service_app;
mod signin;
mod token;
mod told;
mod window;

pub use error::{Class, Error};
pub(crate) use headers::root_cause;
pub use http::Org;
pub use logs::{Cursor, PAGE};
pub use sender::{Sender, TIMEOUT};
pub use servers::Part;
pub use signin::SignIn;
pub use token::{ClientCredential, IssuedToken};
