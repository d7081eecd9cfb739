//! How long the pure core takes: `cargo bench --package bench --bench core`.
//! Times are of this machine; `instructions` counts what does not depend on it.

#![allow(missing_docs, reason = "criterion's macros")]

mod cases;

use std::hint::black_box;

use cases::{Settled, Token, Waiting};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

fn core(criterion: &mut Criterion) {
    let settled = Settled::new();
    criterion.bench_function("plan: a settled account", |b| {
        b.iter(|| black_box(&settled).plan());
    });
    criterion.bench_function("status: nothing to write", |b| {
        b.iter(|| black_box(&settled).status_differs());
    });
    criterion.bench_function("cache: packing and unpacking a Secret's metadata", |b| {
        b.iter(|| black_box(&settled).repacked());
    });
    let token = Token::new();
    criterion.bench_function("check: a token", |b| b.iter(|| black_box(&token).check()));

    let mut group = criterion.benchmark_group("reserve: a request at Okta");
    for callers in [100, 1_000, 10_000, 100_000] {
        let mut waiting = Waiting::new(callers);
        group.bench_function(BenchmarkId::from_parameter(callers), |b| {
            b.iter(|| black_box(&mut waiting).reserve());
        });
    }
    group.finish();
}

criterion_group!(benches, core);
criterion_main!(benches);
