//! What docs/samples shows is accepted as it stands.

use crate::kubectl::run;
use crate::server::server;

#[tokio::test]
async fn the_samples_are_applied_as_they_stand_and_say_nothing_unknown() {
    let cluster = server().await;
    // The namespace that all of them name; another test may have made it.
    run(cluster, &["create", "namespace", "payments"]);
    let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/samples");
    let files = std::fs::read_dir(samples)
        .unwrap()
        .map(|entry| entry.unwrap());
    // kubectl does not look into the folder of the programs either.
    let count = files.filter(|file| file.path().is_file()).count();
    let output = run(
        cluster,
        &[
            "apply",
            "--dry-run=server",
            "--validate=strict",
            "-f",
            samples,
        ],
    );
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{told}");
    assert_eq!(told.lines().count(), count, "{told}");
}
