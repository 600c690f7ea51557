//! Rules in such numbers as feeds have them, sent into a running Envoy by extension discovery. What
//! the module takes of it is what it does not take of an Envoy whose module ignores the same bytes.
//! (If they are refused, Envoy writes them down once more, to tell of it.)

use std::fmt;
use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use lab::module::{module_filter, module_filter_with};
use lab::{Listener, bootstrap, eventually};
use serde::Serialize;
use serde_json::{Value, json};

use crate::estimate::Estimate;
use crate::process::{forget_peak, main_thread_time, peak_kib};
use crate::site::Site;
use crate::subject::{example, text};

/// How often each feed is sent.
const ROUNDS: usize = 6;
/// To be asked takes of the main thread too.
const POLL: Duration = Duration::from_millis(200);
/// What the discovered filter is called.
const NAME: &str = "discovered";

/// Feeds that are worth measuring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    MillionIpv4,
    MillionIpv6,
    WithPorts,
}

/// What a feed takes.
#[derive(Debug, Serialize)]
pub struct Feed {
    pub kind: Kind,
    pub name: &'static str,
    pub rules: u32,
    pub bytes: usize,
    /// Of the main thread, above what it takes if they are ignored.
    pub module_milliseconds: Estimate,
    /// Of the whole main thread, to what it takes if they are ignored.
    pub ratio_to_ignored: Estimate,
    /// The most that Envoy has in RAM meanwhile, above the same if they are ignored.
    pub peak_mib_above_ignored: Estimate,
}

/// What an Envoy took of one update.
struct Update {
    main_thread: Duration,
    peak_kib: u64,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::MillionIpv4, Self::MillionIpv6, Self::WithPorts];

    fn name(self) -> &'static str {
        match self {
            Self::MillionIpv4 => "1,000,000 IPv4 rules",
            Self::MillionIpv6 => "1,000,000 IPv6 rules",
            Self::WithPorts => "100,000 IPv4 rules with ports",
        }
    }

    fn rules(self) -> u32 {
        match self {
            Self::MillionIpv4 | Self::MillionIpv6 => 1_000_000,
            Self::WithPorts => 100_000,
        }
    }

    fn rule(self, number: u32) -> Value {
        match self {
            Self::MillionIpv4 => json!(ipv4(number)),
            Self::MillionIpv6 => json!(ipv6(number)),
            Self::WithPorts => {
                let port = 1 + number % 1000;
                let ports = json!([port.to_string(), format!("8000-{}", 8000 + port)]);
                json!({ "cidr": ipv4(number), "ports": ports })
            }
        }
    }

    /// The options, as text.
    fn options(self) -> String {
        let deny: Vec<_> = (0..self.rules()).map(|number| self.rule(number)).collect();
        json!({ "destinations": { "deny": deny } }).to_string()
    }
}

/// Addresses spread over all that there are: an odd factor visits each once.
fn ipv4(number: u32) -> Ipv4Addr {
    number.wrapping_mul(0x9e37_79b1).into()
}

fn ipv6(number: u32) -> Ipv6Addr {
    let low = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(low))
}

/// Sends each feed into Envoys of this site.
pub fn measure(site: &Site, mut progress: impl FnMut(&str)) -> Vec<Feed> {
    let feed = |kind: Kind| {
        progress(kind.name());
        let options = kind.options();
        let updates: Vec<_> = (0..ROUNDS)
            .map(|_| ["original_dst", "empty"].map(|module| update(site, module, &options)))
            .collect();
        let of = |value: fn(&Update, &Update) -> f64| {
            Estimate::of(
                updates
                    .iter()
                    .map(|[loaded, ignored]| value(loaded, ignored)),
            )
        };
        Feed {
            kind,
            name: kind.name(),
            rules: kind.rules(),
            bytes: options.len(),
            module_milliseconds: of(|loaded, ignored| {
                loaded.milliseconds() - ignored.milliseconds()
            }),
            ratio_to_ignored: of(|loaded, ignored| loaded.milliseconds() / ignored.milliseconds()),
            peak_mib_above_ignored: of(|loaded, ignored| {
                (loaded.peak_kib as f64 - ignored.peak_kib as f64) / 1024.0
            }),
        }
    };
    Kind::ALL.map(feed).into()
}

impl fmt::Display for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Estimate { median, low, high } = self.module_milliseconds;
        write!(
            f,
            "{:38} {median:>5.0} ms of the main thread [{low:.0}, {high:.0}], {:.2} times what the \
             bytes take, {:>4.0} MiB at the peak",
            self.name, self.ratio_to_ignored.median, self.peak_mib_above_ignored.median
        )
    }
}

impl Update {
    fn milliseconds(&self) -> f64 {
        self.main_thread.as_secs_f64() * 1e3
    }
}

/// Sends these options to a module in an Envoy of its own.
fn update(site: &Site, module: &str, options: &str) -> Update {
    let files = tempfile::tempdir().expect("a temporary directory");
    let watched = files.path().join("filter.json");
    discover(&watched, "1", example(module, module_filter(None)));
    let envoy = site.envoy(config(&watched)).start();
    let counter = format!(".{NAME}.config_reload");
    let before = envoy.stat_sum(&counter);
    let next = files.path().join("next.json");
    discover(
        &next,
        "2",
        example(module, module_filter_with(text(options))),
    );

    let pid = envoy.pid();
    forget_peak(pid);
    let start = main_thread_time(pid);
    // Envoy reads a file again that another one is moved to.
    fs::rename(next, watched).expect("move a file");
    eventually("the options have come", || {
        sleep(POLL);
        envoy.stat_sum(&counter) > before
    });
    Update {
        main_thread: main_thread_time(pid) - start,
        peak_kib: peak_kib(pid),
    }
}

fn config(watched: &Path) -> Value {
    let discovered = json!({ "name": NAME, "config_discovery": {
        "config_source": {
            "path_config_source": { "path": watched },
            "resource_api_version": "V3",
        },
        "type_urls": [module_filter(None)["typed_config"]["@type"]],
    }});
    let mut config = bootstrap(
        [Listener::new("0.0.0.0:15001").filter(discovered).tcp()],
        [],
    );
    config["node"] = json!({ "id": "bench", "cluster": "bench" });
    config
}

/// Writes down a filter for Envoy to discover.
fn discover(path: &Path, version: &str, filter: Value) {
    let response = json!({ "version_info": version, "resources": [{
        "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
        "name": NAME,
        "typed_config": filter["typed_config"],
    }]});
    fs::write(path, response.to_string()).expect("write a file for Envoy");
}
