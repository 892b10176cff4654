//! Iterations of a mix: one operation each, drawn by the weights of the plan.

use tokio::time::Instant;

use super::engine::IterationId;
use super::iteration::{FailureClock, Iteration};
use super::{ScenarioContext, api_iteration};
use crate::record::outcome::{ClientFault, Failure};
use crate::scenario::{Scenario, ScenarioId, Work, operation_step};

/// Runs one iteration.
pub(super) fn run(
    context: &ScenarioContext,
    id: IterationId,
) -> impl Future<Output = Iteration> + use<> {
    let operation = context.planned.mix.as_ref().map(|mix| mix.draw(&mut context.random_of(id)));
    let running = operation.and_then(|operation| {
        let scenario = Scenario::of(operation);
        let Work::Api(actions) = scenario.work else { return None };
        Some((operation, api_iteration::run(context, scenario, actions, id)))
    });
    let clock = FailureClock::Now(context.timeline);
    async move {
        let Some((operation, iteration)) = running else {
            let mut iteration = Iteration::on(None, clock);
            iteration.fail(Failure {
                step: ScenarioId::ApiMix.name().to_owned(),
                status: None,
                error_type: ClientFault::Skyload.name().to_owned(),
                message: "the plan has no mix of API scenarios".to_owned(),
            });
            return iteration;
        };
        let start = Instant::now();
        let mut iteration = iteration.await;
        iteration.step(operation_step(operation), start.elapsed());
        iteration
    }
}
