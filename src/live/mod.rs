//! State of a run in progress, for a page to look at meanwhile.
//!
//! [`Follower`] reads what the processes of the run add to its files, so that nothing is asked of
//! them, and gives each row to a [`LiveState`]. [`View`] is what the page shows of it, and
//! [`History`] what its charts do. [`ProfileFollower`] reads a profile alone. Nothing is judged
//! here: the verdict is that of the report.

mod follow;
mod history;
mod memory;
mod profile;
mod run_state;
mod state;
mod time_left;
mod view;

pub use follow::Follower;
pub use history::{History, Point};
pub use memory::Latest;
pub use profile::ProfileFollower;
pub use state::LiveState;
pub use view::{ClassView, Ending, LoadState, Pss, ScenarioView, Totals, View};
