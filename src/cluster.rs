//! The way to the API server: that of the pod, or else that of KUBECONFIG, with
//! the proxy of the kubeconfig or of HTTPS_PROXY. Hosts in NO_PROXY are reached
//! directly. In a pod no proxy is used at all.

use hyper_util::client::proxy::matcher::Matcher;

/// How to reach the cluster.
///
/// # Errors
/// In words, when there is no cluster to be found.
pub async fn config() -> Result<kube::Config, String> {
    let config = kube::Config::infer()
        .await
        .map_err(|e| format!("no cluster: neither in one, nor does KUBECONFIG name one ({e})"))?;
    Ok(with_exceptions(config))
}

/// The way as the configuration has it, but directly to a host in NO_PROXY.
#[must_use]
pub fn with_exceptions(mut config: kube::Config) -> kube::Config {
    // kube compares NO_PROXY with the host of the proxy.
    let no_proxy = ["NO_PROXY", "no_proxy"]
        .iter()
        .find_map(|name| std::env::var(name).ok())
        .unwrap_or_default();
    if direct(&config.cluster_url.to_string(), &no_proxy) {
        config.proxy_url = None;
    }
    config
}

fn direct(url: &str, no_proxy: &str) -> bool {
    // Some proxy for everything, so that the exceptions alone decide. The one
    // for all of them is not taken for addresses by the matcher.
    let matcher = Matcher::builder().all("http://proxy").no(no_proxy).build();
    let excepted = |url| matcher.intercept(&url).is_none();
    no_proxy.trim() == "*" || url.parse().is_ok_and(excepted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_the_cluster_decides_and_not_that_of_the_proxy() {
        let exceptions = "localhost, 10.0.0.0/8,.svc";
        assert!(direct("https://10.96.0.1/", exceptions));
        assert!(direct("https://kubernetes.default.svc:443/", exceptions));
        assert!(!direct("https://192.168.1.1:6443/", exceptions));
        assert!(!direct("https://10.96.0.1/", ""));
        assert!(direct("https://192.168.1.1/", "*"));
    }
}
