//! `docs/meshes.md`: its table is what the tests show, and its options are those that the tests use.

use std::collections::BTreeSet;

use lab::markdown::Document;
use serde_json::Value;

use crate::call::{Call, From, To};
use crate::fates::Fate;
use crate::mesh::{Mesh, Redirected};
use crate::rows::{ROWS, Row};

const HEAD: [&str; 6] = [
    "mesh",
    "rules",
    "listeners",
    "options",
    "guarded",
    "not guarded",
];
/// What the name of a block of options begins with.
const OPTIONS: &str = "yaml options:";

/// What the table says where nothing is to be said.
const NOTHING: &str = "–";

/// The options of this name.
pub fn options(name: &str) -> Value {
    let blocks = page().blocks().into_iter();
    let mut named = blocks.filter(|block| block.info.strip_prefix(OPTIONS) == Some(name));
    let block = named.next().unwrap_or_else(|| panic!("no options {name}"));
    assert!(named.next().is_none(), "two blocks of options {name}");
    serde_saphyr::from_str(&block.code).expect("YAML")
}

#[test]
fn rows_are_those_of_the_tests() {
    let rows = page().rows();
    let start = rows.iter().position(|row| *row == HEAD).expect("the table");
    let end = rows[start..].iter().position(|row| row.len() != HEAD.len());
    let rows = &rows[start + 1..end.map_or(rows.len(), |end| start + end)];
    let names: Vec<_> = rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(names, ROWS.map(|row| row.name));
    for (shown, row) in rows.iter().zip(&ROWS) {
        let file = row.mesh().rules;
        assert!(
            shown[1].starts_with(&format!("{file}: ")),
            "{}: the rules are in {file}",
            row.name
        );
        let (guarded, not_guarded) = guarded(row);
        let expected = [
            listeners(&row.mesh()),
            row.options.to_owned(),
            guarded,
            not_guarded,
        ];
        assert_eq!(shown[2..], expected, "{}", row.name);
    }
}

#[test]
fn options_are_all_used() {
    let blocks = page().blocks();
    let shown: BTreeSet<_> = blocks
        .iter()
        .filter_map(|block| block.info.strip_prefix(OPTIONS))
        .collect();
    assert_eq!(shown, BTreeSet::from(ROWS.map(|row| row.options)));
}

fn page() -> Document {
    Document::read("docs/meshes.md")
}

/// The listeners as the table shows them.
fn listeners(mesh: &Mesh) -> String {
    let redirected = mesh.redirected().into_iter();
    redirected.map(listener).collect::<Vec<_>>().join("; ")
}

fn listener(redirected: Redirected) -> String {
    let hosts = redirected.hosts.iter();
    let bound: Vec<_> = hosts
        .map(|host| format!("{host}:{}", redirected.port))
        .collect();
    let mut text = bound.join(" and ");
    if redirected.is_transparent {
        text += ", transparent: true";
    }
    if redirected.uses_original_dst() {
        let unbound = redirected.hands_to.iter().map(|unbound| unbound.address());
        let unbound = unbound.collect::<Vec<_>>().join(" and ");
        text += &format!(", use_original_dst: true, for {unbound} with bind_to_port: false");
    }
    text
}

/// What loops without the guard alone, and what the guard does not stop, or stops without need.
fn guarded(row: &Row) -> (String, String) {
    let mesh = row.mesh();
    let all = row.calls();
    let has = |fates: &[Option<Fate>; 2], is: &dyn Fn(Fate) -> bool| {
        fates.iter().flatten().any(|fate| is(*fate))
    };
    let some = |is: &dyn Fn(Fate) -> bool| {
        let calls = all.iter().filter(|(_, fates)| has(fates, is));
        places(&mesh, calls.map(|(call, _)| *call))
    };
    let loops = |fate| matches!(fate, Fate::Loops | Fate::LoopsByService);
    let guarded = some(&|fate| loops(fate) && !row.lets_loop(fate));
    let passes = |fate: &Option<Fate>| matches!(fate, Some(Fate::Reaches { connections: 0, .. }));
    let ipv6_passes_by = all.iter().any(|(_, [v4, v6])| !passes(v4) && passes(v6));
    let served = |fate| fate == Fate::ReachesUnredirected && !row.loses(fate);
    let parts = [
        ("loops", some(&|fate| row.lets_loop(fate))),
        ("is refused without need", some(&|fate| row.loses(fate))),
        ("is served", some(&served)),
    ];
    let parts = parts.into_iter().filter(|(_, places)| !places.is_empty());
    let mut parts: Vec<_> = parts
        .map(|(what, places)| format!("{what}: {places}"))
        .collect();
    if ipv6_passes_by {
        parts.push("IPv6 passes by".to_owned());
    }
    if parts.is_empty() {
        parts.push(NOTHING.to_owned());
    }
    (guarded, parts.join("; "))
}

/// The calls in words: from where, to what.
fn places(mesh: &Mesh, calls: impl Iterator<Item = Call>) -> String {
    let mut places: Vec<(&str, Vec<String>)> = Vec::new();
    for call in calls {
        let (way, to) = words(mesh, call);
        match places.iter_mut().find(|(known, _)| *known == way) {
            Some((_, known)) if known.contains(&to) => {}
            Some((_, known)) => known.push(to),
            None => places.push((way, vec![to])),
        }
    }
    let places = places
        .into_iter()
        .map(|(way, to)| format!("{way} {}", to.join(", ")));
    places.collect::<Vec<_>>().join("; ")
}

fn words(mesh: &Mesh, call: Call) -> (&'static str, String) {
    let to = match call.to {
        To::Inbound | To::LoopbackInbound => mesh.inbound.port.to_string(),
        To::Outbound | To::LoopbackOutbound => mesh.outbound.port.to_string(),
        To::Service => "the service".to_owned(),
        _ => panic!("the page has no word for it: {call:?}"),
    };
    let way = match (call.from, call.to) {
        (From::Outside, _) => "from outside",
        (From::Pod, To::LoopbackInbound | To::LoopbackOutbound) => "on loopback",
        (From::Pod, _) => "from inside",
    };
    (way, to)
}
