//! The pause between two steps of a bulk change.

use std::time::Duration;

/// The longest pause: after it a process that has waited for the lock of the file has asked for it again.
const LONGEST: Duration = Duration::from_millis(25);

/// Waits as long as the last step took, at most [`LONGEST`]. In this process other changes come first anyway, since the
/// writer's queue is fair. Another process only asks for the file's lock from time to time.
pub(super) async fn let_others_write(step: Duration) {
    tokio::time::sleep(step.min(LONGEST)).await;
}
