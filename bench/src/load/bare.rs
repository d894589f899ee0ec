//! The server to compare with: hyper as the router sets it up, reading the body and answering nothing of its own.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use dialplane_router::server::http1::{HEAD_BYTES_MAX, HEADERS_MAX};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

/// 300 bytes, as many as a usual answer has.
pub static ANSWER: [u8; 300] = {
    let text = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Connect><Stream/></Connect></Response>";
    let mut answer = [b' '; 300];
    let mut index = 0;
    while index < text.len() {
        answer[index] = text[index];
        index += 1;
    }
    answer
};

/// Serves until the process ends; prints its address first.
///
/// # Errors
/// When there is no port or no runtime.
#[expect(clippy::print_stdout, reason = "the one line that is output")]
pub fn serve() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        println!("dialplane-bench: bare http://{}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(connection(stream));
        }
    })
}

/// One connection, to its end.
pub fn connection(stream: TcpStream) -> impl Future<Output = hyper::Result<()>> + Send + use<> {
    http1::Builder::new()
        .header_read_timeout(None)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service_fn(answer))
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut body = request.into_body();
    while let Some(Ok(frame)) = body.frame().await {
        drop(frame);
    }
    let mut response = Response::new(Full::new(Bytes::from_static(&ANSWER)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/xml; charset=utf-8"));
    Ok(response)
}
