//! A server for tests: on 127.0.0.1, in the test's own runtime.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A request that came.
#[derive(Clone, Debug)]
pub struct Seen {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Seen {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

pub struct Server {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<AtomicUsize>,
}

pub type Reply = Response<Full<Bytes>>;

/// An answer with this status and body.
pub fn reply(status: u16, body: impl Into<Bytes>) -> Reply {
    Response::builder().status(status).body(Full::new(body.into())).unwrap()
}

impl Server {
    /// Answers each request with what `answer` makes of it.
    pub async fn start<F, A>(answer: F) -> Self
    where
        F: Fn(Seen) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Reply> + Send + 'static,
    {
        Self::start_with(None, answer).await
    }

    /// The same over TLS.
    pub async fn start_with<F, A>(tls: Option<TlsAcceptor>, answer: F) -> Self
    where
        F: Fn(Seen) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Reply> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            seen: Arc::default(),
            connections: Arc::default(),
        };
        let (seen, connections) = (Arc::clone(&server.seen), Arc::clone(&server.connections));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.fetch_add(1, Ordering::Relaxed);
                let (seen, answer, tls) = (Arc::clone(&seen), answer.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, seen, answer).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, seen, answer).await;
                            }
                        }
                    }
                });
            }
        });
        server
    }

    /// What came so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// How many connections were opened so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

async fn serve<S, F, A>(stream: S, seen: Arc<Mutex<Vec<Seen>>>, answer: F)
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Fn(Seen) -> A,
    A: Future<Output = Reply>,
{
    let service = service_fn(|request: Request<Incoming>| {
        let (seen, answer) = (&seen, &answer);
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let one = Seen { path: parts.uri.to_string(), headers: parts.headers, body };
            seen.lock().unwrap().push(one.clone());
            Ok::<_, Infallible>(answer(one).await)
        }
    });
    // A client that goes away ends it with an error.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// A server that sends this to one request on each connection and closes it without a word. The receiver gets
/// each request once its connection is closed.
pub async fn closing(answer: &'static str) -> (SocketAddr, tokio::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, receiver) = tokio::sync::mpsc::channel(10);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            // Every request here ends with its JSON's last bracket.
            while !request.ends_with(b"}}") {
                assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0, "{request:?}");
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            drop(stream);
            sender.send(String::from_utf8(request).unwrap()).await.unwrap();
        }
    });
    (address, receiver)
}
