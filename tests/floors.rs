//! The modules of `src/` stand on floors: each imports from floors below its own, and inside a module
//! no two files import each other, straight or around. Read from the `use` lines and other paths.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// From the top floor down.
const FLOORS: [&str; 14] = [
    "lib",
    "filter",
    "config",
    "redirection",
    "report",
    "stats",
    "verdict",
    "recover",
    "destinations",
    "option",
    "address",
    "throttle",
    "sync",
    "fault_point",
];

/// A file by its place in the module tree: `config/value` for `src/config/value.rs`.
type Name = String;

/// The files, each with those that it imports. What tests alone import does not count, nor does what
/// a file takes from the one that declares it: those two are one room.
fn imports() -> BTreeMap<Name, BTreeSet<Name>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    let names: BTreeSet<Name> = files.iter().map(|file| name(&root, file)).collect();
    let of = |file: &PathBuf| {
        let name = name(&root, file);
        let text = fs::read_to_string(file).expect("a source file");
        let paths = paths(&text);
        let imported = paths.iter().filter_map(|path| resolve(&names, &name, path));
        let imported = imported.filter(|other| *other != name && !is_inside(&name, other));
        (name.clone(), imported.collect())
    };
    files.iter().map(of).collect()
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a directory of sources") {
        let path = entry.expect("an entry").path();
        let stem = path.file_stem().expect("a name").to_str().expect("UTF-8");
        if ["tests", "schema", "windows"].contains(&stem) {
            continue;
        }
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn name(root: &Path, file: &Path) -> Name {
    let inside = file.strip_prefix(root).expect("a file in src/");
    inside
        .with_extension("")
        .to_str()
        .expect("UTF-8")
        .to_owned()
}

/// The paths that begin with `crate::` or `super::`, outside of comments and unit tests. What stands in
/// braces counts as if each were written out.
fn paths(text: &str) -> Vec<String> {
    let code = text
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or(text);
    let code: String = code
        .lines()
        .map(|line| line.split("//").next().unwrap_or(line).to_owned() + "\n")
        .collect();
    let starts = ["crate::", "super::"].map(|start| code.match_indices(start));
    let starts = starts.into_iter().flatten().map(|(start, _)| start);
    let is_start = |start: &usize| {
        !code[..*start].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':')
    };
    starts
        .filter(is_start)
        .flat_map(|start| written_out(&code[start..]))
        .collect()
}

/// The path at the beginning of a text, or several if it ends in braces.
fn written_out(text: &str) -> Vec<String> {
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let end = text.find(|c| !is_path(c)).unwrap_or(text.len());
    let (path, rest) = text.split_at(end);
    let Some(group) = rest.strip_prefix('{') else {
        return vec![path.to_owned()];
    };
    let (mut depth, mut entries) = (1, vec![String::new()]);
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        match (c, depth) {
            (_, 0) => break,
            (',', 1) => entries.push(String::new()),
            _ => entries.last_mut().expect("never empty").push(c),
        }
    }
    let entries = entries.iter().map(|entry| entry.trim());
    let entries = entries.filter(|entry| !entry.is_empty());
    entries
        .flat_map(|entry| written_out(&format!("{path}{entry}")))
        .collect()
}

/// The file that a path leads to from `from`; `None` for the crate itself.
fn resolve(names: &BTreeSet<Name>, from: &str, path: &str) -> Option<Name> {
    let mut segments = path
        .split("::")
        .filter(|segment| !segment.is_empty())
        .peekable();
    let mut place: Vec<&str> = match segments.next()? {
        "crate" => Vec::new(),
        _ => from.split('/').collect::<Vec<_>>().split_last()?.1.to_vec(),
    };
    while segments.next_if_eq(&"super").is_some() {
        place.pop();
    }
    for segment in segments {
        let deeper = [&place[..], &[segment]].concat();
        if !names.contains(&deeper.join("/")) {
            break;
        }
        place = deeper;
    }
    (!place.is_empty()).then(|| place.join("/"))
}

/// Whether `inner` is declared by `outer`, or by a file that `outer` declares.
fn is_inside(inner: &str, outer: &str) -> bool {
    inner
        .strip_prefix(outer)
        .is_some_and(|rest| rest.starts_with('/'))
}

#[test]
fn no_import_climbs() {
    let floor = |name: &str| {
        let module = name.split('/').next().expect("a module");
        let floor = FLOORS.iter().position(|known| *known == module);
        floor.unwrap_or_else(|| panic!("{module} has no floor: put it into FLOORS"))
    };
    let imports = imports();
    let all = || {
        imports
            .iter()
            .flat_map(|(from, to)| to.iter().map(move |to| (from, to)))
    };
    assert!(all().count() > 20, "the imports are not found: {imports:?}");
    for (from, to) in all() {
        assert!(
            floor(from) <= floor(to),
            "src/{from}.rs imports from {to}, on a floor above"
        );
    }
}

#[test]
fn no_files_import_each_other() {
    let imports = imports();
    for start in imports.keys() {
        let mut seen = BTreeSet::new();
        let mut next: Vec<&Name> = imports[start].iter().collect();
        while let Some(file) = next.pop() {
            assert!(
                file != start,
                "src/{start}.rs is imported by what it imports: {seen:?}"
            );
            if seen.insert(file) {
                next.extend(&imports[file]);
            }
        }
    }
}

#[test]
fn braces_are_written_out() {
    let text =
        "use super::{Method, socket::{self, ask}, route};\nuse crate::option::List; // crate::x\n";
    assert_eq!(
        paths(text),
        [
            "crate::option::List",
            "super::Method",
            "super::socket::self",
            "super::socket::ask",
            "super::route",
        ]
    );
    let kernel = &imports()["recover/kernel"];
    assert!(kernel.contains("recover/socket"), "{kernel:?}");
}

/// The names of this very test lead to where they should.
#[test]
fn paths_lead_to_files() {
    let names = ["recover", "recover/kernel", "recover/socket", "address"];
    let names = names.map(str::to_owned).into();
    for (from, path, to) in [
        (
            "recover/kernel",
            "super::socket::ask",
            Some("recover/socket"),
        ),
        ("recover/kernel", "super::Method", Some("recover")),
        ("recover/kernel", "crate::address::Address", Some("address")),
        (
            "filter",
            "crate::recover::kernel::Ask",
            Some("recover/kernel"),
        ),
        ("recover", "super::address", Some("address")),
        ("filter", "crate::VERSION", None),
    ] {
        assert_eq!(
            resolve(&names, from, path).as_deref(),
            to,
            "{path} in {from}"
        );
    }
}
