//! Time that goes faster: every duration of the rules, and of Prometheus's config, is divided by
//! [`FACTOR`]. Nothing else of an expression changes.

use std::time::Duration;

use serde_json::Value;

/// An hour becomes a minute.
pub const FACTOR: u64 = 60;

/// A duration of the rules in the lab.
pub fn duration(real: Duration) -> Duration {
    real / FACTOR as u32
}

/// The rules, or the config.
pub fn document(mut value: Value) -> Value {
    scale(&mut value);
    value
}

/// The expression: what stands in brackets or behind `offset`.
pub fn expression(text: &str) -> String {
    let mut scaled = String::new();
    let mut rest = text;
    let begin = |text: &str| {
        let ends = ["[", "offset "].map(|begin| text.find(begin).map(|at| at + begin.len()));
        ends.into_iter().flatten().min()
    };
    while let Some(at) = begin(rest) {
        let (before, behind) = rest.split_at(at);
        let length = behind.find(|c: char| !c.is_ascii_alphanumeric());
        let (literal, behind) = behind.split_at(length.unwrap_or(behind.len()));
        scaled += before;
        scaled += &short(literal);
        rest = behind;
    }
    scaled + rest
}

fn scale(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let text = value.as_str().map(str::to_owned);
                match (name.as_str(), text) {
                    ("for" | "scrape_interval" | "evaluation_interval", Some(text)) => {
                        *value = short(&text).into();
                    }
                    ("expr", Some(text)) => *value = expression(&text).into(),
                    _ => scale(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(scale),
        _ => {}
    }
}

/// A duration such as `5m`, divided.
fn short(literal: &str) -> String {
    let (number, unit) = literal.split_at(literal.len() - 1);
    let number: u64 = number.parse().unwrap_or_else(|e| panic!("{literal}: {e}"));
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => panic!("{literal}: a duration in another unit"),
    };
    format!("{}ms", number * seconds * 1000 / FACTOR)
}

#[test]
fn durations_alone_are_scaled() {
    let text =
        "a:rate5m{x=\"1h\"} > 0.1 and rate(a[5m]) offset 10m == avg_over_time(b[1h] offset 1m)";
    let scaled = "a:rate5m{x=\"1h\"} > 0.1 and rate(a[5000ms]) offset 10000ms == avg_over_time(b[60000ms] offset 1000ms)";
    assert_eq!(expression(text), scaled);
}
