//! Driver of arrival rates: iterations start at times that are computed beforehand, whatever the
//! server does.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::{Driver, IterationId, Message, Reporter, Segments};

/// Driver of an arrival rate.
pub(in crate::traffic) struct OpenLoad<A, U> {
    /// Times of the arrivals after the start of the load, in order.
    pub(in crate::traffic) arrivals: A,
    /// Maximum number of active iterations; further arrivals are dropped.
    pub(in crate::traffic) max_in_flight: u32,
    /// End of the arrivals before their last one.
    pub(in crate::traffic) until: U,
}

impl<A, U> Driver for OpenLoad<A, U>
where
    A: Iterator<Item = Duration> + 'static,
    U: Future<Output = ()> + 'static,
{
    fn spawn<T: 'static, F: Future<Output = T> + 'static>(
        self,
        start: Instant,
        segments: Rc<Segments>,
        reporter: Reporter<T>,
        iteration: Rc<dyn Fn(IterationId) -> F>,
    ) {
        let Self { arrivals, max_in_flight, until } = self;
        let pace = async move {
            let free = FreeSlots::new(max_in_flight);
            for (number, offset) in (0..).zip(arrivals) {
                sleep_until(start + offset).await;
                let segment = segments.at(offset);
                reporter.send(Message::Scheduled(segment));
                let Some(slot) = free.take() else {
                    reporter.send(Message::Dropped(segment));
                    continue;
                };
                let iteration = iteration(IterationId { user: slot.number, number });
                let reporter = reporter.clone();
                tokio::task::spawn_local(async move {
                    reporter.run(segment, slot.number, start + offset, iteration).await;
                    drop(slot);
                });
            }
        };
        tokio::task::spawn_local(async move {
            tokio::select! {
                // In this order: an end does not wait for overdue arrivals.
                biased;
                () = until => {}
                () = pace => {}
            }
        });
    }
}

/// Numbers that no active iteration has.
#[derive(Clone)]
struct FreeSlots(Rc<RefCell<Slots>>);

struct Slots {
    returned: BTreeSet<u32>,
    /// First number that was never taken.
    next: u32,
    max: u32,
}

/// Number of an active iteration, which is free again when this is dropped.
struct Slot {
    number: u32,
    slots: FreeSlots,
}

impl FreeSlots {
    fn new(max: u32) -> Self {
        Self(Rc::new(RefCell::new(Slots { returned: BTreeSet::new(), next: 0, max })))
    }

    /// Lowest free number; `None` if all are taken.
    fn take(&self) -> Option<Slot> {
        let mut slots = self.0.borrow_mut();
        let number = slots.returned.pop_first().or_else(|| {
            let next = slots.next;
            (next < slots.max).then(|| {
                slots.next += 1;
                next
            })
        })?;
        drop(slots);
        Some(Slot { number, slots: self.clone() })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.0.borrow_mut().returned.insert(self.number);
    }
}
