//! Options are read straight, or explained: both ways accept the same.

use proptest::collection::vec;
use proptest::prelude::*;

use super::refused::refused;
use super::*;

#[track_caller]
fn check(bytes: &[u8]) {
    let straight = Config::straight(bytes).map(|config| format!("{config:?}"));
    let explained = Config::explained(bytes).map(|config| format!("{config:?}"));
    assert_eq!(
        straight,
        explained.ok(),
        "{}",
        String::from_utf8_lossy(bytes)
    );
}

#[test]
fn what_is_refused() {
    for (config, _) in refused() {
        check(config.as_bytes());
    }
}

/// Values of which some are an option's, and some are not.
fn any_value() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "null",
        "true",
        "0",
        "80",
        "80.0",
        "8e1",
        "-1",
        "1.5",
        "1e300",
        "18446744073709551615",
        "\"CLOSE\"",
        "\"10.0.0.0/8\"",
        "\"80-90\"",
        "\"\\u0043LOSE\"",
        "[]",
        "{}",
        "[80]",
        "[\"80\"]",
        "[\"TRANSPARENT\"]",
        "[\"private\"]",
        "{\"CLOSE\": null}",
        "{\"cidr\": \"private\", \"ports\": [80.0]}",
        "{\"cidr\": \"private\", \"except\": [\"10.0.0.0/9\"]}",
        "[{\"cidr\": \"private\", \"ports\": null}]",
        "{\"deny\": [\"private\"]}",
        "{\"deny\": [\"private\"], \"deny\": [\"private\"]}",
        "{\"allow\": [\"10.0.0.1\"], \"deny\": [\"private\"]}",
    ])
}

fn any_option() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "recovery_methods",
        "unredirected_connections",
        "listener_ports",
        "unrecovered_connections",
        "destinations",
        "hand_off",
        "publish_metadata",
        "stat_prefix",
        "other",
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn whatever_there_is(options in vec((any_option(), any_value()), 0..3), end in "[ x}]{0,1}") {
        let options: Vec<_> = options.iter().map(|(name, value)| format!("{name:?}: {value}")).collect();
        let text = format!("{{{}}}{end}", options.join(", "));
        check(text.as_bytes());
        if let Ok(json @ Json::Object(_)) = serde_json::from_str(&text) {
            check(&encode(&json));
        }
    }
}
