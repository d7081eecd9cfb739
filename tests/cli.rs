//! The program as a person starts it: what is wrong is one line and exit code
//! 64, before anything connects.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::process::{Command, Output};

fn operator(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_neo4j-okta-operator"))
        .args(arguments)
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

#[test]
fn wrong_flags_and_wrong_environment_values_end_with_one_line_and_exit_code_64() {
    type Environment = &'static [(&'static str, &'static str)];
    let cases: [(&[&str], Environment, &str); 7] = [
        (&["run", "--frobnicate"], &[], "--frobnicate"),
        (
            &["run", "--admin-address", "nowhere"],
            &[],
            "--admin-address",
        ),
        (&["run"], &[("ADMIN_ADDRESS", "nowhere")], "--admin-address"),
        (&["run"], &[("LOG_FORMAT", "xml")], "--log-format"),
        (&["run"], &[("OKTA_TIMEOUT", "2m")], "--lease-duration"),
        (
            &["run"],
            &[("OPERATOR_NAMESPACE", "Not A Name")],
            "--operator-namespace",
        ),
        (&[], &[], "run or crds"),
    ];
    for (arguments, environment, word) in cases {
        let output = operator(arguments, environment);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            output.status.code(),
            Some(64),
            "{arguments:?} {environment:?}"
        );
        assert_eq!(text.trim().lines().count(), 1, "{text}");
        assert!(text.contains(word), "{text}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn without_a_cluster_it_says_so_in_one_line() {
    let output = operator(
        &["run", "--admin-address", "127.0.0.1:0", "--log", "off"],
        &[
            ("KUBECONFIG", "/nonexistent"),
            ("KUBERNETES_SERVICE_HOST", ""),
        ],
    );
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text.trim().lines().count(), 1, "{text}");
    assert!(text.contains("KUBECONFIG"), "{text}");
}

#[test]
fn crds_prints_both_definitions() {
    let output = operator(&["crds"], &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    assert_eq!(text.matches("kind: CustomResourceDefinition").count(), 2);
}
