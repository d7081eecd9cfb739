//! `admission.inject`: what becomes of pods that ask for a token by a label, at a
//! real API server, from before the release until after it.

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::asking::{
    INSTALL, LABEL, PATH, SECRET, Test, VOLUME, create, dry_run, has_the_token, in_force, mounts,
    pod, send, volumes,
};
use crate::helm::{Helm, NAMESPACE, RELEASE};
use crate::install::left;
use crate::pod::{bare, until};

#[tokio::test(flavor = "multi_thread")]
async fn every_container_and_init_container_gets_the_token_once() {
    let Some(test) = Test::new("injected").await else {
        return;
    };
    let image = "example.com/etl:1";
    let spec = json!({
        "initContainers": [
            { "name": "bare", "image": image },
            { "name": "sidecar", "image": image, "restartPolicy": "Always" },
        ],
        "containers": [
            { "name": "etl", "image": image, "volumeMounts": [{ "name": "work", "mountPath": "/work" }] },
            { "name": "other", "image": image },
        ],
        "volumes": [{ "name": "work", "emptyDir": {} }],
    });
    // With the volumes of the ServiceAccount's token, and with none at all.
    for automount in [true, false] {
        let mut spec = spec.clone();
        spec["automountServiceAccountToken"] = json!(automount);
        let name = format!("automount-{automount}");
        let created = test.create(&pod(&name, &spec)).await.unwrap();
        has_the_token(&created, &["bare", "sidecar", "etl", "other"]);
        assert_eq!(created["spec"]["volumes"][0]["name"], "work");
    }
    let least = json!({ "automountServiceAccountToken": false });
    let created = test.create(&pod("least", &least)).await.unwrap();
    has_the_token(&created, &["etl"]);

    // Once more as it came out: nothing is added to what is there.
    let again = json!({ "containers": created["spec"]["containers"], "volumes": created["spec"]["volumes"], "automountServiceAccountToken": false });
    let again = test.create(&pod("again", &again)).await.unwrap();
    has_the_token(&again, &["etl"]);
    assert_eq!(again["spec"]["volumes"], created["spec"]["volumes"]);

    // kubectl debug adds a container that is not to have it.
    let url = format!(
        "/api/v1/namespaces/{}/pods/least/ephemeralcontainers",
        test.namespace
    );
    let debug = json!({ "spec": { "ephemeralContainers": [{ "name": "debug", "image": image }] } });
    let debugged = send(test.cluster, "PATCH", &url, &debug).await.unwrap();
    assert_eq!(mounts(&debugged)[1], ("debug".to_owned(), Vec::new()));
}

/// Somebody else's policy, which adds a container to pods of one label.
const SIDECAR: &str = "
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: { name: zz-sidecar }
spec:
  failurePolicy: Fail
  reinvocationPolicy: IfNeeded
  matchConstraints:
    resourceRules: [{ apiGroups: [''], apiVersions: [v1], resources: [pods], operations: [CREATE] }]
    objectSelector: { matchLabels: { sidecar: wanted } }
  matchConditions:
    - { name: not-there, expression: \"!object.spec.containers.exists(c, c.name == 'sidecar')\" }
  mutations:
    - patchType: JSONPatch
      jsonPatch:
        expression: \"[JSONPatch{op: 'add', path: '/spec/containers/-', value: Object.spec.containers{name: 'sidecar', image: 'example.com/sidecar:1'}}]\"
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: { name: zz-sidecar }
spec: { policyName: zz-sidecar }
";

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_another_policy_adds_gets_it_as_well_and_nobody_gets_it_twice() {
    let Some(test) = Test::new("sidecar").await else {
        return;
    };
    test.cluster.apply_yaml(SIDECAR).await.unwrap();
    let mut asks = pod("etl", &json!({}));
    asks["metadata"]["labels"]["sidecar"] = json!("wanted");
    let url = format!("/api/v1/namespaces/{}/pods?dryRun=All", test.namespace);
    let created = until("a pod with a sidecar", async || {
        let created = send(test.cluster, "POST", &url, &asks).await?;
        match created["spec"]["containers"].as_array().unwrap().len() {
            2 => Ok(created),
            n => Err(format!("{n} containers")),
        }
    })
    .await;
    has_the_token(&created, &["etl", "sidecar"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_the_way_is_refused_with_its_name() {
    let Some(test) = Test::new("clash").await else {
        return;
    };
    let secret = |name: &str, items: Value| {
        let source = json!({ "secret": { "name": name, "items": items } });
        json!([{ "name": VOLUME, "projected": { "sources": [source] } }])
    };
    let token = || json!([{ "key": "token", "path": "token" }]);
    let two = json!([{ "key": "token", "path": "token" }, { "key": "uri", "path": "uri" }]);
    let mut more = secret(SECRET, token());
    let map = json!({ "configMap": { "name": "more" } });
    more[0]["projected"]["sources"]
        .as_array_mut()
        .unwrap()
        .push(map);
    let volumes = [
        json!([{ "name": VOLUME, "emptyDir": {} }]),
        json!([{ "name": VOLUME, "secret": { "secretName": SECRET } }]),
        secret("another", token()),
        secret(SECRET, two),
        secret(SECRET, json!([{ "key": "token", "path": "elsewhere" }])),
        more,
    ];
    for volumes in volumes {
        let said = test
            .refused(&pod("etl", &json!({ "volumes": volumes })))
            .await;
        assert!(
            said.contains("spec.volumes: the name neo4j-okta-token"),
            "{volumes}: {said}"
        );
        assert!(said.contains(SECRET), "{said}");
    }

    let ours = |more: Value| {
        let mut mount = json!({ "name": VOLUME, "mountPath": PATH, "readOnly": true });
        mount
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        mount
    };
    let mounts = [
        json!({ "name": "work", "mountPath": PATH }),
        json!({ "name": "work", "mountPath": format!("{PATH}/") }),
        json!({ "name": "work", "mountPath": format!("{PATH}/token"), "subPath": "token" }),
        ours(json!({ "readOnly": false })),
        // These never see a refresh.
        ours(json!({ "subPath": "token" })),
        ours(json!({ "subPathExpr": "$(POD_NAME)" })),
    ];
    for mount in mounts {
        for kind in ["containers", "initContainers"] {
            let mut volumes = secret(SECRET, token());
            let work = json!({ "name": "work", "emptyDir": {} });
            volumes.as_array_mut().unwrap().push(work);
            let blocked =
                json!({ "name": "blocked", "image": "example.com/etl:1", "volumeMounts": [mount] });
            let spec = json!({ kind: [blocked], "volumes": volumes });
            let said = test.refused(&pod("etl", &spec)).await;
            assert!(
                said.contains("container blocked mounts something else"),
                "{mount}: {said}"
            );
        }
    }

    for name in ["", "Etl", "etl_token", "etl..token"] {
        let mut asks = pod("etl", &json!({}));
        asks["metadata"]["labels"][LABEL] = json!(name);
        let said = test.refused(&asks).await;
        let named =
            format!("neo4j-okta.dev/inject is \"{name}\", which is not the name of a Secret");
        assert!(said.contains(&named), "{said}");
    }

    // What is near it is in nobody's way.
    let spec = json!({
        "containers": [{ "name": "etl", "image": "example.com/etl:1", "volumeMounts": [
            { "name": "work", "mountPath": "/var/run/secrets/neo4j-old" },
            { "name": "work", "mountPath": "/var/run/secrets" },
        ] }],
        "volumes": [{ "name": "work", "emptyDir": {} }],
    });
    let created = test.create(&pod("near", &spec)).await.unwrap();
    has_the_token(&created, &["etl"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_refuses_pods_fits_the_types() {
    let Some(test) = Test::new("types").await else {
        return;
    };
    let url = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/neo4j-okta-operator-inject";
    let warnings = until("a policy that was looked at", async || {
        let policy = send(test.cluster, "GET", url, &Value::Null).await?;
        match &policy["status"]["observedGeneration"] {
            Value::Null => Err("no status".to_owned()),
            _ => Ok(policy["status"]["typeChecking"]["expressionWarnings"].clone()),
        }
    })
    .await;
    assert_eq!(warnings, Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_with_many_containers_and_mounts_is_still_judged() {
    let Some(test) = Test::new("large").await else {
        return;
    };
    let names: Vec<String> = (0..64).map(|i| format!("container-{i}")).collect();
    let mounts: Vec<Value> = (0..32)
        .map(|i| json!({ "name": "work", "mountPath": format!("{PATH}-{i}-{}", "x".repeat(100)) }))
        .collect();
    let container = |name: &String| json!({ "name": name, "image": "example.com/etl:1", "volumeMounts": mounts });
    let mut containers: Vec<Value> = names.iter().map(container).collect();
    let spec = |containers: &[Value]| json!({ "containers": containers, "volumes": [{ "name": "work", "emptyDir": {} }] });
    let created = test
        .create(&pod("large", &spec(&containers)))
        .await
        .unwrap();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    has_the_token(&created, &names);
    containers[63]["volumeMounts"][31]["mountPath"] = json!(PATH);
    let said = test.refused(&pod("blocked", &spec(&containers))).await;
    assert!(
        said.contains("container container-63 mounts something else"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_without_the_label_and_the_mirror_of_a_static_one_are_left_alone() {
    let Some(test) = Test::new("unlabelled").await else {
        return;
    };
    // Even what would be refused with it.
    let spec = json!({
        "automountServiceAccountToken": false,
        "containers": [{ "name": "etl", "image": "example.com/etl:1", "volumeMounts": [{ "name": VOLUME, "mountPath": PATH }] }],
        "volumes": [{ "name": VOLUME, "emptyDir": {} }],
    });
    let mut unlabelled = pod("unlabelled", &spec);
    unlabelled["metadata"]["labels"] = json!({ "neo4j-okta.dev/injected": SECRET });
    let created = test.create(&unlabelled).await.unwrap();
    assert_eq!(created["spec"]["volumes"], spec["volumes"]);
    let mount = json!([{ "name": VOLUME, "mountPath": PATH }]);
    assert_eq!(created["spec"]["containers"][0]["volumeMounts"], mount);
    // The label says nothing about a pod that runs.
    let url = format!("/api/v1/namespaces/{}/pods/unlabelled", test.namespace);
    let label = json!({ "metadata": { "labels": { LABEL: "" } } });
    send(test.cluster, "PATCH", &url, &label).await.unwrap();

    let mut mirror = pod("mirror", &json!({ "automountServiceAccountToken": false }));
    mirror["metadata"]["annotations"] = json!({ "kubernetes.io/config.mirror": "1" });
    mirror["spec"]["nodeName"] = json!("node");
    let created = test.create(&mirror).await.unwrap();
    assert!(volumes(&created).is_empty(), "{created}");
}

#[tokio::test(flavor = "multi_thread")]
async fn half_of_it_lets_no_pod_run_without_its_token_and_nothing_of_it_lets_every_pod_run() {
    let Some(helm) = Helm::new().await else {
        return;
    };
    let cluster = bare().await;
    let helm = helm.at(cluster.kubeconfig());
    helm.ok(&INSTALL);
    in_force(&cluster).await;
    let namespace = cluster.namespace("payments").await;
    create(&cluster, &namespace, &pod("before", &json!({})))
        .await
        .unwrap();

    let policy = "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies/neo4j-okta-operator-inject";
    send(&cluster, "DELETE", policy, &json!({})).await.unwrap();
    until("told what is missing", async || {
        match dry_run(&cluster, &pod("half", &json!({}))).await {
            Err(said)
                if said.contains(
                    "MutatingAdmissionPolicy neo4j-okta-operator-inject is not in force",
                ) =>
            {
                Ok(())
            }
            answer => Err(format!("{answer:?}")),
        }
    })
    .await;

    helm.ok(&["uninstall", RELEASE, "-n", NAMESPACE]);
    assert!(left(&cluster).await.is_empty());
    let created = until("nobody's business", async || {
        dry_run(&cluster, &pod("after", &json!({}))).await
    })
    .await;
    assert!(volumes(&created).is_empty());
    // What runs keeps what it has, and goes when it is told to.
    let pods: Api<Pod> = Api::namespaced(cluster.client(), &namespace);
    let before = json!(pods.get("before").await.unwrap());
    has_the_token(&before, &["etl"]);
    pods.delete("before", &DeleteParams::default())
        .await
        .unwrap();
}
