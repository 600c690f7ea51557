//! A real Prometheus in a namespace.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Child, Stdio};
use std::thread;

use lab::{Netns, eventually, workspace};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{scaled, shipped};

const ADDRESS: &str = "127.0.0.1:9090";
/// How long a sample stands for its series; five minutes if not said.
const LOOKBACK: &str = "5m";

/// A Prometheus with the shipped rules and the config of the docs, killed when dropped. When that is by
/// a panic, its log is printed.
pub struct Prometheus {
    host: Netns,
    child: Child,
    directory: TempDir,
}

/// An alert that fired: its name, the admin port of its Envoy, and the listener.
pub type Fired = (String, u16, String);

impl Prometheus {
    /// Scrapes the Envoys of the host that have these admin ports, once each has answered.
    pub fn start(host: &Netns, admin_ports: &[u16]) -> Self {
        let program = workspace().join("target/prometheus/usr/bin/prometheus");
        assert!(
            program.is_file(),
            "{} is not there: run `make setup`",
            program.display()
        );
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = |name| directory.path().join(name);
        let put = |name, value: Value| {
            fs::write(file(name), scaled::document(value).to_string()).expect("write the file");
        };
        put("rules.yaml", shipped::rules());
        let mut config = shipped::config();
        config["rule_files"] = json!([file("rules.yaml")]);
        let targets = admin_ports.iter().map(|port| format!("127.0.0.1:{port}"));
        config["scrape_configs"][0]["static_configs"] =
            json!([{ "targets": targets.collect::<Vec<_>>() }]);
        put("prometheus.yaml", config);
        let log = fs::File::create(file("log")).expect("create the log");
        let lookback = scaled::expression(&format!("[{LOOKBACK}]"));
        let child = host
            .command(program)
            .arg(format!(
                "--config.file={}",
                file("prometheus.yaml").display()
            ))
            .arg(format!("--storage.tsdb.path={}", file("data").display()))
            .arg(format!("--web.listen-address={ADDRESS}"))
            .arg(format!(
                "--query.lookback-delta={}",
                lookback.trim_matches(['[', ']'])
            ))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("run nsenter");
        let prometheus = Self {
            host: host.clone(),
            child,
            directory,
        };
        eventually("Prometheus", || prometheus.get("/-/ready").is_ok());
        eventually("each Envoy is scraped", || {
            prometheus.value("sum(up)") == Some(admin_ports.len() as f64)
        });
        prometheus
    }

    /// The series of an expression, now.
    ///
    /// # Panics
    /// With what it says if it refuses the expression.
    pub fn query(&self, expression: &str) -> Vec<Value> {
        let answer = self.get(&format!("/api/v1/query?query={}", encoded(expression)));
        let answer = answer.unwrap_or_else(|error| panic!("{expression}: {error}"));
        let series = answer["data"]["result"].as_array();
        series.expect("a vector").clone()
    }

    /// The value of an expression that gives one series at most.
    pub fn value(&self, expression: &str) -> Option<f64> {
        let series = self.query(expression);
        assert!(series.len() < 2, "{expression}: {series:?}");
        let value = series.first()?["value"][1].as_str().expect("a number");
        Some(value.parse().expect("a number"))
    }

    /// The values that a label has in the series of an expression; empty where it is not there.
    pub fn labels(&self, expression: &str, label: &str) -> BTreeSet<String> {
        let series = self.query(expression);
        let labels = series
            .iter()
            .map(|series| series["metric"][label].as_str().unwrap_or_default());
        labels.map(str::to_owned).collect()
    }

    /// The alerts that fire, or have fired.
    pub fn fired(&self) -> BTreeSet<Fired> {
        let series = self.query("count_over_time(ALERTS{alertstate=\"firing\"}[1h])");
        let fired = series.iter().map(|series| {
            let label = |name: &str| series["metric"][name].as_str().expect("a label");
            let (_, port) = label("instance").split_once(':').expect("a port");
            (
                label("alertname").to_owned(),
                port.parse().expect("a port"),
                label("envoy_listener_address").to_owned(),
            )
        });
        fired.collect()
    }

    fn get(&self, path: &str) -> Result<Value, String> {
        let request = minreq::get(format!("http://{ADDRESS}{path}")).with_timeout(10);
        let response = self.host.run(|| request.send());
        let response = response.map_err(|error| error.to_string())?;
        let body = response.as_str().map_err(|error| error.to_string())?;
        match response.status_code {
            200 => Ok(serde_json::from_str(body).unwrap_or_default()),
            status => Err(format!("{status}: {body}")),
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let log = fs::read_to_string(self.directory.path().join("log"));
            eprintln!("---- Prometheus's log\n{}", log.unwrap_or_default());
        }
    }
}

/// Any text as a part of a query string.
fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
