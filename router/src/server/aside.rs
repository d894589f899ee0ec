//! A future beside a busier one in the same task, which costs next to nothing while it has nothing to say.
//!
//! Timers and notifications take a lock each time they are asked. Beside a connection that wakes for each packet they
//! would be asked for each packet. Here they are asked only when they have called.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Polls a future only when it has asked for it.
#[derive(Debug)]
pub struct Aside<F> {
    future: F,
    bell: Option<Arc<Bell>>,
}

#[derive(Debug)]
struct Bell {
    rung: AtomicBool,
    task: Waker,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.task.wake_by_ref();
    }
}

impl<F: Future + Unpin> Aside<F> {
    /// Not asked yet.
    pub const fn new(future: F) -> Self {
        Self { future, bell: None }
    }
}

impl<F: Future + Unpin> Future for Aside<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let bell = match &self.bell {
            Some(bell) if bell.task.will_wake(context.waker()) => {
                // A load first: it is nearly always silent, and a swap would take the cache line for itself.
                if !bell.rung.load(Ordering::Acquire) {
                    return Poll::Pending;
                }
                bell.rung.store(false, Ordering::Release);
                Arc::clone(bell)
            }
            // The first time, or another task's turn: nobody has this waker yet.
            _ => Arc::new(Bell { rung: AtomicBool::new(false), task: context.waker().clone() }),
        };
        self.bell = Some(Arc::clone(&bell));
        Pin::new(&mut self.future).poll(&mut Context::from_waker(&Waker::from(bell)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use tokio::sync::oneshot;

    struct Task;

    impl Wake for Task {
        fn wake(self: Arc<Self>) {}
    }

    #[test]
    fn it_is_asked_at_first_and_after_each_call_only() {
        let (sender, receiver) = oneshot::channel::<u8>();
        let mut receiver = Box::pin(receiver);
        let mut asked = 0;
        let future = std::future::poll_fn(|context| {
            asked += 1;
            receiver.as_mut().poll(context)
        });
        let task = Waker::from(Arc::new(Task));
        let mut context = Context::from_waker(&task);
        {
            let mut aside = pin!(Aside::new(future));
            for _ in 0..10 {
                assert!(aside.as_mut().poll(&mut context).is_pending());
            }
            sender.send(7).unwrap();
            assert_eq!(aside.as_mut().poll(&mut context), Poll::Ready(Ok(7)));
        }
        assert_eq!(asked, 2);
    }
}
