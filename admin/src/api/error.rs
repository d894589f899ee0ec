//! Refusals, as problem details (RFC 9457) with a stable `code`.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::invalid::Invalid;
use crate::store::StoreError;

/// Why a request was refused.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    field: Option<String>,
    headers: Vec<(header::HeaderName, HeaderValue)>,
}

/// A refusal, as `application/problem+json`.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDocument<'a> {
    /// `about:blank`: the code says it all.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: &'a str,
    /// The HTTP status.
    status: u16,
    /// What went wrong, for programs: it stays the same.
    code: &'a str,
    /// What went wrong and what is wanted, for people.
    detail: &'a str,
    /// The field that is wrong, as a path: `credentials.auth_token`, `weekly.fri[0][1]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    /// The request's id, as in the header `X-Request-Id` and the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

impl Problem {
    /// A refusal of this status and code.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), field: None, headers: Vec::new() }
    }

    /// Names the field that is wrong.
    #[must_use]
    pub fn at(mut self, field: &str) -> Self {
        self.field = Some(field.to_owned());
        self
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn with_header(mut self, name: header::HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// There is no such thing, or it is somebody else's: that isn't told apart.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "there is no such resource")
    }

    /// There is no such path.
    #[must_use]
    pub fn no_such_path() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "there is no such path: see /docs")
    }

    /// The path has other methods.
    #[must_use]
    pub fn method_not_allowed() -> Self {
        let detail = "this path doesn't take this method: the header Allow lists those that it takes";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
    }

    /// Nobody, or nobody known, asks.
    #[must_use]
    pub fn unauthorized(detail: &str) -> Self {
        let challenge = HeaderValue::from_static("Bearer realm=\"dialplane\"");
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
            .with_header(header::WWW_AUTHENTICATE, challenge)
    }

    /// The `Idempotency-Key` came with another request before.
    #[must_use]
    pub fn idempotency_key_reused() -> Self {
        let detail = "Idempotency-Key: it was sent with another request before: wanted a new key for each request, and \
            for its repetitions the same path, query and body";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", detail)
    }

    /// What is changed isn't as `If-Match` says.
    #[must_use]
    pub fn precondition_failed() -> Self {
        let detail = "If-Match: it was changed since: GET it again, and change what you find then";
        Self::new(StatusCode::PRECONDITION_FAILED, "precondition_failed", detail)
    }

    /// `If-Match` where nothing has an ETag.
    #[must_use]
    pub fn no_precondition() -> Self {
        let detail = "If-Match: this request has nothing that it could be compared with: leave it out";
        Self::new(StatusCode::BAD_REQUEST, "precondition_not_supported", detail)
    }

    /// Something of ours broke. What, stands in the log.
    #[must_use]
    pub fn internal() -> Self {
        let detail = "something broke here; it is in the log under this request's id";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    /// The problem of a status that a layer below gave without saying more.
    #[must_use]
    pub fn of_status(status: StatusCode) -> Self {
        let (code, detail) = match status {
            StatusCode::PAYLOAD_TOO_LARGE => ("body_too_large", "wanted a body of at most 1 MiB"),
            StatusCode::BAD_REQUEST => ("bad_request", "the request can't be read"),
            _ if status.is_client_error() => ("bad_request", "the request can't be answered"),
            _ => return Self::internal(),
        };
        Self::new(status, code, detail)
    }

    /// Its status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// Its code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.code
    }

    /// The answer itself.
    pub fn render(&self, request_id: Option<&str>, headers: HeaderMap) -> Response {
        let document = ProblemDocument {
            kind: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            code: self.code,
            detail: &self.detail,
            field: self.field.as_deref(),
            request_id,
        };
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = (self.status, headers, body).into_response();
        for (name, value) in &self.headers {
            response.headers_mut().insert(name, value.clone());
        }
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }
}

/// Only marks the answer: [`super::envelope`] writes it, as it knows the request's id.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_field", invalid.to_string()).at(&invalid.field)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let conflict = |code, detail: &str| Self::new(StatusCode::CONFLICT, code, detail);
        match error {
            StoreError::NotFound => Self::not_found(),
            StoreError::NumberTaken => {
                conflict("phone_number_taken", "phone_number: this number is taken").at("phone_number")
            }
            StoreError::IntentNameTaken => {
                conflict("intent_name_taken", "name: the tenant has an intent of this name").at("name")
            }
            StoreError::PhoneNumbersMax => conflict(
                "phone_numbers_limit",
                "the tenant has as many phone numbers as it may (phone_numbers_max)",
            ),
            StoreError::AgentsMax => {
                conflict("agents_limit", "the tenant has as many agents as it may (agents_max)")
            }
            StoreError::ExternalIdTaken => {
                conflict("external_id_taken", "external_id: another tenant is known by it").at("external_id")
            }
            StoreError::NoSuchPlan => Invalid::new("plan", "wanted the name of a plan that is there").into(),
            StoreError::PlanNameTaken => {
                conflict("plan_name_taken", "name: there is a plan of this name").at("name")
            }
            StoreError::PlanInUse => {
                conflict("plan_in_use", "a tenant has this plan: give it another one first")
            }
            StoreError::RateAmbiguous => conflict(
                "rate_ambiguous",
                "valid_from: another rate for the same begins at this time: change that one, or begin at another",
            )
            .at("valid_from"),
            StoreError::IntentInUse => {
                conflict("intent_in_use", "an agent knows this intent: take it out of its intent_ids first")
            }
            StoreError::AddressOverlaps => conflict(
                "phone_number_overlaps",
                "phone_number: a range of somebody else's holds it, or it holds what is somebody else's",
            )
            .at("phone_number"),
            StoreError::NumberIdTaken => conflict(
                "number_id_taken",
                "bindings: another number of the account has this number_id: wanted one that is its own",
            )
            .at("bindings"),
            StoreError::AccountExists => conflict(
                "account_exists",
                "credentials: the owner has an account at this provider for these already: change that one",
            )
            .at("credentials"),
            StoreError::AccountInUse => conflict(
                "account_in_use",
                "a phone number is bound to this account or held there, or an agent was made there: see to that first",
            ),
            StoreError::AgentInUse => conflict(
                "agent_in_use",
                "a phone number or a routing rule uses this agent: change that first",
            ),
            StoreError::TenantHasNumbers => {
                conflict("tenant_has_numbers", "the tenant has got a phone number meanwhile: try again")
            }
            StoreError::RecordTooLarge => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "record_too_large",
                "all that is set here is together larger than routers take (1 MiB)",
            ),
            StoreError::Unavailable(reason) => {
                tracing::warn!(error = %reason, "Postgres is away");
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "database_unavailable",
                    "the database is away: try again",
                )
            }
            StoreError::Sealed(_) | StoreError::Malformed(_) | StoreError::Database(_) => {
                tracing::error!(%error, "a request failed");
                Self::internal()
            }
        }
    }
}
