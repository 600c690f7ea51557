//! `docs/options.md`: the schema in words.

use serde_json::{Map, Value};

use super::{is_up_to_date, schema};

const INTRODUCTION: &str = "\
# Options

<!-- Made from the Rust types: UPDATE_SCHEMA=1 cargo test -p envoy-original-dst schema -->

Options are the fields of `filter_config`. Write it as a `google.protobuf.Struct`, or as JSON text in a `StringValue` or
`BytesValue`; a `TypedStruct` works in Envoy 1.40 alone. An unknown field or a wrong value is refused when the listener is
loaded, with a log line that says what is accepted. `make validate CONFIG=FILE` shows that line before.
[`original_dst.schema.json`](../envoy-configs/original_dst.schema.json) is the same as a JSON Schema.

For complete configs see the [examples](examples.md), for what words mean the [glossary](glossary.md).
";

/// The page, and what it is made of.
struct Page<'a> {
    definitions: &'a Map<String, Value>,
    text: String,
    /// The definitions that the text links to, those already written first.
    linked: Vec<&'a str>,
}

#[test]
fn options_page_is_up_to_date() {
    is_up_to_date(
        concat!(env!("CARGO_MANIFEST_DIR"), "/docs/options.md"),
        &page(&schema()),
    );
}

fn page(schema: &Value) -> String {
    let mut page = Page {
        definitions: schema["$defs"].as_object().unwrap(),
        text: INTRODUCTION.to_owned(),
        linked: Vec::new(),
    };
    page.paragraph(&description(schema));
    page.overview(&schema["properties"]);
    page.options(&schema["properties"]);
    let mut written = 0;
    while let Some(name) = page.linked.get(written).copied() {
        page.definition(name);
        written += 1;
    }
    page.text
}

impl<'a> Page<'a> {
    /// A line for each option: its name, and what it is in one sentence.
    fn overview(&mut self, options: &Value) {
        let row = |(name, option)| {
            let description = description(option);
            let sentence = description
                .split_once(". ")
                .map_or(&*description, |(first, _)| first);
            let sentence = sentence.trim_end_matches('.');
            format!("\n| [`{name}`](#{name}) | {sentence} |")
        };
        let rows: String = options.as_object().unwrap().iter().map(row).collect();
        self.paragraph(&format!("| option | meaning |\n|---|---|{rows}"));
    }

    fn options(&mut self, options: &'a Value) {
        for (name, option) in options.as_object().unwrap() {
            self.paragraph(&format!("## {name}"));
            self.option(option);
        }
    }

    fn option(&mut self, option: &'a Value) {
        self.paragraph(&description(option));
        let kind = self.kind(option);
        self.paragraph(&format!("Type: {kind}."));
        self.values(option);
        self.values(&option["items"]);
    }

    /// A type that options link to: an object with fields, a list or a text.
    fn definition(&mut self, name: &'a str) {
        let definition = &self.definitions[name];
        self.paragraph(&format!("## {name}"));
        self.paragraph(&description(definition));
        for (field, option) in definition["properties"].as_object().into_iter().flatten() {
            self.paragraph(&format!("### {name}: {field}"));
            self.option(option);
        }
        if definition["properties"].is_null() {
            let kind = self.kind(definition);
            self.paragraph(&format!("Type: {kind}."));
        }
    }

    /// The values of an enumeration, each with its meaning.
    fn values(&mut self, option: &'a Value) {
        let Some(values) = self.enumeration(option) else {
            return;
        };
        let row =
            |value: &Value| format!("\n| `{}` | {} |", text(&value["const"]), description(value));
        let rows: String = values.iter().map(row).collect();
        self.paragraph(&format!("| value | meaning |\n|---|---|{rows}"));
    }

    fn enumeration(&self, option: &'a Value) -> Option<&'a [Value]> {
        let name = reference(option)?;
        self.definitions[name]["oneOf"]
            .as_array()
            .map(Vec::as_slice)
    }

    /// What a value may be, in words.
    fn kind(&mut self, schema: &'a Value) -> String {
        if self.enumeration(schema).is_some() {
            return "one of these values".to_owned();
        }
        if let Some(name) = reference(schema) {
            if !self.linked.contains(&name) {
                self.linked.push(name);
            }
            return format!("[{name}](#{})", name.to_lowercase());
        }
        if let Some(kinds) = schema["anyOf"]
            .as_array()
            .filter(|_| schema["type"].is_null())
        {
            let kinds: Vec<String> = kinds.iter().map(|kind| self.kind(kind)).collect();
            return kinds.join(" or ");
        }
        match text(&schema["type"]) {
            "array" => {
                let unique = if schema["uniqueItems"] == true {
                    ", none twice"
                } else {
                    ""
                };
                let each = self.kind(&schema["items"]);
                format!("list of at least one{unique}; each {each}")
            }
            "boolean" => "`true` or `false`".to_owned(),
            "integer" => format!(
                "a number from {} to {}",
                schema["minimum"], schema["maximum"]
            ),
            "string" => "a text".to_owned(),
            kind => panic!("no words for the type {kind:?}: {schema}"),
        }
    }

    fn paragraph(&mut self, text: &str) {
        self.text += &format!("\n{text}\n");
    }
}

fn reference(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.strip_prefix("#/$defs/")
}

fn description(schema: &Value) -> String {
    text(&schema["description"]).replace('\n', " ")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}
