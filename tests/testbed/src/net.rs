//! Ports, and the smallest HTTP question there is: are you ready?
//!
//! It needs only loopback. It refuses to be an HTTP client: one request, one
//! status code, no TLS. Everything else goes through kube.

use std::net::{Ipv4Addr, TcpListener};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A port on loopback that nobody listens on just now.
///
/// Between this and its use somebody else can take it, so a caller that
/// listens on it must be ready to try again with another one.
///
/// # Panics
///
/// When this machine has no free port on 127.0.0.1.
#[must_use]
pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .expect("a machine that runs tests has a free port on 127.0.0.1")
        .port()
}

/// Whether `GET path` on a plain HTTP port of this machine answers 200.
pub(crate) async fn answers_200(port: u16, path: &str) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    ask.await
        .is_ok_and(|answer| answer.starts_with(b"HTTP/1.1 200"))
}
