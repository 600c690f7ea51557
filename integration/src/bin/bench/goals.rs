//! What the module is to cost at most.

mod feeds;

use crate::figures::Figures;
use crate::goal::{Bound, Goal, estimated, goal};
use crate::subject::Subject;

/// All goals.
pub fn goals(figures: &Figures) -> Vec<Goal> {
    use Bound::{AtMost, Below, Exactly};
    let instructions = |subject| figures.of(subject).instructions_per_connection;
    let getsockopt = |subject| figures.of(subject).getsockopt_calls_per_connection;
    let cpu = |subject| figures.of(subject).cpu_microseconds_per_connection.median;
    let (module, built_in) = (
        instructions(Subject::Module),
        instructions(Subject::BuiltIn),
    );
    let ratio = figures.of(Subject::Module).cpu_ratio_to_built_in;
    let load = figures.load_of_100000_rules_milliseconds;
    let of_connections = vec![
        goal(
            "instructions of a redirected connection, above the constant",
            module - instructions(Subject::Constant),
            AtMost(300.0),
            "",
        ),
        goal(
            "instructions of the whole Envoy, above the built-in filter",
            100.0 * (module / built_in - 1.0),
            AtMost(4.2),
            " %",
        ),
        estimated("CPU time to the built-in filter's", ratio, AtMost(1.02), ""),
        goal(
            "instructions with 100,000 rules, above those with 10",
            instructions(Subject::ManyRules) - instructions(Subject::FewRules),
            AtMost(150.0),
            "",
        ),
        goal(
            "instructions of a refusal, to network RBAC's",
            instructions(Subject::Refused) / instructions(Subject::Rbac),
            AtMost(0.6),
            "",
        ),
        goal(
            "CPU time of a refusal, to network RBAC's",
            cpu(Subject::Refused) / cpu(Subject::Rbac),
            AtMost(0.6),
            "",
        ),
        goal(
            "getsockopt calls of a redirected connection, above no filter",
            getsockopt(Subject::Module) - getsockopt(Subject::NoFilter),
            Exactly(1.0),
            "",
        ),
        goal(
            "heap allocations of the module for a connection",
            figures
                .of(Subject::Module)
                .module_allocations_per_connection,
            Exactly(0.0),
            "",
        ),
        estimated("load of 100,000 rules", load, Below(1000.0), " ms"),
        goal(
            "size of the library",
            figures.library_bytes as f64 / 1024.0,
            Below(600.0),
            " KiB",
        ),
    ];
    let of_options = [
        (Subject::Guarded, 250.0),
        (Subject::GuardedWithRules, 450.0),
        // It asks who redirected the connection, as a guard does.
        (Subject::RedirectMark, 400.0),
        (Subject::OwnMark, 150.0),
        (Subject::Metadata, 6000.0),
        (Subject::FilterState, 3000.0),
    ]
    .map(|(subject, most)| {
        let row = figures.of_option(subject);
        let what = format!("instructions that {} adds", row.name);
        goal(what, row.instructions_above_plain, AtMost(most), "")
    });
    let of_marks = [Subject::RedirectMark, Subject::OwnMark].map(|subject| {
        let row = figures.of_option(subject);
        let what = format!("getsockopt calls that {} adds", row.name);
        goal(what, row.getsockopt_calls_above_plain, Exactly(1.0), "")
    });
    let of_feeds = figures.feeds.iter().flat_map(feeds::goals);
    of_connections
        .into_iter()
        .chain(of_options)
        .chain(of_marks)
        .chain(of_feeds)
        .collect()
}
