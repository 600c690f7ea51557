//! What the module is to cost at most, from end to end.

use super::client::Kind;
use super::figures::Figures;
use super::subject::Subject;
use crate::goal::Bound::{AtLeast, AtMost, IntervalAround, IntervalFromAtMost};
use crate::goal::{Goal, estimated, goal};

/// All goals.
pub fn goals(figures: &Figures) -> Vec<Goal> {
    let module = &figures.rows[Subject::Module as usize];
    let instructions = module.instructions.iter().map(|of| {
        let what = format!("{}: instructions to the built-in filter's", of.kind.name());
        goal(what, of.ratio, AtMost(1.02), "")
    });
    let measured = figures
        .workers()
        .flat_map(|workers| of_workers(figures, workers));
    instructions.chain(measured).collect()
}

fn of_workers(figures: &Figures, workers: usize) -> Vec<Goal> {
    let plural = if workers == 1 { "" } else { "s" };
    let named = |what, kind: Kind| format!("{workers} worker{plural}, {}: {what}", kind.name());
    let module = |kind| figures.of(Subject::Module, kind, workers);
    let mut goals = Vec::new();
    for (kind, bound) in [
        (Kind::Tcp, AtMost(1.01)),
        (Kind::Http, AtMost(1.01)),
        (Kind::KeepAlive, IntervalFromAtMost(1.0)),
    ] {
        let what = named("CPU time to the built-in filter's", kind);
        goals.push(estimated(what, module(kind).cpu_ratio, bound, ""));
        if let Some(latency) = &module(kind).latency {
            let what = named("p99 to the built-in filter's", kind);
            goals.push(estimated(what, latency.p99_ratio, IntervalAround(1.0), ""));
        }
        if workers > 1 {
            let what = named("growth of CPU time to the built-in filter's", kind);
            let growth = module(kind).growth_ratio;
            goals.push(estimated(what, growth, IntervalFromAtMost(1.0), ""));
        }
    }
    let refusing = figures.of(Subject::Refusing, Kind::Refused, workers);
    for (what, ratio, bound) in [
        (
            "CPU time to network RBAC's",
            refusing.cpu_ratio,
            AtMost(0.6),
        ),
        (
            "attempts a second to network RBAC's",
            refusing.per_second_ratio,
            AtLeast(1.5),
        ),
    ] {
        goals.push(estimated(named(what, Kind::Refused), ratio, bound, ""));
    }
    goals
}
