//! Request to end a scenario early: a signal, or the death of the coordinator.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::ids::ProcessIdentity;

/// Request to stop the scenario, which may come at any time.
#[derive(Clone, Debug)]
pub(super) struct StopSignal(watch::Receiver<bool>);

impl StopSignal {
    /// Listens for SIGINT and SIGTERM, and watches `coordinator`: after its death nothing
    /// else would end the scenario.
    pub(super) fn listen(coordinator: Option<ProcessIdentity>) -> io::Result<Self> {
        const POLL_INTERVAL: Duration = Duration::from_secs(1);
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let (sender, receiver) = watch::channel(false);
        tokio::spawn(async move {
            let gone = async {
                // If the coordinator is unknown, only a signal stops the scenario.
                while coordinator.is_none_or(ProcessIdentity::is_alive) {
                    tokio::time::sleep(POLL_INTERVAL).await;
                }
            };
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                () = gone => {}
            }
            // Fails only when the scenario has ended and dropped its receivers.
            _ = sender.send(true);
        });
        Ok(Self(receiver))
    }

    /// Whether the stop is requested.
    pub(super) fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until the stop is requested.
    pub(super) async fn requested(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|requested| *requested).await.is_err() {
            // The sender is dropped without a request only when the runtime shuts down.
            std::future::pending::<()>().await;
        }
    }
}
