//! When a scenario must end early: a signal, or a coordinator that has gone.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::ids::ProcessIdentity;

/// Whether, and from when on, the scenario was told to stop.
#[derive(Clone, Debug)]
pub(super) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Listens for SIGINT and SIGTERM, and watches `coordinator`: when that has
    /// been killed, nobody is left who would end the scenario.
    pub(super) fn listen(coordinator: Option<ProcessIdentity>) -> io::Result<Self> {
        const LOOK_EVERY: Duration = Duration::from_secs(1);
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let (sender, receiver) = watch::channel(false);
        tokio::spawn(async move {
            let gone = async {
                while coordinator.is_none_or(ProcessIdentity::is_alive) {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            };
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                () = gone => {}
            }
            // Without a receiver nobody wants to know any more.
            _ = sender.send(true);
        });
        Ok(Self(receiver))
    }

    /// Whether it was told to stop.
    pub(super) fn is_asked_for(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns when it is told to stop.
    pub(super) async fn asked_for(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|asked| *asked).await.is_err() {
            // The listener has gone, which it does only together with the runtime.
            std::future::pending::<()>().await;
        }
    }
}
