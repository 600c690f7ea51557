//! Shows the module at work in a real Envoy: what becomes of connections that were redirected to
//! the proxy, with the module and without it.

use std::fmt::Display;
use std::io::{Write, stdout};
use std::process::ExitCode;
use std::time::Instant;

use lab::{Lab, Upstream, Version};

use outcome::Outcome;
use paint::{bad, bold, dim, good};
use scenario::{PORT, SCENARIOS};

mod outcome;
mod paint;
mod scenario;
mod table;

const HOSTS: &str = "
  client               gateway                     upstream
  10.1.0.2 ─────────── 10.1.0.1 ┐    ┌ 10.2.0.1 ── 10.2.0.2
  fd01::2              fd01::1  ┘    └ fd02::1     fd02::2
                       iptables, Envoy             says where it was reached, and by whom
";

const NOTES: &str = "
  REDIRECT  The kernel rewrites the destination, and connection tracking remembers it.
            (envoy-configs/redirect.yaml, dual-stack.yaml)
  TPROXY    The destination stays as it is, but Envoy uses it only when a filter restores it.
            (envoy-configs/tproxy.yaml)
  internal  The client connects to 10.1.0.1:15006; metadata of the tunnel names 10.2.0.2:8080.
            (envoy-configs/internal-listener.yaml)
  UH        No healthy upstream: without the module, the ORIGINAL_DST cluster has no address.";

const NEXT: &str = "
Next: docs/getting-started/host.md does the same with an Envoy of your own, step by step.
docs/options.md has all options, envoy-configs/ the configs that ran here.";

fn main() -> ExitCode {
    let start = Instant::now();
    let version = Version::under_test()
        .into_iter()
        .max()
        .expect("one version at least");
    let title = format!("The original destination, in Envoy {version}");
    println!("{}\n{HOSTS}", bold(&title));
    let step = |what: &str| {
        let time = format!("{:4.1} s", start.elapsed().as_secs_f32());
        tell(format_args!("  {}  {what}", dim(&time)));
    };

    step("three hosts, each a network namespace of this machine\n");
    let lab = Lab::new();
    let _upstream = Upstream::start(&lab.upstream, &[PORT]);
    let outcomes = SCENARIOS.map(|scenario| {
        step(&format!("{:<13}  with the module: ", scenario.name));
        let with = scenario.run(&lab, version);
        tell(format_args!("{}  without: ", with.answer));
        let without = scenario.run_without_module(&lab, version);
        println!("{}", without.answer);
        Outcome {
            scenario,
            with,
            without,
        }
    });

    table::print(&outcomes);
    println!("{NOTES}");
    say(&outcomes[0]);
    let wrong: Vec<String> = outcomes.iter().flat_map(Outcome::wrong).collect();
    if wrong.is_empty() {
        println!("\n{} All as it should be.", good("✓"));
        println!("{NEXT}");
        return ExitCode::SUCCESS;
    }
    println!("\n{} Not as it should be:", bad("✗"));
    wrong.iter().for_each(|line| println!("  {line}"));
    println!("`ODST_KEEP=1 make demo` keeps the configs and logs of the Envoys.");
    ExitCode::FAILURE
}

/// Prints the beginning of a line.
fn tell(text: impl Display) {
    print!("{text}");
    // Without a reader there is nobody to tell.
    let _ = stdout().flush();
}

/// What the module itself says of a connection.
fn say(Outcome { with, .. }: &Outcome) {
    println!("\nWhat the module says of the first, in Envoy's log and in its /stats:");
    let logged = with.logged.as_deref().unwrap_or("nothing");
    let two_lines = logged.replacen(": destination", ":\n    destination", 1);
    println!("  {two_lines}");
    if let Some((name, count)) = &with.counted {
        println!("  {name}: {count}");
    }
}
