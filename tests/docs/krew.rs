//! The manifest by which krew installs the plugin, as a release fills it: complete,
//! of krew's form, and for the archives that the release workflow builds.

use std::collections::BTreeSet;
use std::process::{Command, Output};

use neo4j_okta_operator::kubectl;
use serde_json::Value;

use super::{root, text};

const TARGETS: [(&str, &str, &str); 4] = [
    ("x86_64-unknown-linux-musl", "linux", "amd64"),
    ("aarch64-unknown-linux-musl", "linux", "arm64"),
    ("aarch64-apple-darwin", "darwin", "arm64"),
    ("x86_64-apple-darwin", "darwin", "amd64"),
];

fn archive(target: &str) -> String {
    format!("kubectl-neo4jsa-{target}.tar.gz")
}

/// A checksum of its own for each target.
fn sum(number: usize) -> String {
    format!("{:064x}", number + 0xabc)
}

/// What `fill` makes of the checksums of the first so many archives.
fn fill(name: &str, archives: usize) -> Output {
    let line = |(number, target): (usize, &(&str, &str, &str))| {
        format!("{}  {}\n", sum(number), archive(target.0))
    };
    let sums: String = TARGETS
        .iter()
        .enumerate()
        .take(archives)
        .map(line)
        .collect();
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = folder.join(name);
    std::fs::write(&file, sums).unwrap();
    Command::new("bash")
        .arg(root().join(".github/krew/fill"))
        .args(["1.2.3", "acme/neo4j-okta-operator"])
        .arg(file)
        .output()
        .unwrap()
}

#[test]
fn krew_is_told_each_archive_with_its_checksum() {
    let output = fill("krew-sums", TARGETS.len());
    assert!(output.status.success(), "{output:?}");
    let manifest: Value = serde_saphyr::from_slice(&output.stdout).unwrap();
    assert_eq!(
        manifest["apiVersion"],
        "krew.googlecontainertools.github.com/v1alpha2"
    );
    assert_eq!(manifest["kind"], "Plugin");
    let command = kubectl::command();
    let binary = command.get_name();
    let name = manifest["metadata"]["name"].as_str().unwrap();
    assert_eq!(format!("kubectl-{name}"), binary);
    let spec = &manifest["spec"];
    assert_eq!(spec["version"], "v1.2.3");
    let short = spec["shortDescription"].as_str().unwrap();
    assert!(short.len() <= 50 && !short.ends_with('.'), "{short}");
    for field in ["homepage", "description", "caveats"] {
        assert!(!spec[field].as_str().unwrap().is_empty(), "{field}");
    }
    let known = [
        "version",
        "homepage",
        "shortDescription",
        "description",
        "caveats",
        "platforms",
    ];
    for field in spec.as_object().unwrap().keys() {
        assert!(known.contains(&field.as_str()), "krew knows no {field}");
    }
    let platforms = spec["platforms"].as_array().unwrap();
    assert_eq!(platforms.len(), TARGETS.len());
    for (number, (target, os, arch)) in TARGETS.iter().enumerate() {
        let platform = platforms
            .iter()
            .find(|p| {
                let labels = &p["selector"]["matchLabels"];
                labels["os"] == *os && labels["arch"] == *arch
            })
            .unwrap_or_else(|| panic!("nothing for {os} on {arch}"));
        let uri = platform["uri"].as_str().unwrap();
        let archive = archive(target);
        assert_eq!(
            uri,
            format!(
                "https://github.com/acme/neo4j-okta-operator/releases/download/v1.2.3/{archive}"
            )
        );
        assert_eq!(platform["sha256"], sum(number));
        assert_eq!(platform["bin"], binary);
        let files: Vec<&str> = platform["files"]
            .as_array()
            .unwrap()
            .iter()
            .map(|file| file["from"].as_str().unwrap())
            .collect();
        // As the release packs them.
        assert_eq!(files, [binary, "LICENSE"]);
    }
}

#[test]
fn a_manifest_with_a_gap_is_not_printed() {
    let output = fill("krew-sums-with-a-gap", TARGETS.len() - 1);
    assert!(!output.status.success());
    assert!(output.stdout.is_empty());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(&archive(TARGETS[3].0)), "{said}");
}

#[test]
fn the_release_builds_what_krew_is_told_of() {
    let workflow: Value = serde_saphyr::from_str(&text(".github/workflows/release.yaml")).unwrap();
    let jobs = &workflow["jobs"];
    let matrix = jobs["plugin"]["strategy"]["matrix"]["include"].as_array();
    let built: BTreeSet<&str> = matrix
        .unwrap()
        .iter()
        .map(|build| build["target"].as_str().unwrap())
        .collect();
    assert_eq!(built, TARGETS.map(|target| target.0).into_iter().collect());
    let run = |job: &str, word: &str| {
        let steps = jobs[job]["steps"].as_array().unwrap().iter();
        let mut runs = steps.filter_map(|step| step["run"].as_str());
        runs.any(|run| run.contains(word))
    };
    assert!(run(
        "plugin",
        "tar -czf \"kubectl-neo4jsa-$TARGET.tar.gz\" LICENSE"
    ));
    assert!(run(
        "release",
        "bash .github/krew/fill \"$VERSION\" \"$GITHUB_REPOSITORY\" SHA256SUMS > neo4jsa.yaml"
    ));
    assert!(run("release", "kubectl-neo4jsa-*.tar.gz neo4jsa.yaml"));
}
