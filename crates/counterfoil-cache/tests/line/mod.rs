//! A line to the server on which, once it is frozen, nothing goes through in either direction, and nobody is told.

use std::sync::Arc;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
};

pub(crate) struct Line {
    is_frozen: Arc<watch::Sender<bool>>,
}

impl Line {
    /// A line, and how to connect over it.
    pub(crate) async fn to(options: &PgConnectOptions) -> (Self, PgConnectOptions) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        // A private cluster listens on a port beside its socket.
        let host = if options.get_socket().is_some() { "127.0.0.1" } else { options.get_host() }.to_owned();
        let server = (host, options.get_port());
        let is_frozen = Arc::new(watch::Sender::new(false));
        let through = PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(port)
            .username(options.get_username())
            .database(options.get_database().unwrap())
            .ssl_mode(PgSslMode::Disable);
        let frozen = Arc::clone(&is_frozen);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (server, frozen) = (server.clone(), Arc::clone(&frozen));
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(server).await else { return };
                    let ((from_client, to_client), (from_server, to_server)) =
                        (client.into_split(), server.into_split());
                    tokio::spawn(pass(from_client, to_server, frozen.subscribe()));
                    pass(from_server, to_client, frozen.subscribe()).await;
                });
            }
        });
        (Self { is_frozen }, through)
    }

    pub(crate) fn freeze(&self, is_frozen: bool) {
        self.is_frozen.send_replace(is_frozen);
    }
}

async fn pass(
    mut from: impl tokio::io::AsyncRead + Unpin,
    mut to: impl tokio::io::AsyncWrite + Unpin,
    mut is_frozen: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        // What was under way when the line froze arrives when it thaws.
        if is_frozen.wait_for(|is_frozen| !is_frozen).await.is_err() || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
