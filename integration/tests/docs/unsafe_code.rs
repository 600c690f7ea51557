//! SECURITY.md counts the unsafe code there is.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use lab::workspace;

/// The blocks in the files of a directory, by their paths in the workspace.
fn blocks(directory: &Path) -> BTreeMap<String, usize> {
    let entries = fs::read_dir(directory).expect("a directory of sources");
    let mut found = BTreeMap::new();
    for path in entries.map(|entry| entry.expect("an entry").path()) {
        if path.is_dir() {
            found.extend(blocks(&path));
        } else {
            let source = fs::read_to_string(&path).expect("readable");
            let count = source.matches("unsafe {").count();
            let path = path.strip_prefix(workspace()).expect("in the workspace");
            found.insert(path.display().to_string(), count);
        }
    }
    found.retain(|_, count| *count > 0);
    found
}

#[test]
fn is_counted() {
    let text = fs::read_to_string(workspace().join("SECURITY.md")).expect("readable");
    let row = |line: &str| {
        let mut cells = line.split('|').map(str::trim).skip(1);
        let file = cells.next()?.strip_prefix('`')?.strip_suffix('`')?;
        Some((file.to_owned(), cells.next()?.parse().ok()?))
    };
    let told: BTreeMap<String, usize> = text.lines().filter_map(row).collect();
    let mut found = blocks(&workspace().join("src"));
    found.extend(blocks(&workspace().join("sdk/src")));
    assert_eq!(told, found);
}
