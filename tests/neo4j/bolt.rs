//! As much of Bolt 5.4 (neo4j.com/docs/bolt) as it takes to log in with a token
//! and to see whether the connection lives.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::front::Authority;

const SUCCESS: u8 = 0x70;
const HELLO: u8 = 0x01;
const LOGON: u8 = 0x6a;
const LOGOFF: u8 = 0x6b;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection on which somebody is logged in.
pub(crate) struct Bolt(Box<dyn Stream>);

/// A client that trusts this CA alone.
fn trusting(ca: &Authority) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_slice(ca.pem.as_bytes()).unwrap();
    roots.add(certificate).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}

impl Bolt {
    /// Connects and logs in; `None` when the server refuses the token.
    pub(crate) async fn log_in(uri: &str, token: &str) -> Option<Self> {
        let host = uri.strip_prefix("bolt://").unwrap();
        Self::over(TcpStream::connect(host).await.unwrap(), token).await
    }

    /// The same over TLS, as `localhost`; `None` also when there is no TLS.
    pub(crate) async fn log_in_over_tls(uri: &str, token: &str, ca: &Authority) -> Option<Self> {
        let host = uri.strip_prefix("bolt://").unwrap();
        let connector = TlsConnector::from(trusting(ca));
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TcpStream::connect(host).await.unwrap();
        Self::over(connector.connect(name, stream).await.ok()?, token).await
    }

    async fn over(stream: impl Stream + 'static, token: &str) -> Option<Self> {
        let mut bolt = Self(Box::new(stream));
        bolt.0
            .write_all(&[
                0x60, 0x60, 0xb0, 0x17, 0, 0, 4, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            ])
            .await
            .unwrap();
        let mut agreed = [0; 4];
        bolt.0.read_exact(&mut agreed).await.ok()?;
        assert_eq!(agreed, [0, 0, 4, 5]);
        let agent = [text("product"), text("test/1.0")].concat();
        let hello = [
            vec![0xa2],
            text("user_agent"),
            text("test/1.0"),
            text("bolt_agent"),
            vec![0xa1],
            agent,
        ];
        assert_eq!(bolt.ask(HELLO, 1, &hello.concat()).await, Some(SUCCESS));
        let logon = [
            vec![0xa2],
            text("scheme"),
            text("bearer"),
            text("credentials"),
            text(token),
        ];
        (bolt.ask(LOGON, 1, &logon.concat()).await == Some(SUCCESS)).then_some(bolt)
    }

    /// Sends a message; what kind the answer is, or `None` when there is none.
    async fn ask(&mut self, kind: u8, fields: u8, body: &[u8]) -> Option<u8> {
        let message = [&[0xb0 | fields, kind], body].concat();
        let length = u16::try_from(message.len()).unwrap().to_be_bytes();
        let chunk = [&length[..], &message, &[0, 0]].concat();
        self.0.write_all(&chunk).await.ok()?;
        let length = self.0.read_u16().await.ok()?;
        let mut answer = vec![0; length.into()];
        self.0.read_exact(&mut answer).await.ok()?;
        self.0.read_u16().await.ok()?;
        answer.get(1).copied()
    }

    /// Waits until the server closes the connection.
    pub(crate) async fn closed(&mut self) {
        let mut rest = Vec::new();
        let end = self.0.read_to_end(&mut rest);
        let _ = tokio::time::timeout(crate::harness::PATIENCE, end)
            .await
            .expect("the server closes the connection");
    }

    /// Whether the server still answers on it.
    pub(crate) async fn lives(&mut self) -> bool {
        let answer = tokio::time::timeout(Duration::from_secs(5), self.ask(LOGOFF, 0, &[]));
        answer.await.is_ok_and(|kind| kind == Some(SUCCESS))
    }
}

/// A string in PackStream.
fn text(text: &str) -> Vec<u8> {
    let length = text.len();
    let head = match u8::try_from(length) {
        Ok(small @ 0..16) => vec![0x80 | small],
        Ok(short) => vec![0xd0, short],
        Err(_) => [&[0xd1], &u16::try_from(length).unwrap().to_be_bytes()[..]].concat(),
    };
    [head.as_slice(), text.as_bytes()].concat()
}
