//! Every link to another place in the repository leads there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use lab::workspace;
use serde_json::Value;

use lab::markdown::{Document, documents, files};

#[test]
fn links_lead_somewhere() {
    let documents = documents();
    let links = documents.iter().flat_map(|document| {
        let links = document.links().into_iter();
        links
            .filter(|link| !is_elsewhere(link))
            .map(move |link| (document, link))
    });
    let mut followed = 0;
    let mut broken = Vec::new();
    for (document, link) in links {
        followed += 1;
        if let Err(why) = follow(document, &link) {
            broken.push(format!("{}: {link}: {why}", document.path.display()));
        }
    }
    assert!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
    assert!(followed > 0, "no links were found: this checks nothing");
}

/// Each alert has all that who is woken by it needs, and leads to a section that there is.
#[test]
fn links_of_alerts_lead_somewhere() {
    let rules = fs::read_to_string(workspace().join("deploy/prometheus/rules.yaml"));
    let rules: Value = serde_saphyr::from_str(&rules.expect("readable")).expect("YAML");
    let groups = rules["groups"].as_array().expect("groups").iter();
    let rules = groups.flat_map(|group| group["rules"].as_array().expect("rules"));
    let sections = Document::read("docs/troubleshooting.md").anchors();
    let mut alerts = 0;
    for rule in rules.filter(|rule| rule.get("alert").is_some()) {
        let (alert, annotations) = (&rule["alert"], &rule["annotations"]);
        let severity = rule["labels"]["severity"].as_str();
        assert!(
            matches!(severity, Some("critical" | "warning")),
            "{alert}: {severity:?}"
        );
        for text in ["summary", "description"] {
            assert!(annotations[text].is_string(), "{alert} has no {text}");
        }
        let runbook = annotations["runbook_url"].as_str().unwrap_or_default();
        let anchor = runbook.split_once("/troubleshooting.md#");
        assert!(
            anchor.is_some_and(|(_, anchor)| sections.contains(anchor)),
            "{alert}: no such section: {runbook}"
        );
        alerts += 1;
    }
    assert!(alerts > 0, "no alerts were found: this checks nothing");
}

/// The site has the pages that its summary lists, and no other.
#[test]
fn links_of_the_summary_lead_to_every_page() {
    let summary = Document::read("docs/SUMMARY.md");
    let listed: BTreeSet<PathBuf> = summary
        .links()
        .iter()
        .map(|link| plain(&summary.path.with_file_name(link)).expect("in the repository"))
        .collect();
    let missing: Vec<PathBuf> = files("md")
        .into_iter()
        .filter(|page| page.starts_with("docs") && *page != summary.path)
        .filter(|page| !listed.contains(page))
        .collect();
    assert!(missing.is_empty(), "not in docs/SUMMARY.md: {missing:?}");
}

fn is_elsewhere(link: &str) -> bool {
    ["https://", "http://", "mailto:"]
        .iter()
        .any(|scheme| link.starts_with(scheme))
}

fn follow(document: &Document, link: &str) -> Result<(), String> {
    let (file, anchor) = match link.split_once('#') {
        Some((file, anchor)) => (file, Some(anchor)),
        None => (link, None),
    };
    let path = match file {
        "" => document.path.clone(),
        _ => plain(&document.path.with_file_name(file))?,
    };
    if !workspace().join(&path).exists() {
        return Err("no such file".to_owned());
    }
    match anchor {
        Some(anchor) if !Document::read(path).anchors().contains(anchor) => {
            Err("no such heading".to_owned())
        }
        _ => Ok(()),
    }
}

/// A path without `..`; one that leaves the repository is an error.
fn plain(path: &Path) -> Result<PathBuf, String> {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir if !plain.pop() => return Err("outside the repository".to_owned()),
            Component::ParentDir | Component::CurDir => {}
            component => plain.push(component),
        }
    }
    Ok(plain)
}
