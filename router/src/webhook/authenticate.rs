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
        let bound = called.map_or(&[][..], Number::accounts);
        let mut candidates: Vec<(AccountId, &Account)> = match &claim.external_id {
            Some(external_id) => self.snapshot.accounts_named(provider, external_id).collect(),
            None => Vec::new(),
        };
        if candidates.is_empty() {
            // Accounts that have no name at the provider, or weren't given theirs, are found by the called number.
            let named =
                |account: &Account| claim.external_id.is_some() && !account.record.external_id.is_empty();
            let found = bound.iter().filter_map(|id| Some((*id, self.snapshot.account(*id)?)));
            candidates.extend(found.filter(|(_, account)| !named(account)));
        }
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
