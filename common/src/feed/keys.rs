//! Every key and channel in Redis, below one namespace.

use super::{Epoch, Revision};

/// The namespace that an installation has when it isn't told another.
pub const NAMESPACE: &str = "dialplane";

/// The names in Redis of one installation.
#[derive(Clone, Debug)]
pub struct Keys {
    namespace: String,
}

impl Keys {
    /// Names below `namespace` (the setting `REDIS_NAMESPACE`).
    #[must_use]
    pub fn new(namespace: &str) -> Self {
        Self { namespace: namespace.to_owned() }
    }

    /// String: the current epoch. Set last, once a complete checkpoint of that epoch lies beside it.
    #[must_use]
    pub fn epoch(&self) -> String {
        format!("{}:epoch", self.namespace)
    }

    /// Stream: the deltas, entry id `<revision>-0`, field `delta` the signed message, field `digest` its digest.
    #[must_use]
    pub fn feed(&self, epoch: Epoch) -> String {
        format!("{}:{epoch}:feed", self.namespace)
    }

    /// String: the manifest of the newest complete checkpoint.
    #[must_use]
    pub fn checkpoint(&self, epoch: Epoch) -> String {
        format!("{}:{epoch}:checkpoint", self.namespace)
    }

    /// String: one chunk of the checkpoint at `revision`.
    #[must_use]
    pub fn chunk(&self, epoch: Epoch, revision: Revision, index: u32) -> String {
        format!("{}:{epoch}:checkpoint:{revision}:{index}", self.namespace)
    }

    /// Pattern for all keys of one epoch.
    #[must_use]
    pub fn of_epoch(&self, epoch: Epoch) -> String {
        format!("{}:{epoch}:*", self.namespace)
    }

    /// Channel: the doorbell. Its message is the newest revision, never data.
    #[must_use]
    pub fn changes(&self) -> String {
        format!("{}:changes", self.namespace)
    }

    /// Hash: router id to its last [`super::report::RouterReport`].
    #[must_use]
    pub fn routers(&self) -> String {
        format!("{}:routers", self.namespace)
    }

    /// Sorted set: router id by the time of its last report, milliseconds by Redis's clock.
    #[must_use]
    pub fn routers_seen(&self) -> String {
        format!("{}:routers:seen", self.namespace)
    }

    /// Channel: the changes that the control plane tells of under this name (`business:{tenant_id}` and others). It is the
    /// contract's own name, below the namespace only where the installation has one of its own.
    #[must_use]
    pub fn realtime(&self, channel: &str) -> String {
        if self.namespace == NAMESPACE { channel.to_owned() } else { format!("{}:{channel}", self.namespace) }
    }

    /// Stream: what routers tell of calls, field `batch` a [`crate::calls::batch::Batch`].
    #[must_use]
    pub fn events(&self) -> String {
        format!("{}:events", self.namespace)
    }

    /// Hash: a writer of [`Self::events`] to the sequence up to which all its batches are stored.
    #[must_use]
    pub fn events_stored(&self) -> String {
        format!("{}:events:stored", self.namespace)
    }

    /// Hash: calls under way of those that have a limit, a [`crate::live::CallKey`] to its [`crate::live::entry`]; and
    /// [`crate::live::LIFE_FIELD`].
    #[must_use]
    pub fn live(&self) -> String {
        format!("{}:live", self.namespace)
    }

    /// Channel: what routers get to know of those calls, [`crate::live::changes`].
    #[must_use]
    pub fn live_changes(&self) -> String {
        format!("{}:live:changes", self.namespace)
    }

    /// Stream: entries of [`Self::events`] that nobody can read, for people; capped.
    #[must_use]
    pub fn events_dead(&self) -> String {
        format!("{}:events:dead", self.namespace)
    }

    /// Channel: a router has reported.
    #[must_use]
    pub fn reports(&self) -> String {
        format!("{}:reports", self.namespace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_have_their_own_names_unless_a_namespace_tells_installations_apart() {
        assert_eq!(Keys::new(NAMESPACE).realtime("business:1"), "business:1");
        assert_eq!(Keys::new("second").realtime("business:1"), "second:business:1");
    }
}
