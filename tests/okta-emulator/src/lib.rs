//! Okta emulator.
