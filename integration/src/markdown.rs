//! The project's Markdown files, and what is in them.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use crate::workspace;

/// One file.
pub struct Document {
    /// Its path, from the root of the workspace.
    pub path: PathBuf,
    text: String,
}

/// A fenced block of code.
pub struct Block {
    /// What stands behind the fence, such as `sh recipe:dnat-iptables`.
    pub info: String,
    /// The code.
    pub code: String,
}

/// The files of the repository whose names end like this, those not yet committed among them.
pub fn files(extension: &str) -> Vec<PathBuf> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "--deduplicate",
        ])
        .arg(format!("*.{extension}"))
        .current_dir(workspace())
        .output()
        .expect("run git");
    assert!(output.status.success(), "git: {output:?}");
    let names = String::from_utf8(output.stdout).expect("names in UTF-8");
    let paths = names.lines().map(PathBuf::from);
    paths
        .filter(|path| workspace().join(path).is_file())
        .collect()
}

/// All Markdown files of the repository.
pub fn documents() -> Vec<Document> {
    files("md").into_iter().map(Document::read).collect()
}

impl Document {
    /// Reads a file, named from the root of the workspace.
    pub fn read(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let text = fs::read_to_string(workspace().join(&path));
        let text = text.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        Self { path, text }
    }

    /// The text as it stands.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its fenced blocks.
    pub fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut is_inside = false;
        for event in self.events() {
            match event {
                Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                    is_inside = true;
                    blocks.push(Block {
                        info: info.to_string(),
                        code: String::new(),
                    });
                }
                Event::Text(text) if is_inside => {
                    blocks.last_mut().expect("pushed at its start").code += &text;
                }
                Event::End(TagEnd::CodeBlock) => is_inside = false,
                _ => {}
            }
        }
        blocks
    }

    /// Where its links and pictures lead.
    pub fn links(&self) -> Vec<String> {
        let target = |event| match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                Some(dest_url.to_string())
            }
            _ => None,
        };
        self.events().filter_map(target).collect()
    }

    /// Its spans of code.
    pub fn codes(&self) -> Vec<String> {
        let code = |event| match event {
            Event::Code(code) => Some(code.to_string()),
            _ => None,
        };
        self.events().filter_map(code).collect()
    }

    /// The anchors of its headings, as GitHub makes them.
    pub fn anchors(&self) -> BTreeSet<String> {
        let mut anchors = BTreeSet::new();
        let mut heading: Option<String> = None;
        for event in self.events() {
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::Text(text) | Event::Code(text) => {
                    if let Some(heading) = &mut heading {
                        *heading += &text;
                    }
                }
                Event::End(TagEnd::Heading(_)) => {
                    let anchor = anchor(&heading.take().expect("a heading was begun"));
                    let repeats = (1..).map(|number| format!("{anchor}-{number}"));
                    let mut names = std::iter::once(anchor.clone()).chain(repeats);
                    let is_new = |name: &String| !anchors.contains(name);
                    let name = names.find(is_new).expect("numbers do not end");
                    anchors.insert(name);
                }
                _ => {}
            }
        }
        anchors
    }

    /// The rows of its tables, a cell as its text without marks.
    pub fn rows(&self) -> Vec<Vec<String>> {
        let mut rows = Vec::new();
        let mut is_inside = false;
        for event in self.events() {
            match event {
                Event::Start(Tag::TableHead | Tag::TableRow) => rows.push(Vec::new()),
                Event::Start(Tag::TableCell) => {
                    is_inside = true;
                    let row: &mut Vec<String> = rows.last_mut().expect("a cell is in a row");
                    row.push(String::new());
                }
                Event::Text(text) | Event::Code(text) if is_inside => {
                    let cell = rows.last_mut().and_then(|row| row.last_mut());
                    *cell.expect("pushed at its start") += &text;
                }
                Event::End(TagEnd::TableCell) => is_inside = false,
                _ => {}
            }
        }
        rows
    }

    fn events(&self) -> impl Iterator<Item = Event<'_>> {
        Parser::new_ext(&self.text, Options::ENABLE_TABLES)
    }
}

fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || "-_ ".contains(*c);
    heading
        .to_lowercase()
        .chars()
        .filter(kept)
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}
