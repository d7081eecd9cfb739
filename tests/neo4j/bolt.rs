//! As much of Bolt 5.4 (neo4j.com/docs/bolt) as it takes to log in with a token
//! and to see whether the connection lives.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const SUCCESS: u8 = 0x70;
const HELLO: u8 = 0x01;
const LOGON: u8 = 0x6a;
const LOGOFF: u8 = 0x6b;

/// A connection on which somebody is logged in.
pub(crate) struct Bolt(TcpStream);

impl Bolt {
    /// Connects and logs in; `None` when the server refuses the token.
    pub(crate) async fn log_in(uri: &str, token: &str) -> Option<Self> {
        let host = uri.strip_prefix("bolt://").unwrap();
        let mut bolt = Self(TcpStream::connect(host).await.unwrap());
        bolt.0
            .write_all(&[
                0x60, 0x60, 0xb0, 0x17, 0, 0, 4, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            ])
            .await
            .unwrap();
        let mut agreed = [0; 4];
        bolt.0.read_exact(&mut agreed).await.unwrap();
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
