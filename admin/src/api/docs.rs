//! The documentation for people: one page that needs nothing from elsewhere and reads the OpenAPI document.

use axum::http::header;
use axum::response::IntoResponse;

/// Serves the page.
pub async fn serve() -> impl IntoResponse {
    let policy =
        "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'";
    let headers =
        [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CONTENT_SECURITY_POLICY, policy)];
    (headers, include_str!("docs.html"))
}
