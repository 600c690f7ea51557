//! The module against Envoy's own filter, on the same traffic, in real Envoys.
//!
//! Each scenario of the table runs three times: with Envoy's own filter, with the module, and with
//! none. Both filters have to answer as expected, and alike in all that can be observed but ports
//! that the kernel chose; with none, the traffic has to fail or to be left as it is.

mod arguments;
mod build;
mod judge;
mod rules;
mod run;
mod scenario;
mod site;
mod suite;
mod summary;
mod table;
mod traffic;

use std::process::ExitCode;

use lab::kernel::Feature;

use crate::scenario::Scenario;

fn main() -> ExitCode {
    let arguments = arguments::read();
    let mut scenarios = table::scenarios();
    scenarios.retain(|scenario| arguments.selects(&scenario.name));
    if arguments.is_list {
        scenarios
            .iter()
            .for_each(|scenario| println!("{}: test", scenario.name));
        return ExitCode::SUCCESS;
    }
    let lacking = leave_out_lacking(&mut scenarios);
    let (passed, failed) = if scenarios.is_empty() {
        (0, 0)
    } else {
        suite::run(scenarios)
    };
    match lacking {
        0 => println!("\n{passed} passed, {failed} failed"),
        _ => println!("\n{passed} passed, {failed} failed, {lacking} scenarios NOT run"),
    }
    // That nothing was run is as it should be only if nothing was selected.
    if failed == 0 && (passed > 0 || !arguments.selects_all()) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Names those that need what this kernel lacks, and leaves them out: how many there are.
fn leave_out_lacking(scenarios: &mut Vec<Scenario>) -> usize {
    let all = scenarios.len();
    scenarios.retain(|scenario| {
        let is_lacking = |feature: Feature| feature.is_missing_for(&scenario.name);
        !scenario.needs.is_some_and(is_lacking)
    });
    all - scenarios.len()
}
