//! Feed of the live page: the latest state of the run that is followed.

use std::sync::Arc;
use std::time::Duration;

use skyload::clock::Timeline;
use skyload::live::Follower;
use skyload::render::html::{live_charts, live_view};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{Conclusion, Message};

/// Interval between two states.
const INTERVAL: Duration = Duration::from_secs(1);

/// Interval between two sets of charts, which are larger than a state.
const CHARTS_INTERVAL: Duration = Duration::from_secs(5);

/// JSON for viewers, made once for all of them.
#[derive(Clone, Default)]
pub(super) struct Shown {
    /// State; `None` before the first run.
    pub(super) state: Option<Arc<str>>,
    /// Charts, with their number; `None` before the first run.
    pub(super) charts: Option<(u64, Arc<str>)>,
    /// Whether nothing follows.
    pub(super) is_over: bool,
}

/// Shows the runs that messages name, until no message can come any more.
pub(super) async fn run(
    mut messages: mpsc::UnboundedReceiver<Message>,
    shown: &watch::Sender<Shown>,
) {
    let mut feed = Feed { timeline: Timeline::start(), follower: None, charts: 0, due: None };
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            message = messages.recv() => match message {
                Some(Message::Follow(follower)) => feed.follow(*follower),
                Some(Message::Conclude(conclusion)) => feed.conclude(conclusion),
                None => break,
            },
            _ = ticks.tick() => {}
        }
        feed.show(shown);
    }
    shown.send_modify(|shown| shown.is_over = true);
}

struct Feed {
    timeline: Timeline,
    /// Follower of a run; `None` before the first.
    follower: Option<Follower>,
    /// Number of the last charts.
    charts: u64,
    /// Time from which on charts are made again; `None` to make them at once.
    due: Option<Instant>,
}

impl Feed {
    fn follow(&mut self, follower: Follower) {
        (self.follower, self.due) = (Some(follower), None);
    }

    fn conclude(&mut self, conclusion: Conclusion) {
        let Conclusion { verdict, sentence, report } = conclusion;
        if let Some(follower) = &mut self.follower {
            follower.state_mut().conclude(verdict, sentence, report);
            self.due = None;
        }
    }

    /// Reads what was added to the run's files, and shows it.
    fn show(&mut self, shown: &watch::Sender<Shown>) {
        let Some(follower) = &mut self.follower else { return };
        let now = self.timeline.now();
        follower.read_new();
        follower.state_mut().remember(now);
        let state = follower.state();
        let charts = match self.due {
            Some(due) if Instant::now() < due => None,
            _ => {
                self.due = Some(Instant::now() + CHARTS_INTERVAL);
                self.charts += 1;
                live_charts(state, now).ok().map(|charts| (self.charts, Arc::from(charts)))
            }
        };
        let Ok(view) = live_view(&state.view(now)) else { return };
        shown.send_modify(|shown| {
            shown.state = Some(Arc::from(view));
            shown.charts = charts.or_else(|| shown.charts.take());
        });
    }
}
