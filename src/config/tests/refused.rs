//! Configurations that are refused.

use super::*;

/// A line with the configuration, then one with its error.
const REFUSED: &str = include_str!("refused.txt");

/// What no JSON Schema can say.
const BEYOND_THE_SCHEMA: [&str; 11] = [
    "LOCAL_ADDRESS may take",
    "only LOCAL_ADDRESS takes them",
    "repeats entry",
    "lies outside of the entry",
    "leaves nothing of the entry",
    "can never apply",
    "host bits are set",
    "range is upside down",
    "is there more than once",
    "a mark that is not 0",
    "mask leaves out bits",
];

pub fn refused() -> impl Iterator<Item = (&'static str, &'static str)> {
    let mut lines = REFUSED.lines();
    std::iter::from_fn(move || {
        let config = lines.next()?;
        let error = lines.next().and_then(|line| line.strip_prefix("    "));
        Some((
            config,
            error.unwrap_or_else(|| panic!("no error for {config}")),
        ))
    })
}

#[test]
fn errors() {
    let mut count = 0;
    for (config, expected) in refused() {
        assert_eq!(error(config.as_bytes()), expected, "{config}");
        count += 1;
    }
    assert!(count >= 100, "only {count} configurations");
}

#[test]
fn errors_of_the_wire_form() {
    let mut count = 0;
    for (config, expected) in refused() {
        let Ok(json @ Json::Object(_)) = serde_json::from_str(config) else {
            continue;
        };
        if !expected.contains("is there more than once") {
            assert_eq!(error(&encode(&json)), expected, "{config}");
            count += 1;
        }
    }
    assert!(count >= 100, "only {count} configurations");
}

#[test]
fn the_schema_refuses_them_too() {
    let mut count = 0;
    for (config, error) in refused() {
        let is_json = serde_json::from_str::<Json>(config).is_ok();
        if is_json
            && !BEYOND_THE_SCHEMA
                .iter()
                .any(|reason| error.contains(reason))
        {
            assert!(!is_valid(config), "{config}");
            count += 1;
        }
    }
    assert!(count >= 80, "only {count} configurations");
}

#[test]
fn bytes_that_are_no_text() {
    assert_eq!(
        error(b"\xff\xfe\0{"),
        r#""��\0{": not JSON: expected value at line 1 column 1"#
    );
    assert_eq!(
        error(b"{\"stat_prefix\": \"\xff\"}"),
        r#""{\"stat_prefix\": \"�\"}": not JSON: invalid unicode code point at line 1 column 18"#
    );
}

/// TypedStruct is `{ type_url = 1, value = 2 }`; a module gets its bytes before Envoy 1.40.
#[test]
fn another_message_than_a_struct() {
    let url = "type.example.com/options";
    let mut bytes = vec![0x0a, url.len() as u8];
    bytes.extend(url.as_bytes());
    bytes.extend([0x12, 0]);
    assert_eq!(
        error(&bytes),
        "\"\\n\\u{18}type.example.com/options\\u{12}\\0\": another message than \
         google.protobuf.Struct, StringValue or BytesValue: use Struct (Envoy reads a TypedStruct for \
         a module from 1.40 on only)"
    );
    for text in ["\n {", "\n\n", "\n\thand_off\n", "\n"] {
        assert!(error(text.as_bytes()).contains("not JSON"), "{text:?}");
    }
}

#[test]
fn an_error_for_programmers_is_the_same_line() {
    let error = Config::parse(b"[]").unwrap_err();
    assert_eq!(format!("{error:?}"), error.to_string());
}

#[test]
fn a_negative_number_is_no_integer() {
    for (number, is_integer) in [(1.0, true), (0.0, true), (-1.0, false), (0.5, false)] {
        let value = Value::Number(number);
        assert_eq!(
            u64::deserialize(Strict(&value)).is_ok(),
            is_integer,
            "{number}"
        );
    }
}

#[test]
fn errors_are_short() {
    let long = "é".repeat(1 << 20);
    for config in [
        long.clone(),
        json!({ "stat_prefix": long }).to_string(),
        json!({ "listener_ports": vec!["x"; 1 << 20] }).to_string(),
        json!({ "listener_ports": long }).to_string(),
        json!({ &long: true }).to_string(),
        json!({ "destinations": { "deny": [long] } }).to_string(),
    ] {
        let error = error(config.as_bytes());
        assert!(error.len() < 500, "{} bytes: {error}", error.len());
    }
    assert_eq!(
        error(json!({ "stat_prefix": long }).to_string().as_bytes()),
        format!(
            "stat_prefix: \"{}…: expected 1 to 64 characters of A-Z, a-z, 0-9, _, . and -",
            "é".repeat(39)
        )
    );
}

#[test]
fn deep_nesting_is_refused() {
    let lists = "[".repeat(1 << 20);
    assert!(error(lists.as_bytes()).contains("not JSON: recursion limit exceeded"));
}
