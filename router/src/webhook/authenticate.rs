//! Whose webhook it is: the account that a request proves to come from.

use std::sync::atomic::Ordering;

use dialplane_common::call;
use dialplane_common::feed::record::SignaturePolicy;
use dialplane_common::ids::AccountId;
use dialplane_common::provider::request::VerifyError;

use super::call::Webhook;
use crate::outcome::{Answer, Outcome};
use crate::snapshot::{Account, Number};

impl<'a> Webhook<'a> {
    /// The account that the request proves to come from, or that doesn't ask for proof.
    pub(super) fn authenticate(&self) -> Result<(AccountId, &'a Account), Answer> {
        let unknown = || Answer::refusal(Outcome::UnknownAccount, "no account here has that id\n");
        let provider = self.endpoint.provider.name();
        if let Some(id) = self.endpoint.account {
            let account = self.snapshot.account(id).filter(|account| account.record.provider == provider);
            let account = account.ok_or_else(unknown)?;
            let proof = self.verify(account);
            return self.accept(id, account, proof);
        }
        let claim = self.endpoint.provider.claim(self.endpoint.kind, self.request);
        let called =
            claim.to.as_deref().and_then(call::address).and_then(|number| self.snapshot.number(number));
        let bound: Vec<AccountId> = called.into_iter().flat_map(Number::accounts).collect();
        let mut candidates: Vec<(AccountId, &Account)> = match &claim.external_id {
            Some(external_id) => self.snapshot.accounts_named(provider, external_id).collect(),
            None => Vec::new(),
        };
        // Accounts that have no name at the provider, or weren't given theirs, are found by the called number. Also when
        // others have the claimed name: anybody may give an account that name.
        let named = |account: &Account| claim.external_id.is_some() && !account.record.external_id.is_empty();
        let found = bound.iter().filter_map(|id| Some((*id, self.snapshot.account(*id)?)));
        candidates.extend(found.filter(|(_, account)| !named(account)));
        // Several tenants may have the same account at the provider, secret included: whose number was called tells
        // whose webhook it is.
        candidates.sort_by_key(|(id, _)| !bound.contains(id));
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
                let second = self.now.seconds().0;
                if self.router.unproven_logged_at.swap(second, Ordering::Relaxed) != second {
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
        asks.then(|| account.verifier.verify(self.endpoint.kind, self.request, self.now))
    }
}

#[cfg(test)]
mod tests {

    use std::sync::Arc;
    use std::time::Duration;

    use dialplane_common::feed::frame;
    use dialplane_common::feed::keyring::Keyring;
    use dialplane_common::feed::record::{AccountRecord, NumberRecord, Record, TenantRecord};
    use dialplane_common::ids::{PhoneNumberId, TenantId};
    use dialplane_common::provider::credentials::Credential;
    use dialplane_common::route::{Condition, LimitScope, Prompt, Rule, Step};
    use dialplane_common::time::UnixMillis;
    use hyper::header::HeaderValue;
    use hyper::{HeaderMap, Method};
    use uuid::Uuid;

    use super::super::tests::snapshot_of;
    use super::*;
    use crate::outbound::Outbound;
    use crate::snapshot::Snapshot;
    use crate::webhook::{Origins, Peer, Reaction, Received, Webhooks, endpoint};

    const TENANT: TenantId = TenantId(Uuid::from_u128(1));
    const STRANGER: TenantId = TenantId(Uuid::from_u128(2));
    const STRANGERS_ACCOUNT: AccountId = AccountId(Uuid::from_u128(3));
    const ACCOUNT: AccountId = AccountId(Uuid::from_u128(4));

    /// An account at Bandwidth, which shows its password.
    fn account(
        keys: &Keyring,
        (id, owner): (AccountId, TenantId),
        external_id: &str,
        password: &str,
    ) -> Record {
        let basic = Credential { id: "user".to_owned(), ..Credential::new("basic", password) };
        let record = AccountRecord {
            tenant_id: Some(owner),
            provider: "bandwidth".into(),
            external_id: external_id.into(),
            calling_code: None,
            signature_policy: SignaturePolicy::Enforce,
            sealed_credentials: keys.seal([7; 24], id.as_bytes(), &frame::encode(&vec![basic])),
        };
        Record::Account(id, record)
    }

    /// A tenant whose number takes one call at a time.
    fn tenant_and_number() -> [Record; 2] {
        let say = Prompt::Say { text: "Hello".into(), language: None };
        let rules = vec![
            Rule {
                when: Condition { over_limit: Some(LimitScope::Number), ..Condition::default() },
                then: vec![Step::Reject { busy: true }],
            },
            Rule { when: Condition::default(), then: vec![Step::Message { prompt: say }] },
        ];
        let number = NumberRecord {
            bindings: vec![ACCOUNT.into()],
            rules: Some(rules),
            calls_max: Some(1),
            ..NumberRecord::new(PhoneNumberId(Uuid::from_u128(5)), TENANT)
        };
        [
            Record::Tenant(TENANT, TenantRecord::new("", "UTC")),
            Record::Number("+12125550001".parse().unwrap(), number),
        ]
    }

    fn webhooks(keys: Arc<Keyring>) -> Webhooks {
        let public_urls = vec!["https://a.example".parse().unwrap()];
        let origins = Origins { public_urls, ..Origins::default() };
        Webhooks::new(keys, origins, Duration::from_secs(1), Outbound::default()).unwrap()
    }

    /// An event of a call for the number, shown with the password `right`: its outcome, and whether the caller is spoken
    /// to.
    fn tell(
        webhooks: &Webhooks,
        snapshot: &Snapshot,
        kind: &str,
        (event, call): (&str, &str),
    ) -> (Outcome, bool) {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        // base64 of user:right
        headers.insert("authorization", HeaderValue::from_static("Basic dXNlcjpyaWdodA=="));
        let target = format!("/webhooks/bandwidth/{kind}");
        let body = format!(
            r#"{{"eventType":"{event}","accountId":"5","callId":"{call}","to":"+12125550001","from":"+15105550198"}}"#
        );
        let (method, authority) = (&Method::POST, None);
        let peer = Peer { address: [192, 0, 2, 1].into(), tls: false };
        let (headers, body) = ((&headers).into(), body.as_bytes());
        let received = Received { method, authority, target: &target, headers, body, peer };
        let now = UnixMillis(1_800_000_000_000);
        let reaction = webhooks.react(snapshot, &endpoint(&target).unwrap(), &received, now);
        let Reaction::Now(answer) = reaction else { panic!("{reaction:?}") };
        (answer.outcome, String::from_utf8_lossy(&answer.rendered.body).contains("Hello"))
    }

    #[test]
    fn strangers_who_claim_the_same_account_change_nothing() {
        let keys = Arc::new(Keyring::feed("a-feed-key-of-some-length").unwrap());
        let check = |strangers_password: &str, own_external_id: &str| {
            let mut records = vec![
                account(&keys, (STRANGERS_ACCOUNT, STRANGER), "5", strangers_password),
                account(&keys, (ACCOUNT, TENANT), own_external_id, "right"),
            ];
            records.extend(tenant_and_number());
            let snapshot = snapshot_of(&keys, &records);
            let told = tell(&webhooks(Arc::clone(&keys)), &snapshot, "voice", ("initiate", "c-1"));
            assert_eq!(told, (Outcome::Answered, true), "{strangers_password} {own_external_id}");
        };
        check("wrong", "5");
        // The same account at the provider twice, as when a business comes from another tenant.
        check("right", "5");
        // An account that wasn't given its name at the provider.
        check("wrong", "");
        check("right", "");
    }

    #[test]
    fn a_caller_who_is_turned_away_keeps_no_line_busy() {
        let keys = Arc::new(Keyring::feed("a-feed-key-of-some-length").unwrap());
        let mut records = vec![account(&keys, (ACCOUNT, TENANT), "5", "right")];
        records.extend(tenant_and_number());
        let (snapshot, webhooks) = (snapshot_of(&keys, &records), webhooks(keys));
        let call = |id, answered| {
            let told = tell(&webhooks, &snapshot, "voice", ("initiate", id));
            assert_eq!(told, (Outcome::Answered, answered), "{id}");
        };
        call("c-1", true);
        // Bandwidth asks again where it had no answer in time.
        call("c-1", true);
        call("c-2", false);
        tell(&webhooks, &snapshot, "status", ("disconnect", "c-1"));
        call("c-3", true);
    }
}
