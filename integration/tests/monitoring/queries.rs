//! Every query that is shipped, with the variables of Grafana filled in.

use serde_json::Value;

use crate::{scaled, shipped};

/// A query, and where it stands.
pub struct Query {
    /// The page, the name of its rule, or the title of its panel.
    pub place: String,
    /// The expression, at the pace of the lab.
    pub expression: String,
    /// Whether it answers with nothing where all is well: an alert does.
    pub is_alert: bool,
}

/// All of them.
pub fn all() -> Vec<Query> {
    let page = shipped::blocks("promql").into_iter();
    let page = page.map(|block| ("docs/monitoring.md".to_owned(), block));
    let rules = shipped::expressions().into_iter();
    let dashboard = shipped::dashboard();
    let panels = dashboard["panels"].as_array().expect("panels").iter();
    let panels = panels.flat_map(targets);
    page.chain(rules)
        .chain(panels)
        .map(|(place, expression)| {
            let expression = expression
                .replace("$__rate_interval", "1m")
                .replace("$instance", ".+");
            assert!(!expression.contains('$'), "{place}: {expression}");
            Query {
                is_alert: place.starts_with("OriginalDst"),
                expression: scaled::expression(&expression),
                place,
            }
        })
        .collect()
}

/// The metric and the label of the dashboard's variable: `label_values(metric, label)`.
pub fn variable() -> (String, String) {
    let dashboard = shipped::dashboard();
    let variables = dashboard["templating"]["list"].as_array().expect("a list");
    let query = variables.iter().find_map(|variable| {
        let query = variable["query"].as_str()?;
        let arguments = query.strip_prefix("label_values(")?.strip_suffix(')')?;
        arguments.split_once(", ")
    });
    let (metric, label) = query.expect("a variable that lists the values of a label");
    (metric.to_owned(), label.to_owned())
}

fn targets(panel: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let targets = panel["targets"].as_array().expect("targets").iter();
    targets
        .map(|target| (text(&panel["title"]), text(&target["expr"])))
        .collect()
}
