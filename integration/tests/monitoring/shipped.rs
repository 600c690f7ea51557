//! What is shipped: files of `deploy/prometheus`, and blocks of `docs/monitoring.md`.

use std::fs;

use lab::workspace;
use serde_json::Value;

/// The blocks of the page of one kind, such as `promql`.
pub fn blocks(kind: &str) -> Vec<String> {
    let page = read("docs/monitoring.md");
    let fence = format!("```{kind}\n");
    let blocks: Vec<String> = page
        .split(&fence)
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap_or_default().to_owned())
        .collect();
    assert!(!blocks.is_empty(), "no blocks {kind}: this checks nothing");
    blocks
}

/// The rules.
pub fn rules() -> Value {
    yaml(&read("deploy/prometheus/rules.yaml"))
}

/// Every expression of the rules, behind the name of its record or alert.
pub fn expressions() -> Vec<(String, String)> {
    let rules = rules();
    let groups = rules["groups"].as_array().expect("groups").iter();
    let rules = groups.flat_map(|group| group["rules"].as_array().expect("rules"));
    let text = |value: &Value| value.as_str().map(str::to_owned);
    rules
        .map(|rule| {
            let name = text(&rule["alert"]).or(text(&rule["record"]));
            (
                name.expect("a name"),
                text(&rule["expr"]).expect("an expression"),
            )
        })
        .collect()
}

/// The part of Envoy's config, of the page.
pub fn stats_config() -> Value {
    let page = yaml(&blocks("yaml")[0]);
    let file = yaml(&read("deploy/prometheus/stats_tags.yaml"));
    assert_eq!(page, file, "the page and the file differ");
    page["stats_config"].clone()
}

/// The config of Prometheus, of the page.
pub fn config() -> Value {
    yaml(&blocks("yml prometheus")[0])
}

/// The dashboard.
pub fn dashboard() -> Value {
    serde_json::from_str(&read("deploy/prometheus/dashboard.json")).expect("JSON")
}

fn read(path: &str) -> String {
    fs::read_to_string(workspace().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|e| panic!("{e} in:\n{text}"))
}
