//! `/livez`, `/readyz` and `/metrics`. Serves nothing else, and nothing secret.

use std::io;
use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::controller::Readiness;
use crate::metrics::{Metrics, classic};

#[derive(Clone)]
struct Shared {
    readiness: Readiness,
    metrics: Metrics,
}

/// The admin port, bound and ready to be served.
#[derive(Debug)]
pub struct Admin {
    listener: TcpListener,
}

impl Admin {
    /// Binds the port, before anything else happens.
    ///
    /// # Errors
    /// When the address is taken or not ours.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        Ok(Self {
            listener: TcpListener::bind(address).await?,
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until shutdown.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn serve(
        self,
        readiness: Readiness,
        metrics: Metrics,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let router = Router::new()
            .route("/livez", get(livez))
            .route("/readyz", get(readyz))
            .route("/metrics", get(render))
            .with_state(Shared { readiness, metrics });
        axum::serve(self.listener, router)
            .with_graceful_shutdown(shutdown)
            .await
    }
}

/// The process answers. Says nothing about Okta or the API server: restarting
/// the operator would not mend those.
async fn livez() -> &'static str {
    "ok\n"
}

async fn readyz(State(shared): State<Shared>) -> impl IntoResponse {
    if shared.readiness.is_ready() {
        (StatusCode::OK, "ok\n")
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "the caches are not filled yet\n",
        )
    }
}

async fn render(State(shared): State<Shared>, headers: HeaderMap) -> impl IntoResponse {
    let accepts = |value: &HeaderValue| {
        value
            .to_str()
            .is_ok_and(|accepted| accepted.contains("application/openmetrics-text"))
    };
    let rendered = shared.metrics.render();
    let (content_type, text) = if headers.get_all(header::ACCEPT).iter().any(accepts) {
        (
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            rendered,
        )
    } else {
        (
            "text/plain; version=0.0.4; charset=utf-8",
            classic(&rendered),
        )
    };
    ([(header::CONTENT_TYPE, content_type)], text)
}
