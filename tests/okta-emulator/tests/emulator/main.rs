//! Behaviour of the emulator, above all where Okta is unkind.

mod apps;
mod binary;
mod conformance;
mod faults;
mod keys;
mod kit;
mod limits;
mod log;
mod operator_login;
mod policies;
mod secrets;
mod tokens;
