//! Several replicas of the program side by side, each a process, told apart by
//! the name that they give themselves at Okta and at the API server.

use k8s_openapi::api::coordination::v1::Lease;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use neo4j_okta_operator::leader::LEASE;
use reqwest::header::USER_AGENT;
use testbed::{Child, OPERATOR_NAMESPACE, OPERATOR_USER, free_port};

use crate::harness::{World, until};

/// A lease that one test can outlast, and yet long enough for a busy machine.
pub(crate) const SHORT: [&str; 4] = [
    "--lease-duration=12s",
    "--renew-deadline=6s",
    "--retry-period=1s",
    "--okta-timeout=4s",
];
/// A lease that no test outlasts: who takes over did not wait for its end.
pub(crate) const LONG: [&str; 4] = [
    "--lease-duration=1h",
    "--renew-deadline=10m",
    "--retry-period=500ms",
    "--okta-timeout=4s",
];

pub(crate) struct Replica {
    pub(crate) name: &'static str,
    pub(crate) child: Child,
    admin: String,
}

impl Replica {
    /// Starts one and waits until it can take over, or works.
    pub(crate) async fn start(world: &World, name: &'static str, flags: &[&str]) -> Self {
        let kubeconfig = std::fs::read_to_string(world.cluster.operator_kubeconfig()).unwrap();
        Self::start_with(world, name, flags, &kubeconfig).await
    }

    /// The same with a kubeconfig of its own.
    pub(crate) async fn start_with(
        world: &World,
        name: &'static str,
        flags: &[&str],
        kubeconfig: &str,
    ) -> Self {
        let folder = world.cluster.directory();
        let file = folder.join(format!("{}-{name}.kubeconfig", world.namespace));
        std::fs::write(&file, kubeconfig).unwrap();
        let admin = format!("127.0.0.1:{}", free_port());
        let child = Child::spawn(
            env!("CARGO_BIN_EXE_neo4j-okta-operator"),
            ["run", "--operator-namespace", OPERATOR_NAMESPACE]
                .iter()
                .chain(flags),
            [
                ("KUBECONFIG", file.display().to_string().as_str()),
                ("ADMIN_ADDRESS", &admin),
                ("HOSTNAME", name),
            ],
            &folder.join(format!("{}-{name}.log", world.namespace)),
        )
        .unwrap();
        let replica = Self { name, child, admin };
        until("ready", async || match replica.get("/readyz").await {
            Ok((200, _)) => Ok(()),
            other => Err((name, other, replica.said())),
        })
        .await;
        replica
    }

    pub(crate) async fn get(&self, path: &str) -> Result<(u16, String), String> {
        let answer = reqwest::get(format!("http://{}{path}", self.admin)).await;
        let answer = answer.map_err(|e| e.to_string())?;
        let status = answer.status().as_u16();
        Ok((status, answer.text().await.map_err(|e| e.to_string())?))
    }

    /// What its metric says.
    pub(crate) async fn says_it_leads(&self) -> bool {
        let (_, metrics) = self.get("/metrics").await.unwrap();
        metrics.contains("\nneo4j_okta_leader 1\n")
    }

    /// Everything that it has logged.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(self.child.log()).unwrap_or_default()
    }
}

/// A client with the rights of the operator that names itself as a replica does.
pub(crate) async fn client_of(world: &World, name: &str) -> Client {
    let kubeconfig = Kubeconfig::read_from(world.cluster.operator_kubeconfig()).unwrap();
    let options = KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .unwrap();
    config
        .headers
        .push((USER_AGENT, agent(name).parse().unwrap()));
    Client::try_from(config).unwrap()
}

fn agent(name: &str) -> String {
    format!("neo4j-okta-operator/{} ({name})", env!("CARGO_PKG_VERSION"))
}

impl World {
    /// The replica that the lease names.
    pub(crate) async fn holder(&self) -> Option<String> {
        let leases: Api<Lease> = Api::namespaced(self.client.clone(), OPERATOR_NAMESPACE);
        let lease = leases.get_opt(LEASE).await.expect("an answer")?;
        let holder = lease.spec?.holder_identity?;
        Some(holder.split_once('_')?.0.to_owned())
    }

    /// Waits until another than `before` leads, and says who.
    pub(crate) async fn successor(&self, before: &str) -> String {
        until("taken over", async || match self.holder().await {
            Some(holder) if holder != before => Ok(holder),
            other => Err(other),
        })
        .await
    }

    /// Who had requests at Okta, one after the other: a name comes twice only if
    /// somebody else's came in between.
    pub(crate) fn turns_at_okta(&self) -> Vec<String> {
        let mut turns: Vec<String> = self
            .okta
            .requests()
            .into_iter()
            .filter_map(|request| request.user_agent)
            .collect();
        turns.dedup();
        turns
    }

    /// Asserts that these and no others spoke to Okta, each when the one before
    /// had ended.
    pub(crate) fn one_after_the_other(&self, names: &[&str]) {
        let wanted: Vec<String> = names.iter().map(|name| agent(name)).collect();
        assert_eq!(self.turns_at_okta(), wanted);
    }

    pub(crate) fn requests_at_okta_of(&self, name: &str) -> usize {
        let agent = Some(agent(name));
        let requests = self.okta.requests();
        requests.iter().filter(|r| r.user_agent == agent).count()
    }

    /// What a replica has changed in Kubernetes, the lease included.
    pub(crate) fn writes_of(&self, name: &str) -> usize {
        let agent = agent(name);
        let events = self.cluster.audit();
        events
            .iter()
            .filter(|e| e.user == OPERATOR_USER && e.user_agent == agent)
            .filter(|e| !matches!(e.verb.as_str(), "get" | "list" | "watch"))
            .count()
    }
}
