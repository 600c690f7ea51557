//! Compares what was observed with what was expected, and both filters with each other.

use std::collections::BTreeSet;
use std::iter;

use serde_json::Value;

use crate::run::{Observed, Placed};
use crate::scenario::{Expected, Without};
use crate::site::Kind;

/// What a scenario came to with Envoy's filter, the module, and no filter.
pub struct Three {
    /// With Envoy's own.
    pub builtin: Observed,
    /// With the module.
    pub module: Observed,
    /// With none.
    pub nothing: Observed,
}

/// What is wrong with a scenario, line by line.
pub fn judge(placed: Placed, three: &Three) -> Vec<String> {
    let (scenario, _) = placed;
    let mut wrong = Vec::new();
    for (who, seen) in [
        ("built-in", &three.builtin),
        ("module", &three.module),
        ("without a filter", &three.nothing),
    ] {
        let refused = seen.refused.as_ref();
        wrong.extend(refused.map(|log| format!("{who}: Envoy does not start with it: {log}")));
    }
    if !wrong.is_empty() {
        return wrong;
    }
    let mut hold = |who: &str, expected: &Expected, seen: &Observed| {
        wrong.extend(failures(placed, expected, seen).map(|line| format!("{who}: {line}")));
    };
    hold(
        "built-in",
        scenario.expected_of(Kind::Builtin),
        &three.builtin,
    );
    hold("module", scenario.expected_of(Kind::Module), &three.module);
    let differences = differences(&three.builtin, &three.module);
    match &scenario.differs {
        None => wrong.extend(
            differences
                .into_iter()
                .map(|line| format!("differs: {line}")),
        ),
        Some((_, reason)) if differences.is_empty() => {
            wrong.push(format!(
                "there is no difference where one is on purpose: {reason}"
            ));
        }
        Some(_) => {}
    }
    if let Some(counter) = scenario.counter {
        wrong.extend(miscounted(placed, counter, &three.module));
    }
    wrong.extend(without(placed, three).map(|line| format!("without a filter: {line}")));
    wrong
}

/// What one run lacks of what was expected.
fn failures(placed: Placed, expected: &Expected, seen: &Observed) -> impl Iterator<Item = String> {
    let (scenario, ports) = placed;
    let mut wrong = Vec::new();
    if expected.dies != seen.death.is_some() {
        wrong.push(format!(
            "Envoy's end: {:?}, expected: {}",
            seen.death, expected.dies
        ));
    }
    if expected.dies || seen.death.is_some() {
        return wrong.into_iter();
    }
    for (ask, got) in scenario.asks.iter().zip(&seen.got) {
        let upstream = expected
            .upstream
            .as_deref()
            .map(|to| fill(placed, to, &ask.to));
        let reached = reached(got);
        if upstream != reached {
            wrong.push(format!(
                "{} reached {reached:?}, expected {upstream:?}: {got}",
                ask.to
            ));
        }
    }
    let own = if scenario.listen.tunnel.is_some() {
        "inner:L"
    } else {
        &format!("{}:L", scenario.listen.ip)
    };
    let listener = ports.fill(expected.listener.unwrap_or(own));
    let proxied =
        |entry: &&Value| entry["listener"] == listener.as_str() && entry["log"] != "listener";
    let pair = |local: &str, remote: &str| format!("local {local}, remote {remote}");
    let mut found: Vec<String> = seen
        .log
        .iter()
        .filter(proxied)
        .map(|entry| {
            let field = |name: &str| entry[name].as_str().unwrap_or("-").to_owned();
            pair(
                &field("downstream_local_address"),
                &field("downstream_remote_address"),
            )
        })
        .collect();
    let mut wanted: Vec<String> = Vec::new();
    for ask in &scenario.asks {
        let local = fill(placed, &expected.local, &ask.to);
        let remote = match &expected.remote {
            Some(remote) => remote.clone(),
            None if scenario.listen.tunnel.is_some() => {
                "envoy://internal_client_address/".to_owned()
            }
            None => ask.remote(ports),
        };
        // Further ones are Envoy's own, from where it connects to itself.
        let own = local
            .rsplit_once(':')
            .map(|(ip, _)| format!("{ip}:*"))
            .unwrap_or_default();
        let remotes = iter::once(&remote).chain(iter::repeat(&own));
        wanted.extend(
            remotes
                .take(expected.connections)
                .map(|remote| pair(&local, remote)),
        );
    }
    found.sort();
    wanted.sort();
    if found != wanted {
        found.dedup();
        wanted.dedup();
        wrong.push(format!("{listener} proxied {found:?}, expected {wanted:?}"));
    }
    wrong.into_iter()
}

/// An address of the table in full.
fn fill((_, ports): Placed, text: &str, asked: &str) -> String {
    ports.fill(if text == "=" { asked } else { text })
}

/// At which address the upstream was reached, by its answer.
fn reached(got: &str) -> Option<String> {
    let answer: Value = serde_json::from_str(got).ok()?;
    answer["local"].as_str().map(str::to_owned)
}

/// All in which two runs differ.
fn differences(builtin: &Observed, module: &Observed) -> Vec<String> {
    let mut found = Vec::new();
    if builtin.death.is_some() != module.death.is_some() {
        found.push(format!(
            "end: built-in {:?}, module {:?}",
            builtin.death, module.death
        ));
    }
    for (builtin, module) in builtin.got.iter().zip(&module.got) {
        if builtin != module {
            found.push(format!(
                "the client got: built-in {builtin}, module {module}"
            ));
        }
    }
    if builtin.log.len() != module.log.len() {
        found.push(format!(
            "entries: built-in {}, module {}",
            builtin.log.len(),
            module.log.len()
        ));
    }
    for (builtin, module) in builtin.log.iter().zip(&module.log) {
        let both = [builtin, module].map(|entry| entry.as_object().expect("an entry"));
        let keys: BTreeSet<&String> = both.iter().flat_map(|entry| entry.keys()).collect();
        for key in keys.into_iter().filter(|key| builtin[*key] != module[*key]) {
            found.push(format!(
                "{key}: built-in {}, module {}",
                builtin[key], module[key]
            ));
        }
    }
    found
}

/// Whether the module counted otherwise than once for each ask.
fn miscounted((scenario, ports): Placed, counter: &str, module: &Observed) -> Option<String> {
    // The names of its listeners: 0.0.0.0_10000, envoy://inner_10000/, /tmp/10000.pipe.
    let own = ['_', '/'].map(|before| format!("{before}{}", ports.listener));
    let end = format!(".original_dst.{counter}");
    let is_own = |(name, _): &&(String, u64)| {
        name.ends_with(&end) && own.iter().any(|own| name.contains(own))
    };
    let count: u64 = module
        .counters
        .iter()
        .filter(is_own)
        .map(|(_, count)| count)
        .sum();
    let asks = scenario.asks.len() as u64;
    (count != asks).then(|| format!("module: {counter} is {count}, expected {asks}"))
}

/// Whether no filter does what the filter is for.
fn without((scenario, ports): Placed, three: &Three) -> impl Iterator<Item = String> {
    let placed = (scenario, ports);
    let mut wrong = Vec::new();
    let nothing = &three.nothing;
    if nothing.death.is_some() {
        wrong.push(format!("Envoy died: {:?}", nothing.death));
    }
    let reached: Vec<String> = nothing.got.iter().filter_map(|got| reached(got)).collect();
    match scenario.without {
        Without::Fails | Without::Unreached => {
            if !reached.is_empty() {
                wrong.push(format!("the upstream was reached at {reached:?}"));
            }
            if scenario.without == Without::Fails
                && !nothing
                    .log
                    .iter()
                    .any(|entry| entry["response_flags"] == "UH")
            {
                wrong.push(format!("no entry says UH: {:?}", nothing.log));
            }
        }
        Without::Reached | Without::NotRestored => {
            if reached.len() != scenario.asks.len() {
                wrong.push(format!("only {reached:?} answered: {:?}", nothing.got));
            }
            let asks = if scenario.without == Without::Reached {
                &[]
            } else {
                &scenario.asks[..]
            };
            for ask in asks {
                let local = fill(placed, &scenario.expected.local, &ask.to);
                let is_restored =
                    |entry: &&Value| entry["downstream_local_address"] == local.as_str();
                if let Some(entry) = nothing.log.iter().find(is_restored) {
                    wrong.push(format!("restored all the same: {entry}"));
                }
            }
        }
        Without::Same => {
            wrong.extend(
                differences(&three.builtin, nothing)
                    .into_iter()
                    .map(|line| line.replace("module", "nothing")),
            );
        }
    }
    wrong.into_iter()
}
