//! How many instructions the pure core takes, the same on each run within thousandths:
//! `cargo bench --package bench --bench instructions`, with Valgrind and
//! `cargo install gungraun-runner --version 0.20.0`.

#![allow(missing_docs, reason = "gungraun's macros")]

mod cases;

use std::hint::black_box;

use cases::{Settled, Token, Waiting};
use gungraun::{library_benchmark, library_benchmark_group, main};
use k8s_openapi::jiff::Timestamp;
use neo4j_okta_operator::plan::check::Claims;
use neo4j_okta_operator::plan::secret_meta::Meta;
use neo4j_okta_operator::plan::step::Next;

#[library_benchmark]
#[bench::settled(Settled::new())]
fn plan(settled: Settled) -> (Next, Settled) {
    (black_box(&settled).plan(), settled)
}

#[library_benchmark]
#[bench::settled(Settled::new())]
fn status(settled: Settled) -> (bool, Settled) {
    (black_box(&settled).status_differs(), settled)
}

#[library_benchmark]
#[bench::settled(Settled::new())]
fn repack(settled: Settled) -> (Option<Meta>, Settled) {
    (black_box(&settled).repacked(), settled)
}

#[library_benchmark]
#[bench::token(Token::new())]
fn check(token: Token) -> (Option<Claims>, Token) {
    (black_box(&token).check(), token)
}

#[library_benchmark]
#[bench::hundred(Waiting::new(100))]
#[bench::thousand(Waiting::new(1_000))]
#[bench::ten_thousand(Waiting::new(10_000))]
#[bench::hundred_thousand(Waiting::new(100_000))]
fn reserve(mut waiting: Waiting) -> (Result<(), Timestamp>, Waiting) {
    (black_box(&mut waiting).reserve(), waiting)
}

library_benchmark_group!(
    name = core,
    benchmarks = [plan, status, repack, check, reserve]
);
main!(library_benchmark_groups = core);
