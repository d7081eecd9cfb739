//! A way to the API server that can be cut. Nothing is refused then: bytes just
//! do not arrive any more, as behind a switch that died.

use std::net::SocketAddr;
use std::pin::pin;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    cut: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Listens on loopback and passes everything on to `to`.
    pub(crate) async fn start(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (cut, is_cut) = watch::channel(false);
        let task = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(carry(near, to, is_cut.clone()));
            }
        });
        Self { address, cut, task }
    }

    /// From now on nothing passes.
    pub(crate) fn cut(&self) {
        self.cut.send_replace(true);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(mut near: TcpStream, to: SocketAddr, mut is_cut: watch::Receiver<bool>) {
    let mut pass = pin!(async {
        let mut far = TcpStream::connect(to).await?;
        copy_bidirectional(&mut near, &mut far).await
    });
    tokio::select! {
        biased;
        _ = is_cut.wait_for(|cut| *cut) => {}
        _ = &mut pass => return,
    }
    // Both connections stay open and silent until the test is over.
    let _ = is_cut.wait_for(|cut| !*cut).await;
}
