//! A plain router on hyper: verifies, looks up, answers, and is nothing else.

use std::convert::Infallible;
use std::io;
use std::rc::Rc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::LocalSet;

use super::webhook::{MEDIA_TYPE, Webhook};

pub async fn serve(listener: TcpListener, webhook: Webhook) -> io::Result<()> {
    let webhook = Rc::new(webhook);
    let connections = LocalSet::new();
    let accept = async {
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let webhook = Rc::clone(&webhook);
            let service = service_fn(move |request| answer(Rc::clone(&webhook), request));
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::task::spawn_local(connection);
        }
    };
    connections.run_until(accept).await
}

async fn answer(
    webhook: Rc<Webhook>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let signature = head.headers.get("x-twilio-signature").map_or(&b""[..], HeaderValue::as_bytes);
    let mut document = Vec::with_capacity(512);
    let answered = webhook.answer(head.uri.path(), signature, &body, &mut document);
    let mut response = Response::new(Full::new(Bytes::from(document)));
    match answered {
        Ok(()) => response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE)),
        Err(refused) => {
            *response.status_mut() = StatusCode::from_u16(refused.status()).unwrap_or_default();
            None
        }
    };
    Ok(response)
}
