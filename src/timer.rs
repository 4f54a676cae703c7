//! Waiting, which is the host's runtime's business.

use std::{future::Future, pin::Pin, time::Duration};

/// Sleeps for a while: the one thing asked of the host's runtime, where the registry is to wait.
///
/// Any function from a duration to a future is one, so the runtime's own sleep can be given by its name:
///
/// ```
/// use counterfoil::Timer;
/// use std::time::Duration;
///
/// async fn wait(timer: impl Timer) {
///     timer.sleep(Duration::from_millis(1)).await;
/// }
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
/// runtime.block_on(wait(tokio::time::sleep));
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait Timer: Send + Sync + 'static {
    /// A future that is ready once so much time has passed.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

impl<F, S> Timer for F
where
    F: Fn(Duration) -> S + Send + Sync + 'static,
    S: Future<Output = ()> + Send + 'static,
{
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(self(duration))
    }
}
