//! What the token layer costs a service: `cargo bench -p counterfoil-axum --bench http_ratios`.
//!
//! Standard output holds `name`, ratio, allocations, our and the floor's nanoseconds for a request, separated by tabs;
//! standard error holds the machine and the bars. The exit code is 1 if a bar is missed.
//!
//! - `http_layer`: requests per second of an app behind the layer, over those of the same app without it: real sockets,
//!   kept alive, as many requests at once as there are connections. The two take turns of two seconds; the ratio is the
//!   median of those of neighbouring turns.
//! - `http_layer_service`: the time that the layer adds to a request when the service is called directly, over 2,000 ns,
//!   and the allocations it adds.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "a program that prints its numbers")]

use std::{
    future::Future,
    hint::black_box,
    net::SocketAddr,
    pin::pin,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Waker},
    time::{Duration, Instant},
};

use axum::{Router, body::Body, http::Request, routing::get};
use counterfoil::{Grant, Keyring, Lifetime, MemoryStore, Owner, Registry, TokenFormat};
use counterfoil_tower::{Gate, TokenLayer, Transport};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};
use tower_service::Service;

fn main() -> ExitCode {
    // Only `cargo bench` asks for a measurement; a test run or a list must not fail on a busy machine.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if !arguments.iter().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let runtime = Runtime::new().unwrap();
    let host = runtime.block_on(Host::new());
    print_machine();

    let service = in_process(&host);
    let (added, allocations) = (service.with - service.without, service.allocations);
    println!("http_layer_service\t{:.3}\t{allocations}\t{:.0}\t{:.0}", added / 2000.0, service.with, service.without);
    let service_held = added <= 2000.0 && allocations <= 6;
    eprintln!("http_layer_service: {} (bar 1.00, at most 6 allocations)", word(service_held));

    let loopback = over_sockets(&runtime, &host);
    println!("http_layer\t{:.3}\t{allocations}\t{:.0}\t{:.0}", loopback.ratio, loopback.with, loopback.without);
    let held = loopback.ratio >= 0.9;
    eprintln!(
        "http_layer: {} (bar 0.90, at least); middle half {:.3} to {:.3}",
        word(held),
        loopback.lower,
        loopback.upper
    );
    if service_held && held { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

const fn word(held: bool) -> &'static str {
    if held { "held" } else { "MISSED" }
}

/// The same app twice, and a good token.
struct Host {
    bare: Router,
    guarded: Router,
    bearer: String,
}

impl Host {
    async fn new() -> Self {
        let keyring: Keyring = format!("k1:{}:mint", counterfoil::draw_server_key().unwrap()).parse().unwrap();
        let format = TokenFormat::builder("acme").build().unwrap();
        let registry = Registry::builder(format, keyring, MemoryStore::new()).build().unwrap();
        let grant = Grant::new(Owner::new("user-42").unwrap(), Lifetime::days(90));
        let bearer = format!("Bearer {}", registry.issue(grant).await.unwrap().token.expose());
        let bare = Router::new().route("/", get(async || "hello"));
        let guarded = bare.clone().layer(TokenLayer::new(Gate::new(registry, Transport::bearer())));
        // As `axum::serve` does it for every connection: otherwise each call would build the routes anew, layer and all.
        Self { bare: bare.with_state(()), guarded: guarded.with_state(()), bearer }
    }

    fn request(&self) -> Request<Body> {
        Request::builder().uri("/").header("authorization", &self.bearer).body(Body::empty()).unwrap()
    }
}

struct Added {
    with: f64,
    without: f64,
    allocations: u64,
}

/// Nanoseconds for a request, with the layer and without: medians of turns, each first in every other.
fn in_process(host: &Host) -> Added {
    // Few, so that they are in the processor's cache, as a request is that was just read from a socket.
    const REQUESTS: usize = 50;
    let (mut bare, mut guarded) = (host.bare.clone(), host.guarded.clone());
    let nanoseconds = |app: &mut Router| {
        // Made beforehand: what is asked for is the service's time.
        let requests: Vec<_> = (0..REQUESTS).map(|_| host.request()).collect();
        let start = Instant::now();
        for request in requests {
            black_box(answer(app, request));
        }
        start.elapsed().as_secs_f64() * 1e9 / REQUESTS as f64
    };
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for turn in 0..2001 {
        if turn % 2 == 0 {
            with.push(nanoseconds(&mut guarded));
            without.push(nanoseconds(&mut bare));
        } else {
            without.push(nanoseconds(&mut bare));
            with.push(nanoseconds(&mut guarded));
        }
    }
    let count = |app: &mut Router| {
        let request = host.request();
        allocation_counter::measure(|| drop(answer(app, request))).count_total
    };
    let allocations = count(&mut guarded).saturating_sub(count(&mut bare));
    Added { with: median(&mut with), without: median(&mut without), allocations }
}

/// A store in memory answers at once, so no executor is needed.
fn answer(app: &mut Router, request: Request<Body>) -> axum::response::Response {
    let mut reply = pin!(app.call(request));
    match reply.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        std::task::Poll::Ready(reply) => reply.unwrap(),
        std::task::Poll::Pending => unreachable!("nothing is waited for"),
    }
}

struct Loopback {
    ratio: f64,
    lower: f64,
    upper: f64,
    with: f64,
    without: f64,
}

const CONNECTIONS: usize = 32;
const WINDOWS: usize = 15;
const WINDOW: Duration = Duration::from_secs(2);

fn over_sockets(runtime: &Runtime, host: &Host) -> Loopback {
    let clients_of = |app: Router| {
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move { axum::serve(listener, app).await });
        runtime.block_on(connect(address))
    };
    let (mut bare, mut guarded) = (clients_of(host.bare.clone()), clients_of(host.guarded.clone()));
    let request: Arc<[u8]> =
        format!("GET / HTTP/1.1\r\nhost: localhost\r\nauthorization: {}\r\n\r\n", host.bearer).into_bytes().into();
    let per_second = |clients: &mut Vec<TcpStream>| runtime.block_on(load(clients, &request));
    // Both are warm before anything counts.
    per_second(&mut bare);
    per_second(&mut guarded);

    let (mut ratios, mut with, mut without) = (Vec::new(), Vec::new(), Vec::new());
    for window in 0..WINDOWS {
        let (of_guarded, of_bare);
        if window % 2 == 0 {
            of_guarded = per_second(&mut guarded);
            of_bare = per_second(&mut bare);
        } else {
            of_bare = per_second(&mut bare);
            of_guarded = per_second(&mut guarded);
        }
        ratios.push(of_guarded / of_bare);
        with.push(1e9 / of_guarded);
        without.push(1e9 / of_bare);
    }
    let ratio = median(&mut ratios);
    let (lower, upper) = (ratios[WINDOWS / 4], ratios[WINDOWS * 3 / 4]);
    Loopback { ratio, lower, upper, with: median(&mut with), without: median(&mut without) }
}

async fn connect(address: SocketAddr) -> Vec<TcpStream> {
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        clients.push(stream);
    }
    clients
}

/// Requests answered in a second, by as many connections as are kept busy.
async fn load(clients: &mut Vec<TcpStream>, request: &Arc<[u8]>) -> f64 {
    let (answered, is_over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let start = Instant::now();
    let mut busy = Vec::new();
    for mut stream in clients.drain(..) {
        let (request, answered, is_over) = (Arc::clone(request), Arc::clone(&answered), Arc::clone(&is_over));
        busy.push(tokio::spawn(async move {
            let mut reply = [0; 1024];
            while !is_over.load(Ordering::Relaxed) {
                stream.write_all(&request).await.unwrap();
                let mut length = 0;
                // The body is the same short text always, and ends every reply.
                while !reply[..length].ends_with(b"\r\n\r\nhello") {
                    let read = stream.read(&mut reply[length..]).await.unwrap();
                    assert!(read > 0, "the server has hung up: {}", String::from_utf8_lossy(&reply[..length]));
                    length += read;
                }
                answered.fetch_add(1, Ordering::Relaxed);
            }
            stream
        }));
    }
    tokio::time::sleep(WINDOW).await;
    is_over.store(true, Ordering::Relaxed);
    let per_second = answered.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64();
    for client in busy {
        clients.push(client.await.unwrap());
    }
    per_second
}

/// Sorts, too.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn print_machine() {
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processor.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let model = model.trim_start_matches([' ', '\t', ':']);
    eprintln!("{model}, {cores} cores, load {}", load.split(' ').next().unwrap_or_default());
}
