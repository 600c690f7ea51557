use super::*;

/// All that the first bytes of an address's text can be: an IPv4 address by its first number, an IPv6
/// address by its first group, whatever follows.
#[test]
fn the_text_of_an_address_tells_its_family() {
    for first in 0..=u8::MAX {
        for rest in ["0.0.0", "255.255.255"] {
            let text = format!("{first}.{rest}");
            assert_eq!(family(text.as_bytes()), Family::V4, "{text}");
        }
    }
    for text in ["::", "::1", "::ffff:10.1.0.1", "::10.1.0.1", "::%1"] {
        assert_eq!(family(text.as_bytes()), Family::V6, "{text}");
    }
    for first in 0..=u16::MAX {
        for rest in [
            "::",
            "::1",
            ":0:0:0:0:0:0:0",
            "::10.1.0.1",
            "::1%eth0",
            ":1::2",
        ] {
            let text = format!("{first:x}{rest}");
            assert_eq!(family(text.as_bytes()), Family::V6, "{text}");
        }
    }
}

#[test]
fn an_address_is_the_same_in_any_spelling() {
    let v4 = Address::v4([10, 1, 0, 1].into(), 80);
    let v6 = Address::v6([0xfe80, 0, 0, 0, 0, 0, 0, 1].into(), 80, 7);
    for (text, port, address, expected) in [
        ("10.1.0.1", 80, v4, true),
        ("::ffff:10.1.0.1", 80, v4, false),
        ("10.1.0.1", 81, v4, false),
        ("10.1.0.2", 80, v4, false),
        ("fe80::1", 80, v6, true),
        ("fe80::1%7", 80, v6, true),
        ("fe80::1%eth0", 80, v6, true),
        ("fe80:0::1", 80, v6, true),
        ("fe80::2%7", 80, v6, false),
        ("fe80::1", 81, v6, false),
        ("", 80, v6, false),
        ("eth0", 80, v4, false),
    ] {
        assert_eq!(
            is_at((text.as_bytes(), port), address),
            expected,
            "{text}:{port}"
        );
    }
    assert!(!is_at((b"\xff", 80), v4));
}
