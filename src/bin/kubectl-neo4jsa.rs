//! `kubectl neo4jsa`: the plugin's process. Needs a kubeconfig; everything else is
//! in the library's `kubectl`.

use std::process::ExitCode;

use neo4j_okta_operator::kubectl;

fn main() -> ExitCode {
    let cli = match kubectl::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return match error.use_stderr() {
                true => ExitCode::from(kubectl::EX_USAGE),
                false => ExitCode::SUCCESS,
            };
        }
    };
    // One provider of cryptography for everything that speaks TLS; a second
    // installation is refused, and the first one stays.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    ExitCode::from(runtime.block_on(kubectl::main(cli)))
}
