//! Starts a program, and knows when it is ready.
//!
//! It needs the folder that the logs go to. It refuses to wait for ever, and
//! to fail without the last words of the program.

use std::path::Path;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use crate::Child;
use crate::error::{Error, tail};
use crate::folder::Folder;

/// A busy machine takes a multiple of the usual four seconds.
const READY_WITHIN: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(50);

/// Starts `program`; it logs to a file of its name.
pub(crate) fn run(folder: &Folder, program: &Path, arguments: Vec<String>) -> Result<Child, Error> {
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    let log = folder.join(&format!("{name}.log"));
    Child::spawn(program, arguments, [("", ""); 0], &log).map_err(Error::file(program))
}

/// Asks `probe` until it says yes; the error tells what the program said last.
///
/// Not an `AsyncFn`: the compiler cannot yet tell that its future is `Send`,
/// and then nobody could spawn a task that starts a control plane.
pub(crate) async fn ready<F>(child: &mut Child, probe: impl Fn() -> F) -> Result<(), Error>
where
    F: Future<Output = bool>,
{
    let poll = async {
        loop {
            if let Some(exit) = child.try_wait() {
                return Some(exit);
            }
            if probe().await {
                return None;
            }
            tokio::time::sleep(POLL).await;
        }
    };
    let result = tokio::time::timeout(READY_WITHIN, poll).await;
    let (program, tail) = (child.name().to_owned(), || tail(child.log()));
    match result {
        Ok(None) => Ok(()),
        Ok(Some(exit)) => Err(Error::Ended {
            program,
            exit,
            tail: tail(),
        }),
        Err(_) => Err(Error::NotReady {
            program,
            seconds: READY_WITHIN.as_secs(),
            tail: tail(),
        }),
    }
}

/// Whether the API server says so to the user of `kubeconfig`.
pub(crate) async fn is_ready(kubeconfig: &Path) -> bool {
    // Until the API server has written its certificate there is nothing to trust.
    let Ok(mut config) = config(kubeconfig).await else {
        return false;
    };
    // "Not yet" is an answer here, and not one to wait for.
    config.default_retry = false;
    let (Ok(client), Ok(request)) = (
        Client::try_from(config),
        http::Request::get("/readyz").body(Vec::new()),
    ) else {
        return false;
    };
    client.request_text(request).await.is_ok()
}

/// Reads a kubeconfig, and the certificate that it names.
pub(crate) async fn config(kubeconfig: &Path) -> Result<Config, Error> {
    let malformed = |error: kube::config::KubeconfigError| {
        Error::malformed(kubeconfig.display().to_string(), error)
    };
    let file = Kubeconfig::read_from(kubeconfig).map_err(malformed)?;
    let options = KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(file, &options)
        .await
        .map_err(malformed)?;
    // The server is on loopback, whatever the environment says about proxies.
    config.proxy_url = None;
    Ok(config)
}

/// A client for the current runtime.
pub(crate) fn new_client(config: &Config) -> Client {
    Client::try_from(config.clone()).expect("the same configuration made a client at the start")
}
