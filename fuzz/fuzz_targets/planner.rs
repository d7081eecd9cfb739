//! Whatever people and accidents do, in whatever order: the planner breaks no
//! rule of its model, comes to rest in a bounded number of steps, and leaves
//! nothing behind.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| neo4j_okta_operator::plan::fuzz::life(bytes));
