//! A line between a client and the server that counts what goes over it, and is cut at a chosen place.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::Notify,
};

/// Where a line is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The server never sees the message.
    Before,
    /// The server has answered it, and the client does not hear that.
    After,
}

/// Listens on a port of this machine for as long as the runtime runs.
#[derive(Clone)]
pub(crate) struct Proxy {
    port: u16,
    state: Arc<Mutex<State>>,
    silence: Arc<Notify>,
}

#[derive(Default)]
struct State {
    /// How many messages of each type the clients have sent, startup apart.
    sent: BTreeMap<char, u32>,
    /// The next message of this type that holds this text is where its line is cut.
    cut: Option<(char, &'static str, Cut)>,
}

impl Proxy {
    pub(crate) async fn to(host: String, port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port_of_proxy = listener.local_addr().unwrap().port();
        let proxy = Self { port: port_of_proxy, state: Arc::default(), silence: Arc::default() };
        let (state, silence) = (Arc::clone(&proxy.state), Arc::clone(&proxy.silence));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect((host.as_str(), port)).await;
                if let Ok(server) = server {
                    tokio::spawn(line(client, server, Arc::clone(&state), Arc::clone(&silence)));
                }
            }
        });
        proxy
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Cuts one line, at the next message of this type that holds `text`.
    pub(crate) fn cut(&self, kind: char, text: &'static str, cut: Cut) {
        self.state.lock().unwrap().cut = Some((kind, text, cut));
    }

    /// From now on nothing goes over the lines that are open, and nobody is told: as when a network is cut. New ones are
    /// whole.
    pub(crate) fn silence(&self) {
        self.silence.notify_waiters();
    }

    /// Whether the place to cut is still to come.
    pub(crate) fn is_whole(&self) -> bool {
        self.state.lock().unwrap().cut.is_some()
    }

    /// What was sent since it was asked last.
    pub(crate) fn sent(&self) -> BTreeMap<char, u32> {
        std::mem::take(&mut self.state.lock().unwrap().sent)
    }
}

async fn line(client: TcpStream, server: TcpStream, state: Arc<Mutex<State>>, silence: Arc<Notify>) {
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let answer = Arc::new(Notify::new());
    let is_cut = Arc::new(Notify::new());
    let mut requests =
        std::pin::pin!(requests(from_client, to_server, state, Arc::clone(&answer), Arc::clone(&is_cut)));
    let mut answers = std::pin::pin!(answers(from_server, to_client, answer, is_cut));
    tokio::select! {
        _ = &mut requests => {}
        _ = &mut answers => {}
        // Both ends stay open.
        () = silence.notified() => std::future::pending().await,
    }
}

async fn requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    state: Arc<Mutex<State>>,
    answer: Arc<Notify>,
    is_cut: Arc<Notify>,
) -> std::io::Result<()> {
    // The first message has no type.
    let startup = message(&mut from).await?;
    to.write_all(&startup).await?;
    let mut ends = false;
    loop {
        let kind = from.read_u8().await?;
        let body = message(&mut from).await?;
        let cut = {
            let mut state = state.lock().unwrap();
            *state.sent.entry(char::from(kind)).or_default() += 1;
            let is_place = |(wanted, text, _): &(char, &str, Cut)| {
                *wanted == char::from(kind) && String::from_utf8_lossy(&body).contains(text)
            };
            state.cut.take_if(|place| is_place(place)).map(|(.., cut)| cut)
        };
        if cut == Some(Cut::Before) {
            return Ok(());
        }
        ends |= cut == Some(Cut::After);
        // The server answers once it is asked to: by a query, or by a sync behind other messages.
        let is_asked = ends && matches!(kind, b'Q' | b'S');
        if is_asked {
            is_cut.notify_one();
        }
        to.write_all(&[&[kind], &body[..]].concat()).await?;
        if is_asked {
            answer.notified().await;
            return Ok(());
        }
    }
}

async fn answers(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    answer: Arc<Notify>,
    is_cut: Arc<Notify>,
) -> std::io::Result<()> {
    let mut buffer = [0; 16 * 1024];
    let mut cut = std::pin::pin!(is_cut.notified());
    let mut goes_on = true;
    loop {
        tokio::select! {
            biased;
            () = &mut cut, if goes_on => goes_on = false,
            read = from.read(&mut buffer) => match read? {
                0 => return Ok(()),
                _ if !goes_on => answer.notify_one(),
                read => to.write_all(&buffer[..read]).await?,
            },
        }
    }
}

/// A message's length and what follows it.
async fn message(from: &mut OwnedReadHalf) -> std::io::Result<Vec<u8>> {
    let length = from.read_u32().await?;
    let mut message = length.to_be_bytes().to_vec();
    message.resize(length as usize, 0);
    from.read_exact(&mut message[4..]).await?;
    Ok(message)
}
