//! What the chart renders, held by kubeconform to the schemas of the API itself: the
//! oldest Kubernetes that is tested, and the one that the tests start.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use testbed::Folder;

use crate::helm::{Helm, fed, needed};
use crate::schemas;
use crate::values::{FILES, file};

/// Kinds of the Prometheus operator, which no API server brings along.
const SKIPPED: &str = "-skip=ServiceMonitor,PrometheusRule";

struct Kubeconform {
    program: PathBuf,
    schemas: Folder,
}

impl Kubeconform {
    fn new(program: &Path, openapi: &Value) -> Self {
        let schemas = Folder::new().unwrap();
        let kinds = schemas::write(openapi, schemas.path());
        assert!(kinds > 100, "{kinds} kinds");
        let program = program.to_owned();
        Self { program, schemas }
    }

    /// How many resources are valid, or what is wrong with one.
    fn check(&self, manifests: &str) -> Result<u64, String> {
        let pattern = "{{ .ResourceKind }}-{{ .Group }}-{{ .ResourceAPIVersion }}.json";
        let location = self.schemas.path().join(pattern);
        let mut kubeconform = Command::new(&self.program);
        kubeconform
            .args(["-strict", "-summary", "-output=json", SKIPPED])
            .arg("-schema-location")
            .arg(location)
            .arg("-");
        let output = fed(&mut kubeconform, manifests);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            return Err(said);
        }
        let answer: Value = serde_json::from_str(&said).unwrap();
        Ok(answer["summary"]["valid"].as_u64().unwrap())
    }
}

/// Every kind of installation, as Helm renders it for that Kubernetes.
fn all(helm: &Helm, kubeconform: &Kubeconform, version: &str, inject: bool) {
    let version = format!("--kube-version={version}");
    for name in FILES {
        let inject = format!("--set=admission.inject={inject}");
        let manifests = helm.text(&[&file(name), &version, &inject]);
        let valid = kubeconform.check(&manifests);
        let valid = valid.unwrap_or_else(|said| panic!("{name}, {version}: {said}"));
        // At least the Deployment; most have the definitions and the rights, too.
        assert!(valid >= 1, "{name}: nothing was looked at");
    }
    // So that it is known to see something.
    let manifests = helm.text(&[&version]);
    let wrong = manifests.replacen("revisionHistoryLimit:", "revisionHistoryLimits:", 1);
    let said = kubeconform.check(&wrong).unwrap_err();
    assert!(said.contains("revisionHistoryLimits"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_installations_conform_to_the_api_that_the_tests_start() {
    let (Some(helm), Some(program)) = (Helm::new().await, needed("kubeconform").await) else {
        return;
    };
    let cluster = testbed::control_plane().await;
    let request = http::Request::get("/openapi/v2").header("accept", "application/json");
    let openapi: Value = cluster
        .client()
        .request(request.body(Vec::new()).unwrap())
        .await
        .unwrap();
    let version = openapi["info"]["version"].as_str().unwrap();
    let kubeconform = Kubeconform::new(&program, &openapi);
    all(&helm, &kubeconform, version, true);
}

/// The description of the API that a release of Kubernetes commits, from the Go module
/// proxy: `tests/tools/kubernetes-1.34` says which.
fn committed_openapi(module: &str) -> Option<(String, Value)> {
    let folder = format!("{}/tests/tools/{module}", env!("CARGO_MANIFEST_DIR"));
    let go_mod = std::fs::read_to_string(format!("{folder}/go.mod")).unwrap();
    let requirement = "k8s.io/kubernetes ";
    let (_, version) = go_mod.split_once(requirement).unwrap();
    let version = version.split_whitespace().next().unwrap().to_owned();
    // With a version it asks for this module alone, and go.sum says what is in it.
    let output = Command::new("go")
        .args(["-C", &folder, "mod", "download", "-json"])
        .arg(format!("k8s.io/kubernetes@{version}"))
        .env("GOWORK", "off")
        .env("GOFLAGS", "-mod=mod")
        .output();
    let output = match output {
        Err(error) if std::env::var_os("CI").is_none() => {
            eprintln!("skipped, as there is no Go: {error}");
            return None;
        }
        output => output.unwrap(),
    };
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let module = answer["Dir"].as_str();
    let module = module.unwrap_or_else(|| panic!("{answer}"));
    let text = std::fs::read(format!("{module}/api/openapi-spec/swagger.json")).unwrap();
    Some((version, serde_json::from_slice(&text).unwrap()))
}

#[tokio::test]
async fn all_installations_conform_to_the_oldest_api_that_is_tested() {
    let (Some(helm), Some(program)) = (Helm::new().await, needed("kubeconform").await) else {
        return;
    };
    let Some((version, openapi)) = committed_openapi("kubernetes-1.34") else {
        return;
    };
    let kubeconform = Kubeconform::new(&program, &openapi);
    all(&helm, &kubeconform, &version, false);
}
