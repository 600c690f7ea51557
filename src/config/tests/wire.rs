//! The wire form of a Struct.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::*;

/// The values, if the bytes are a Struct.
fn decode(bytes: &[u8]) -> Option<Value> {
    Value::deserialize(Struct::new(bytes)).ok()
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<u32>().prop_map(|number| Json::from(f64::from(number))),
        (-1e9..1e9).prop_map(Json::from),
        ".{0,12}".prop_map(Json::from),
        "[a-z]{120,140}".prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Json::from),
            btree_map(".{0,5}", inner, 0..5)
                .prop_map(|fields| Json::Object(fields.into_iter().collect())),
        ]
    })
}

fn any_object() -> impl Strategy<Value = Json> {
    btree_map(".{0,5}", any_json(), 1..5).prop_map(|fields| fields.into_iter().collect())
}

proptest! {
    #[test]
    fn both_forms_mean_the_same(object in any_object()) {
        let text: Value = serde_json::from_str(&object.to_string()).unwrap();
        prop_assert_eq!(decode(&encode(&object)), Some(text));
    }

    #[test]
    fn json_is_no_struct(object in any_json(), indent in "[ \n\t]{0,3}") {
        let text = format!("{indent}{object:#}");
        prop_assert_eq!(decode(text.as_bytes()), None);
    }

    #[test]
    fn part_of_a_struct_is_none(value in any_json(), cut in any::<prop::sample::Index>()) {
        let bytes = encode(&json!({ "option": value }));
        let cut = 1 + cut.index(bytes.len() - 1);
        prop_assert_eq!(decode(&bytes[..cut]), None);
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in vec(any::<u8>(), 0..64)) {
        let _ = Config::parse(&bytes);
    }

    #[test]
    fn a_changed_byte_is_read_without_a_panic(
        object in any_object(),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = encode(&object);
        let place = place.index(bytes.len());
        bytes[place] = byte;
        let _ = Config::parse(&bytes);
    }
}

/// A Struct with one field, `a`, whose value has this content.
fn with_value(content: &[u8]) -> Vec<u8> {
    field(1, &[field(1, b"a"), field(2, content)].concat())
}

#[test]
fn strict() {
    assert!(decode(&with_value(&[0x20, 1])).is_some());
    let double = |number: f64| [&[0x11], number.to_le_bytes().as_slice()].concat();
    assert!(decode(&with_value(&double(1.5))).is_some());
    for (bytes, what) in [
        (with_value(&[]), "a value of no kind"),
        (with_value(&[0x20, 2]), "a bool that is neither"),
        (with_value(&[0x08, 1]), "a null that is not 0"),
        (with_value(&[0x20, 1, 0x20, 1]), "a value of two kinds"),
        (with_value(&[0x38, 1]), "a kind that does not exist"),
        (
            with_value(&[0x25, 0, 0, 0, 0]),
            "a bool laid out as a float",
        ),
        (with_value(&double(f64::NAN)), "not a number"),
        (with_value(&double(f64::INFINITY)), "infinity"),
        (with_value(&field(3, b"\xff")), "text that is not UTF-8"),
        (
            field(1, &[field(1, b"\xff"), field(2, &[0x20, 1])].concat()),
            "a key that is not",
        ),
        (field(1, &field(1, b"a")), "an entry without a value"),
        (field(1, &field(2, &[0x20, 1])), "an entry without a key"),
        (
            field(1, &[field(2, &[0x20, 1]), field(1, b"a")].concat()),
            "the value first",
        ),
        (
            field(2, &[field(1, b"a"), field(2, &[0x20, 1])].concat()),
            "another field",
        ),
        (
            field(0, &[field(1, b"a"), field(2, &[0x20, 1])].concat()),
            "a field 0",
        ),
        (
            field(1, &[field(0, b"a"), field(2, &[0x20, 1])].concat()),
            "a field 0 as the key",
        ),
        ([with_value(&[0x20, 1]), vec![0]].concat(), "more behind it"),
        (
            field(
                1,
                &[field(1, b"a"), field(2, &[0x20, 1]), field(3, b"")].concat(),
            ),
            "an entry with a third field",
        ),
        (
            vec![
                0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1,
            ],
            "a huge length",
        ),
        (
            vec![0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
            "2^63 - 1 bytes",
        ),
        (vec![0x8a; 20], "a tag without an end"),
    ] {
        assert_eq!(decode(&bytes), None, "{what}");
    }
}

#[test]
fn depth() {
    let nested = |depth| {
        let value = (1..depth).fold(vec![0x08, 0], |value, _| field(6, &field(1, &value)));
        with_value(&value)
    };
    assert!(decode(&nested(100)).is_some());
    assert_eq!(decode(&nested(101)), None);
    assert_eq!(decode(&nested(20_000)), None);
}

#[test]
fn repeated_keys_are_refused() {
    let entry = field(1, &[field(1, b"hand_off"), field(2, &[0x20, 1])].concat());
    assert_eq!(
        error(&[entry.clone(), entry].concat()),
        r#"{"hand_off": true, "hand_off": true}: hand_off is there more than once"#
    );
}
