//! Our side: a server that providers' webhooks reach. Each path has an answer of its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What reached a webhook.
#[derive(Clone, Debug)]
pub struct Received {
    pub method: String,
    pub url: String,
    pub path: String,
    pub headers: http::HeaderMap,
    pub body: String,
}

impl Received {
    /// A header's text; empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// A parameter of the body's form.
    pub fn form(&self, name: &str) -> String {
        let mut pairs = form_urlencoded::parse(self.body.as_bytes());
        pairs.find(|(given, _)| given == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

type Answers = HashMap<&'static str, (u16, &'static str, String)>;

/// The server; it ends with the test.
pub struct Webhooks {
    pub url: String,
    received: Arc<Mutex<Vec<Received>>>,
    serving: JoinHandle<()>,
}

impl Drop for Webhooks {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Webhooks {
    /// Starts with these answers: path, status, content type, body. What has none is 404.
    pub async fn start(answers: &[(&'static str, u16, &'static str, &str)]) -> Self {
        let answers =
            answers.iter().map(|(path, status, kind, body)| (*path, (*status, *kind, (*body).to_owned())));
        let answers: Arc<Answers> = Arc::new(answers.collect());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let received = Arc::new(Mutex::new(Vec::new()));
        let serving = tokio::spawn(serve(listener, url.clone(), answers, Arc::clone(&received)));
        Self { url, received, serving }
    }

    /// The URL of a path.
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// What reached it so far.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// The paths that were asked, in their order.
    pub fn paths(&self) -> Vec<String> {
        self.received().into_iter().map(|received| received.path).collect()
    }
}

async fn serve(
    listener: TcpListener,
    base: String,
    answers: Arc<Answers>,
    received: Arc<Mutex<Vec<Received>>>,
) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (base, answers, received) = (base.clone(), Arc::clone(&answers), Arc::clone(&received));
        let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let (base, answers, received) = (base.clone(), Arc::clone(&answers), Arc::clone(&received));
            async move {
                let (parts, body) = request.into_parts();
                let body = String::from_utf8(body.collect().await?.to_bytes().to_vec()).unwrap();
                let path = parts.uri.path().to_owned();
                let answer =
                    answers.get(path.as_str()).cloned().unwrap_or((404, "text/plain", String::new()));
                let url = format!("{base}{}", parts.uri);
                let method = parts.method.to_string();
                received.lock().unwrap().push(Received { method, url, path, headers: parts.headers, body });
                let (status, kind, body) = answer;
                let reply = hyper::Response::builder().status(status).header("content-type", kind);
                Ok::<_, hyper::Error>(reply.body(Full::new(Bytes::from(body))).unwrap())
            }
        });
        tokio::spawn(
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
        );
    }
}
