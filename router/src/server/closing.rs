//! What a worker's connections are told of its end: first that each answer shall be the connection's last, then that
//! idle ones close.
//!
//! In between lies a grace: a client that sends often learns from an answer that it shall connect again. One whose idle
//! connection is closed at the very moment at which it sends can't know whether its request was read.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// What one worker tells its connections.
#[derive(Debug, Default)]
pub struct Closing {
    announced: AtomicBool,
    idle: AtomicBool,
    wake: Notify,
}

impl Closing {
    /// From now on each answer is the last of its connection.
    pub fn announce(&self) {
        self.announced.store(true, Ordering::Relaxed);
    }

    /// Whether an answer is the last of its connection.
    #[must_use]
    pub fn announced(&self) -> bool {
        self.announced.load(Ordering::Relaxed)
    }

    /// Closes idle connections.
    pub fn close_idle(&self) {
        self.idle.store(true, Ordering::Release);
        self.wake.notify_waiters();
    }

    /// Waits until idle connections close.
    pub async fn idle_closes(&self) {
        let woken = self.wake.notified();
        if !self.idle.load(Ordering::Acquire) {
            woken.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_and_who_comes_later_both_hear_of_it() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let closing = Closing::default();
            let close = async {
                closing.announce();
                assert!(closing.announced());
                closing.close_idle();
            };
            tokio::join!(closing.idle_closes(), close);
            closing.idle_closes().await;
        });
    }
}
