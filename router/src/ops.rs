//! The operations port: `/metrics`, `/healthz`, `/readyz`, `/debug/explain`, `/debug/live`.

use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use dialplane_common::explain::Question;
use dialplane_common::provider::form::Form;
use dialplane_common::provider::request::query;
use dialplane_common::time::UnixSeconds;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tokio::sync::watch;

use crate::explain::explain_from;
use crate::follower::Standing;
use crate::live;
use crate::server::Phase;
use crate::webhook::Webhooks;

const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// What the operations port shows.
#[derive(Debug)]
pub struct Ops {
    /// What answers webhooks.
    pub webhooks: Arc<Webhooks>,
    /// How the router stands.
    pub standing: watch::Receiver<Standing>,
    /// Whether it drains.
    pub phase: watch::Receiver<Phase>,
}

type Answer = Response<Full<Bytes>>;

/// Serves the operations port until the task is dropped.
pub async fn serve(listener: TcpListener, ops: Arc<Ops>) -> std::io::Result<Infallible> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let ops = Arc::clone(&ops);
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let answer = ops.answer(&request);
                async move { Ok::<_, Infallible>(answer) }
            });
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service)
                .await;
            if let Err(error) = served {
                tracing::debug!(%error, "operations connection ended");
            }
        });
    }
}

impl Ops {
    fn answer<B>(&self, request: &Request<B>) -> Answer {
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return text(StatusCode::METHOD_NOT_ALLOWED, "wanted GET\n");
        }
        match request.uri().path() {
            "/metrics" => self.metrics(),
            "/healthz" => text(StatusCode::OK, "ok\n"),
            "/readyz" => self.ready(),
            "/debug/explain" => {
                self.explain(query(request.uri().path_and_query().map_or("", |target| target.as_str())))
            }
            "/debug/live" => self.live(),
            _ => {
                let here = "there are /metrics, /healthz, /readyz, /debug/explain and /debug/live here\n";
                text(StatusCode::NOT_FOUND, here)
            }
        }
    }

    fn metrics(&self) -> Answer {
        match self.webhooks.metrics.encode() {
            Ok(body) => answer(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", body),
            Err(error) => answer(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", error.to_string()),
        }
    }

    /// Ready once a snapshot is held, however old; not ready any more once the process is told to end.
    fn ready(&self) -> Answer {
        let draining = *self.phase.borrow() == Phase::Draining;
        let standing = self.standing.borrow();
        let serving = self.webhooks.store.load_full().map(|snapshot| snapshot.serving());
        let ready = serving.is_some() && !draining;
        let body = json!({
            "ready": ready,
            "draining": draining,
            "degraded": standing.unreadable_records > 0 || standing.digest_alarm || standing.wants_checkpoint,
            "redis_connected": standing.connected,
            "serving": serving,
            "unreadable_records": standing.unreadable_records,
        });
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        answer(status, "application/json", format!("{body}\n"))
    }

    fn live(&self) -> Answer {
        let Some(snapshot) = self.webhooks.store.load_full() else {
            return text(StatusCode::SERVICE_UNAVAILABLE, "no routing data yet\n");
        };
        let body = live::view(&self.webhooks.live, &snapshot);
        answer(StatusCode::OK, "application/json", format!("{body}\n"))
    }

    fn explain(&self, query: &str) -> Answer {
        let question = match question(query) {
            Ok(question) => question,
            Err(wanted) => return text(StatusCode::BAD_REQUEST, wanted),
        };
        let Some(snapshot) = self.webhooks.store.load_full() else {
            return text(StatusCode::SERVICE_UNAVAILABLE, "no routing data yet\n");
        };
        match serde_json::to_string_pretty(&explain_from(&snapshot, &self.webhooks.live, &question)) {
            Ok(body) => answer(StatusCode::OK, "application/json", body + "\n"),
            Err(error) => answer(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", error.to_string()),
        }
    }
}

/// Reads `to`, `from`, `at` and `call_id`. In a query a plus is a space, and people forget: a blank in front of a number is taken
/// for one.
fn question(query: &str) -> Result<Question, &'static str> {
    let form = Form::parse(query.as_bytes()).map_err(|_| "malformed query\n")?;
    let address = |name| {
        form.get(name).map(|text| match text.strip_prefix(' ') {
            Some(digits) => format!("+{digits}"),
            None => text.to_owned(),
        })
    };
    let to = address("to")
        .ok_or("wanted ?to=%2B12125550001, and perhaps &from= and &at=2026-12-24T20:00:00Z\n")?;
    let at = match form.get("at") {
        None => SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs() as i64,
        Some(text) => {
            let at: jiff::Timestamp =
                text.parse().map_err(|_| "parameter at: wanted an instant like 2026-12-24T20:00:00Z\n")?;
            at.as_second()
        }
    };
    Ok(Question {
        to,
        from: address("from"),
        at: UnixSeconds(at),
        call_id: form.get("call_id").map(str::to_owned),
    })
}

fn text(status: StatusCode, body: &'static str) -> Answer {
    answer(status, "text/plain; charset=utf-8", body)
}

fn answer(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_read_leniently_and_refused_clearly() {
        let asked = question("to=+12125550001&from=%2B15105550198&at=2026-12-25T12:00:00Z").unwrap();
        assert_eq!((&*asked.to, asked.from.as_deref()), ("+12125550001", Some("+15105550198")));
        assert_eq!(asked.at, UnixSeconds(1_798_200_000));
        assert!(question("").unwrap_err().contains("?to="));
        assert!(question("to=%2B1&at=noon").unwrap_err().contains("parameter at"));
        assert!(question("to=%zz").is_err());
    }
}
