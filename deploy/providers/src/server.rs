//! The listener: takes requests, finds whose they are, and lets faults befall them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use crate::api::{APIS, Api, Refusal};
use crate::control;
use crate::faults::Fault;
use crate::reply::Reply;
use crate::request::Request;
use crate::simulator::{Asked, Simulator, StartError};

const BODY_BYTES_MAX: usize = 4 << 20;

/// How long somebody is left waiting for an answer that never comes.
const HOLD: Duration = Duration::from_secs(60);

/// Why a request has no answer: its connection is closed.
#[derive(Debug, thiserror::Error)]
#[error("closed on purpose")]
struct Closed;

/// A simulator that listens.
pub struct Server {
    simulator: Arc<Simulator>,
    listener: TcpListener,
}

impl Server {
    /// Takes the address.
    ///
    /// # Errors
    /// [`StartError::Listen`] when it is taken already.
    pub async fn bind(simulator: Simulator, listen: SocketAddr) -> Result<Self, StartError> {
        let listener = TcpListener::bind(listen).await.map_err(|error| StartError::Listen(listen, error))?;
        Ok(Self { simulator: Arc::new(simulator), listener })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system doesn't say.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// What everything made up follows from.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.simulator.seed
    }

    /// Serves, for as long as it is polled.
    pub async fn serve(self) {
        loop {
            // A connection that couldn't be accepted is its client's loss alone.
            if let Ok((stream, _)) = self.listener.accept().await {
                let simulator = Arc::clone(&self.simulator);
                tokio::spawn(connection(simulator, stream));
            }
        }
    }
}

async fn connection(simulator: Arc<Simulator>, stream: TcpStream) {
    let service = service_fn(|request| {
        let simulator = Arc::clone(&simulator);
        async move { answer(simulator, request).await.map(response) }
    });
    // How a connection ends is no news: some are closed on purpose.
    let _ended =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(simulator: Arc<Simulator>, request: hyper::Request<Incoming>) -> Result<Reply, Closed> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, BODY_BYTES_MAX).collect().await.map_err(|_| Closed)?.to_bytes();
    let path = parts.uri.path().trim_start_matches('/');
    let (base, rest) = path.split_once('/').unwrap_or((path, ""));
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let request =
        Request { method: parts.method, path: format!("/{rest}"), query, headers: parts.headers, body };
    match APIS.iter().find(|api| api.base == base) {
        Some(api) => provided(simulator, api, request).await,
        None => Ok(control::answer(&simulator, base, &request).await),
    }
}

async fn provided(simulator: Arc<Simulator>, api: &'static Api, request: Request) -> Result<Reply, Closed> {
    let Some((route, params)) = api.route(&request) else {
        return Ok((api.refuse)(&Refusal::NotFound, &request));
    };
    let asked = Asked { api, route, params, request };
    let fault = simulator.fault(&asked);
    befall(simulator, asked, fault).await
}

/// Does what was asked, or not, and answers, or not, as the fault wants it.
async fn befall(simulator: Arc<Simulator>, asked: Asked, fault: Option<Fault>) -> Result<Reply, Closed> {
    let Some(met) = fault else { return Ok(simulator.perform(&asked, None)) };
    match met {
        Fault::TooMany => Ok(Simulator::refuse(&asked, Refusal::TooMany)),
        Fault::Limit => Ok(Simulator::refuse(&asked, Refusal::Limit)),
        Fault::ErrorBefore => Ok(Simulator::refuse(&asked, Refusal::OutOfOrder)),
        Fault::ErrorAfter => {
            simulator.perform(&asked, fault);
            Ok(Reply::bad_gateway())
        }
        Fault::TimeoutBefore => hold().await,
        Fault::TimeoutAfter => {
            simulator.perform(&asked, fault);
            hold().await
        }
        Fault::Slow => {
            let reply = simulator.perform(&asked, fault);
            tokio::time::sleep(simulator.slow()).await;
            Ok(reply)
        }
        Fault::Broken => {
            let mut reply = simulator.perform(&asked, fault);
            reply.body.truncate(reply.body.len() / 2);
            Ok(reply)
        }
        Fault::Duplicate => {
            simulator.perform(&asked, fault);
            Ok(simulator.perform(&asked, fault))
        }
        Fault::Late => {
            tokio::spawn(async move {
                tokio::time::sleep(simulator.late()).await;
                simulator.perform(&asked, fault);
            });
            Err(Closed)
        }
    }
}

/// Says nothing until the client leaves, or for long.
async fn hold() -> Result<Reply, Closed> {
    tokio::time::sleep(HOLD).await;
    Err(Closed)
}

fn response(reply: Reply) -> hyper::Response<Full<Bytes>> {
    let mut builder = hyper::Response::builder().status(reply.status);
    if !reply.content_type.is_empty() {
        builder = builder.header("content-type", reply.content_type);
    }
    for (name, value) in reply.headers {
        builder = builder.header(name, value);
    }
    let body = Full::new(Bytes::from(reply.body));
    builder.body(body).unwrap_or_else(|_: http::Error| hyper::Response::new(Full::default()))
}
