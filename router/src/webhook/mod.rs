//! The hot path: a webhook's bytes to the answer's bytes, from one snapshot, in memory.

mod after;
mod body;
mod origin;
mod path;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use after::After;
use bytes::Bytes;
use dialplane_common::call::{self, InboundCall};
use dialplane_common::feed::keyring::Keyring;
use dialplane_common::feed::record::SignaturePolicy;
use dialplane_common::ids::{AccountId, TenantId};
use dialplane_common::provider::Purpose;
use dialplane_common::provider::public_url::PublicUrl;
use dialplane_common::provider::reply::{Action, Refusal, Reply};
use dialplane_common::provider::request::{Content, ParseError, VerifyError, WebhookRequest};
use dialplane_common::route::{Step, decide};
use dialplane_common::time::UnixSeconds;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONNECTION, HeaderValue};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
pub use origin::{Network, Origins};
pub use path::{Endpoint, endpoint};

use crate::metrics::Metrics;
use crate::outcome::{Answer, Outcome};
use crate::snapshot::{Account, Number, Snapshot, SnapshotStore, Tenant};

/// What answers webhooks.
#[derive(Debug)]
pub struct Webhooks {
    /// What is known.
    pub store: SnapshotStore,
    /// What seals the rest of a route.
    pub keys: Arc<Keyring>,
    /// By which URLs providers call.
    pub origins: Origins,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
    /// What is counted.
    pub metrics: Metrics,
    /// The second in which an answer without a right signature was last logged.
    pub unproven_logged_at: AtomicI64,
}

impl Webhooks {
    /// Answers one request.
    pub async fn handle(&self, request: Request<Incoming>, peer: IpAddr) -> Response<Full<Bytes>> {
        let Some(endpoint) = endpoint(request.uri().path()) else {
            self.metrics.paths_unknown.inc();
            return not_found();
        };
        let (parts, body) = request.into_parts();
        let metrics = self.metrics.of_kind(endpoint.provider_index, endpoint.kind_index);
        if parts.method != Method::POST && parts.method != Method::GET {
            metrics.ended(Outcome::Method);
            let mut response = Answer::refusal(Outcome::Method, "wanted POST or GET\n").into_response();
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, POST"));
            return response;
        }
        let body = match body::read(body, self.body_timeout).await {
            Ok(body) => body,
            Err(error) => return self.unread(&endpoint, error),
        };
        let started = std::time::Instant::now();
        let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
        let answer = match &*self.store.load() {
            Some(snapshot) => {
                let received =
                    Received { method: &parts.method, target, headers: &parts.headers, body: &body, peer };
                self.answer(snapshot, &endpoint, &received, now())
            }
            None => Answer::refusal(Outcome::NotReady, "no routing data yet\n"),
        };
        metrics.ended(answer.outcome);
        let response = answer.into_response();
        metrics.duration.observe(started.elapsed().as_secs_f64());
        response
    }

    /// The answer to a webhook whose body is there. Waits for nothing.
    #[must_use]
    pub fn answer(
        &self,
        snapshot: &Snapshot,
        endpoint: &Endpoint,
        received: &Received<'_>,
        now: UnixSeconds,
    ) -> Answer {
        let public_urls = self.origins.of(received.headers, received.peer);
        let Received { method, target, headers, body, .. } = *received;
        let request = match WebhookRequest::new(method, target, headers, body, &public_urls) {
            Ok(request) if request.content == Content::Json && !endpoint.takes_json => {
                return ParseError::ContentType.into();
            }
            Ok(request) => request,
            Err(error) => return error.into(),
        };
        let webhook = Webhook { router: self, snapshot, endpoint, request: &request, now };
        webhook.answer().unwrap_or_else(|refusal| refusal)
    }

    fn unread(&self, endpoint: &Endpoint, error: body::BodyError) -> Response<Full<Bytes>> {
        let outcome = match error {
            body::BodyError::TooLarge => Outcome::TooLarge,
            body::BodyError::Incomplete => Outcome::Incomplete,
        };
        self.metrics.of_kind(endpoint.provider_index, endpoint.kind_index).ended(outcome);
        let mut response = Answer::refusal(outcome, error.to_string()).into_response();
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        response
    }
}

/// A request as the connection gave it.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// The method.
    pub method: &'a Method,
    /// Path and query, as received.
    pub target: &'a str,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body.
    pub body: &'a [u8],
    /// The other end of the connection.
    pub peer: IpAddr,
}

/// One webhook being answered.
struct Webhook<'a> {
    router: &'a Webhooks,
    snapshot: &'a Snapshot,
    endpoint: &'a Endpoint,
    request: &'a WebhookRequest<'a>,
    now: UnixSeconds,
}

/// Whose call it is.
struct Owner<'a> {
    tenant_id: TenantId,
    tenant: &'a Tenant,
    number: Option<&'a Number>,
}

impl<'a> Webhook<'a> {
    fn answer(&self) -> Result<Answer, Answer> {
        let (account_id, account) = self.authenticate()?;
        let purpose = self.endpoint.kind.purpose;
        let call = self.endpoint.provider.call(purpose, self.request)?;
        match purpose {
            Purpose::Call => self.route(account_id, account, &call),
            Purpose::After => self.continue_route(account_id, &call),
            Purpose::Status | Purpose::Message => self.acknowledge(account_id, account, &call),
        }
    }

    /// The account that the request proves to come from, or that doesn't ask for proof.
    fn authenticate(&self) -> Result<(AccountId, &'a Account), Answer> {
        let unknown = || Answer::refusal(Outcome::UnknownAccount, "no account here has that id\n");
        let provider = self.endpoint.provider.name();
        if let Some(id) = self.endpoint.account {
            let account = self.snapshot.account(id).filter(|account| account.record.provider == provider);
            let account = account.ok_or_else(unknown)?;
            let proof = self.verify(account);
            return self.accept(id, account, proof);
        }
        let claim = self.endpoint.provider.claim(self.request);
        let called =
            claim.to.as_deref().and_then(call::address).and_then(|number| self.snapshot.number(number));
        let bound = called.map_or(&[][..], Number::accounts);
        let candidates: Vec<(AccountId, &Account)> = match &claim.external_id {
            Some(external_id) => self.snapshot.accounts_named(provider, external_id).collect(),
            None => bound.iter().filter_map(|id| Some((*id, self.snapshot.account(*id)?))).collect(),
        };
        let mut refused = None;
        for (id, account) in candidates.iter().filter(|(_, account)| account.record.provider == provider) {
            let proof = self.verify(account);
            if proof == Some(Ok(())) {
                return Ok((*id, account));
            }
            // An account that doesn't insist is taken when nobody's secret made the signature, and only for numbers
            // that are bound to it: a claim alone opens nothing.
            if refused.is_none() || bound.contains(id) {
                refused = Some((*id, *account, proof));
            }
        }
        let (id, account, proof) = refused.ok_or_else(unknown)?;
        if bound.contains(&id) {
            self.accept(id, account, proof)
        } else {
            Err(proof.and_then(Result::err).unwrap_or(VerifyError::Missing).into())
        }
    }

    /// What an account's policy says of a proof, or of its absence.
    fn accept(
        &self,
        id: AccountId,
        account: &'a Account,
        proof: Option<Result<(), VerifyError>>,
    ) -> Result<(AccountId, &'a Account), Answer> {
        match (account.record.signature_policy, proof) {
            (SignaturePolicy::Observe, Some(Err(reason))) => {
                self.router.metrics.signatures_unproven.with_label_values(&[reason.label()]).inc();
                // One line a second tells as much as one a call, and a full pipe stops nobody's answer.
                if self.router.unproven_logged_at.swap(self.now.0, Ordering::Relaxed) != self.now.0 {
                    tracing::warn!(account = %id, reason = reason.label(), "answered without a right signature");
                }
            }
            (SignaturePolicy::Enforce, Some(Err(reason))) => return Err(reason.into()),
            (_, Some(Ok(())) | None) | (SignaturePolicy::Off, Some(Err(_))) => {}
        }
        Ok((id, account))
    }

    /// `None`: the account doesn't ask for proof.
    fn verify(&self, account: &Account) -> Option<Result<(), VerifyError>> {
        let asks = account.record.signature_policy != SignaturePolicy::Off;
        asks.then(|| account.verifier.verify(self.request, self.now))
    }

    fn route(
        &self,
        account_id: AccountId,
        account: &Account,
        call: &InboundCall<'_>,
    ) -> Result<Answer, Answer> {
        let owner = self.owner(account_id, account, call)?;
        if owner.tenant.suspended {
            return Err(self.refuse(Refusal::SuspendedTenant));
        }
        if owner.number.is_some_and(|number| !number.active) {
            return Err(self.refuse(Refusal::InactiveNumber));
        }
        let subject = self.snapshot.subject(owner.number, owner.tenant);
        let decision = decide(&subject, call.caller(), self.now);
        self.take_step(account_id, &owner, call, decision.chain)
    }

    /// Whose number was called. Only numbers that are bound to the account count: an account proves who it is, not
    /// that it may speak of everybody's numbers.
    fn owner(
        &self,
        account_id: AccountId,
        account: &Account,
        call: &InboundCall<'_>,
    ) -> Result<Owner<'a>, Answer> {
        let known = call.called().and_then(|number| self.snapshot.number(number));
        let number = known.filter(|number| number.accounts().contains(&account_id));
        let tenant_id = match number {
            Some(number) => number.tenant_id,
            // Numbers that nobody has may go to one tenant, but never from another tenant's own account. A number
            // that somebody has isn't one of them only because this account may not speak of it.
            None => self
                .snapshot
                .unknown_numbers()
                .filter(|_| known.is_none())
                .filter(|tenant| account.record.tenant_id.is_none_or(|owner| owner == *tenant))
                .ok_or_else(|| self.refuse(Refusal::UnknownNumber))?,
        };
        let tenant = self.snapshot.tenant(tenant_id).ok_or_else(|| self.refuse(Refusal::NoRoute))?;
        Ok(Owner { tenant_id, tenant, number })
    }

    /// The next step, when the one before failed; else the call ends.
    fn continue_route(&self, account_id: AccountId, call: &InboundCall<'_>) -> Result<Answer, Answer> {
        let state = self.request.query_value(after::PARAMETER);
        let after = state
            .and_then(|state| After::open(&state, &call.call_id, &self.router.keys))
            .filter(|after| after.account == account_id)
            .ok_or_else(|| {
                let reason =
                    "parameter s is missing, or was made for another call or with another FEED_KEY\n";
                Answer::refusal(Outcome::Malformed, reason)
            })?;
        let result = self.endpoint.provider.step_result(self.request);
        let number = after.number.and_then(|number| self.snapshot.number(number));
        let number = number.filter(|number| number.tenant_id == after.tenant);
        let tenant = self.snapshot.tenant(after.tenant).ok_or_else(|| self.refuse(Refusal::NoRoute))?;
        let owner = Owner { tenant_id: after.tenant, tenant, number };
        let due = if after.is_next_due(result, self.now) { &*after.rest } else { &[] };
        // A call that was answered can't be rejected any more: where nothing can be done, it ends.
        let doable =
            |step: &Step| !matches!(step, Step::Reject { .. }) && self.action(&owner, step).is_some();
        match due.iter().position(doable) {
            Some(first) => self.take_step(account_id, &owner, call, &due[first..]),
            None => Ok(self.render(&owner, call, Action::Hangup, None)),
        }
    }

    /// Renders the first step that can be taken. What is left of the chain goes into the URL by which the provider
    /// asks what follows.
    fn take_step(
        &self,
        account_id: AccountId,
        owner: &Owner<'_>,
        call: &InboundCall<'_>,
        chain: &[Step],
    ) -> Result<Answer, Answer> {
        let (taken, action) = chain
            .iter()
            .enumerate()
            .find_map(|(index, step)| Some((index, self.action(owner, step)?)))
            .ok_or_else(|| self.refuse(Refusal::NoRoute))?;
        let rest = &chain[taken + 1..];
        let asks_after = !rest.is_empty() || matches!(action, Action::Voicemail { .. });
        let after_url = if asks_after { self.after_url(account_id, owner, call, rest) } else { None };
        Ok(self.render(owner, call, action, after_url))
    }

    /// What a step is for this owner; `None` when it can't be done, as its agent is gone.
    fn action<'s>(&'s self, owner: &Owner<'_>, step: &'s Step) -> Option<Action<'s>> {
        Some(match step {
            Step::Agent { agent } => {
                let id = agent.or_else(|| owner.number.and_then(|number| number.agent_id))?;
                Action::Agent(&self.snapshot.agent(owner.tenant_id, id)?.target)
            }
            Step::Forward { to, timeout_s } => {
                Action::Dial { to: std::slice::from_ref(to), timeout_s: *timeout_s }
            }
            Step::Ring { to, timeout_s } => Action::Dial { to, timeout_s: *timeout_s },
            Step::Voicemail { prompt, length_max_s } => {
                Action::Voicemail { prompt, length_max_s: *length_max_s }
            }
            Step::Message { prompt } => Action::Message(prompt),
            Step::Reject { busy } => Action::Reject { busy: *busy },
            Step::Redirect { url } => Action::Redirect(url),
        })
    }

    fn after_url(
        &self,
        account: AccountId,
        owner: &Owner<'_>,
        call: &InboundCall<'_>,
        rest: &[Step],
    ) -> Option<String> {
        let provider = self.endpoint.provider;
        let kind = provider.kinds().iter().find(|kind| kind.purpose == Purpose::After)?;
        let after = After {
            account,
            tenant: owner.tenant_id,
            number: owner.number.and(call.called()),
            asked_at: self.now,
            rest: rest.to_vec(),
        };
        let state = after.seal(&call.call_id, &self.router.keys)?;
        let base = self.request.public_urls.first().map_or("", PublicUrl::as_str);
        let (provider, kind) = (provider.name(), kind.name);
        Some(format!("{base}/webhooks/{provider}/{kind}/{account}?{}={state}", after::PARAMETER))
    }

    fn render(
        &self,
        owner: &Owner<'_>,
        call: &InboundCall<'_>,
        action: Action<'_>,
        after_url: Option<String>,
    ) -> Answer {
        let reply = Reply {
            call,
            tenant_id: owner.tenant_id,
            phone_number_id: owner.number.map(|number| number.id),
            action,
            after_url,
        };
        Answer::document(Outcome::Answered, self.endpoint.provider.render(&reply))
    }

    /// An event: nothing is decided, so the answer is the same whether the number is known or not; the outcome tells.
    fn acknowledge(
        &self,
        account_id: AccountId,
        account: &Account,
        call: &InboundCall<'_>,
    ) -> Result<Answer, Answer> {
        let provider = self.endpoint.provider;
        let purpose = self.endpoint.kind.purpose;
        if purpose == Purpose::Status {
            self.router
                .metrics
                .call_statuses
                .with_label_values(&[provider.name(), provider.status(self.request)])
                .inc();
        }
        let outcome = match self.owner(account_id, account, call) {
            Ok(_) => Outcome::Answered,
            Err(refused) => refused.outcome,
        };
        Ok(Answer::document(outcome, provider.acknowledge(purpose)))
    }

    fn refuse(&self, refusal: Refusal) -> Answer {
        Answer::document(refusal.into(), self.endpoint.provider.refuse(refusal))
    }
}

fn now() -> UnixSeconds {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UnixSeconds(i64::try_from(since_1970.as_secs()).unwrap_or(i64::MAX))
}

fn not_found() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(b"no webhook at this path\n")));
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::SnapshotStore;
    use dialplane_common::feed::frame::{Frame, Payload, RawKey};
    use dialplane_common::feed::message::Delta;
    use dialplane_common::feed::record::{AccountRecord, NumberRecord, PlatformRecord, Record, TenantRecord};
    use dialplane_common::feed::{Digest, Epoch, FEED_VERSION, Revision, frame};
    use dialplane_common::ids::PhoneNumberId;
    use dialplane_common::provider::Credential;
    use dialplane_common::route::{Condition, Rule};
    use uuid::Uuid;

    const OWNER: TenantId = TenantId(Uuid::from_u128(1));
    const CATCH_ALL: TenantId = TenantId(Uuid::from_u128(2));
    const OWNERS_ACCOUNT: AccountId = AccountId(Uuid::from_u128(3));
    const PLATFORM_ACCOUNT: AccountId = AccountId(Uuid::from_u128(4));

    fn tenant(id: TenantId, busy: bool) -> Record {
        let rules = vec![Rule { when: Condition::default(), then: vec![Step::Reject { busy }] }];
        let (name, timezone) = (String::new(), "UTC".to_owned());
        Record::Tenant(id, TenantRecord { name, suspended: false, timezone, hours: None, rules: Some(rules) })
    }

    /// An account that asks for no proof.
    fn account(keys: &Keyring, id: AccountId, tenant_id: Option<TenantId>) -> Record {
        let plain = frame::encode(&Vec::<Credential>::new());
        let record = AccountRecord {
            tenant_id,
            provider: "twilio".into(),
            external_id: "AC1".into(),
            signature_policy: SignaturePolicy::Off,
            sealed_credentials: keys.seal([7; 24], id.as_bytes(), &plain),
        };
        Record::Account(id, record)
    }

    /// One number of one tenant, bound to its own account; another tenant takes what nobody has.
    fn snapshot(keys: &Keyring) -> Snapshot {
        let number = NumberRecord {
            id: PhoneNumberId(Uuid::from_u128(5)),
            tenant_id: OWNER,
            active: true,
            display_name: String::new(),
            timezone: None,
            agent_id: None,
            accounts: vec![OWNERS_ACCOUNT],
            hours: None,
            rules: None,
        };
        let records = [
            Record::Platform(PlatformRecord {
                unknown_numbers: Some(CATCH_ALL),
                ..PlatformRecord::default()
            }),
            tenant(OWNER, false),
            tenant(CATCH_ALL, true),
            account(keys, OWNERS_ACCOUNT, Some(OWNER)),
            account(keys, PLATFORM_ACCOUNT, None),
            Record::Number("+12125550001".parse().unwrap(), number),
        ];
        let mut frames = Vec::new();
        for record in &records {
            let (key, bytes) = (record.key().to_bytes(), record.encode());
            let key = RawKey { kind: record.key().kind() as u8, key: &key };
            Frame { key, payload: Some(Payload { version: FEED_VERSION, bytes: &bytes }) }.write(&mut frames);
        }
        let epoch = Epoch(Uuid::from_u128(9));
        let (revision, digest) = (Revision(1), Digest::default());
        let delta = Delta { epoch, revision, digest, committed_us: 0, frames: &frames };
        Snapshot::empty(epoch).apply(&delta, keys).unwrap().0
    }

    #[test]
    fn a_number_that_somebody_has_never_goes_to_who_takes_unknown_ones() {
        let keys = Arc::new(Keyring::feed("a-feed-key-of-some-length").unwrap());
        let snapshot = snapshot(&keys);
        let webhooks = Webhooks {
            store: SnapshotStore::default(),
            keys,
            origins: Origins {
                public_urls: vec!["https://a.example".parse().unwrap()],
                ..Origins::default()
            },
            body_timeout: Duration::from_secs(1),
            metrics: Metrics::new().unwrap(),
            unproven_logged_at: AtomicI64::default(),
        };
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/x-www-form-urlencoded"));
        let check = |account: AccountId, to: &str, expected: Outcome, busy: bool| {
            let target = format!("/webhooks/twilio/voice/{account}");
            let body = format!("AccountSid=AC1&CallSid=CA1&From=%2B15105550198&To=%2B{to}");
            let (method, body, peer) = (&Method::POST, body.as_bytes(), IpAddr::from([192, 0, 2, 1]));
            let received = Received { method, target: &target, headers: &headers, body, peer };
            let answer = webhooks.answer(
                &snapshot,
                &endpoint(&target).unwrap(),
                &received,
                UnixSeconds(1_800_000_000),
            );
            let document = String::from_utf8_lossy(&answer.rendered.body).into_owned();
            assert_eq!((answer.outcome, document.contains("busy")), (expected, busy), "{account} {to}");
        };
        check(OWNERS_ACCOUNT, "12125550001", Outcome::Answered, false);
        check(PLATFORM_ACCOUNT, "12125550001", Outcome::UnknownNumber, false);
        check(PLATFORM_ACCOUNT, "12125550002", Outcome::Answered, true);
        check(OWNERS_ACCOUNT, "12125550002", Outcome::UnknownNumber, false);
    }
}
