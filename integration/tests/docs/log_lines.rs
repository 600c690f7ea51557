//! Every log line that a document quotes is one that the module or Envoy writes.

use std::net::SocketAddr;

use lab::address::{GATEWAY_V4, UPSTREAM_V4};
use lab::client::{CONNECT_TIMEOUT, tcp_ask};
use lab::config::static_cluster;
use lab::kernel::Feature;
use lab::module::{module_filter, module_filter_with};
use lab::{
    Envoy, Lab, Listener, SetFilterState, To, Tunnel, Upstream, Version, bootstrap, validate,
    with_internal_listeners,
};
use serde_json::{Value, json};
use socket2::{Domain, Protocol, Socket, Type};

use crate::library::not_loaded;
use crate::session::OUTPUT;
use lab::markdown::documents;

const PORT: u16 = 8080;
const VERSION: Version = Version::V1_40;
/// The kinds of blocks with log lines, and the one of what commands print, which is compared where
/// they are run.
const KINDS: [&str; 4] = ["text log", "text envoy", "text envoy 1.38", OUTPUT];

#[test]
fn quoted_lines_are_written() {
    if Feature::Mptcp.is_missing_for("log_lines::quoted_lines_are_written") {
        return;
    }
    let written = [refused(), kernel_sockets(), broken(), internal()].concat();
    for quote in quotes("text log") {
        assert!(
            written.iter().any(|line| is_like(line, &quote)),
            "no line like this one was written:\n{quote}\n---- but these\n{}",
            written.join("\n")
        );
    }
}

/// By every version, or by those from the one on that the block names.
#[test]
fn quoted_lines_of_envoy_are_written() {
    for version in Version::under_test() {
        let written = [
            ill_configured(version),
            not_loaded(version),
            not_capable(version),
            ill_formed(version),
        ]
        .concat();
        // Of messages about JSON, Envoy's spaces are many, and others each time.
        let words: Vec<&str> = written.split_whitespace().collect();
        let words = words.join(" ");
        let mut wanted = quotes("text envoy");
        if version >= Version::V1_38 {
            wanted.extend(quotes("text envoy 1.38"));
        }
        for quote in wanted {
            assert!(
                words.contains(&quote),
                "{version}: not written: {quote}\n---- but\n{written}"
            );
        }
    }
}

/// The lines that documents quote in blocks of this kind.
fn quotes(kind: &str) -> Vec<String> {
    let mut quotes = Vec::new();
    for document in documents() {
        let blocks = document.blocks().into_iter();
        for block in blocks.filter(|block| block.info.starts_with("text")) {
            assert!(
                KINDS.contains(&block.info.as_str()),
                "{}: a block of another kind: {}",
                document.path.display(),
                block.info
            );
            if block.info == kind {
                quotes.push(block.code.trim_end().to_owned());
            }
        }
    }
    assert!(
        !quotes.is_empty(),
        "no lines were found: this checks nothing"
    );
    quotes
}

/// Whether a line is a quote whose `<…>` stand for any text.
pub fn is_like(line: &str, quote: &str) -> bool {
    let (first, rest) = quote.split_once('<').unwrap_or((quote, ""));
    let Some(mut left) = line.strip_prefix(first) else {
        return false;
    };
    let fixed: Vec<&str> = rest
        .split('<')
        .filter_map(|part| Some(part.split_once('>')?.1))
        .collect();
    let Some((last, between)) = fixed.split_last() else {
        return left.is_empty();
    };
    for part in between {
        match left.split_once(part) {
            Some((_, behind)) => left = behind,
            None => return false,
        }
    }
    left.ends_with(last)
}

/// The module's lines in a log, as `[level] text`.
fn lines(log: &str) -> Vec<String> {
    let line = |line: &str| {
        let (head, text) = line.split_once("] original_dst: ")?;
        let level = head.split("][").nth(2)?;
        Some(format!("[{level}] original_dst: {text}"))
    };
    log.lines().filter_map(line).collect()
}

/// What is written of configurations.
fn refused() -> Vec<String> {
    let mut named = module_filter(None);
    named["typed_config"]["filter_name"] = json!("original_dst");
    // Where validation runs, sockets get no marks: it is the default of the sysctl.
    let marked = module_filter(Some(json!({ "own_mark": "0x1" })));
    // As of a library that is newer than the one at hand.
    let newer = module_filter(Some(json!({ "option_to_come": true })));
    [named, newer, ill_options(), marked]
        .map(|filter| {
            let listener = Listener::new("0.0.0.0:15001").filter(filter);
            lines(&validate(VERSION, &bootstrap([listener.tcp()], [])).expect_err("refused"))
        })
        .concat()
}

fn ill_options() -> Value {
    module_filter(Some(json!({ "unredirected_connections": "DROP" })))
}

/// What Envoy writes of a module that refuses its options.
fn ill_configured(version: Version) -> String {
    let listener = Listener::new("0.0.0.0:15001").filter(ill_options());
    validate(version, &bootstrap([listener.tcp()], [])).expect_err("refused")
}

/// What it writes of options that are not in a message, or not in its `value`.
fn ill_formed(version: Version) -> String {
    let empty = module_filter(Some(json!({})));
    let kind = empty["typed_config"]["filter_config"]["@type"].clone();
    let options = [
        json!({ "unredirected_connections": "CLOSE" }),
        json!({ "@type": kind, "unredirected_connections": "CLOSE" }),
    ];
    options
        .map(|options| {
            let mut filter = empty.clone();
            filter["typed_config"]["filter_config"] = options;
            let listener = Listener::new("0.0.0.0:15001").filter(filter);
            validate(version, &bootstrap([listener.tcp()], [])).expect_err("refused")
        })
        .concat()
}

/// What it writes if it may not have a transparent listener.
fn not_capable(version: Version) -> String {
    let lab = Lab::new();
    let listener = Listener::new("0.0.0.0:15001").transparent();
    Envoy::builder(&lab.gateway, version)
        .config(bootstrap([listener.tcp()], []))
        .user(1337)
        .try_start()
        .expect_err("a user without capabilities")
}

/// What is written of connections that rules redirect, or should have.
fn kernel_sockets() -> Vec<String> {
    let lab = Lab::new();
    let listener = |port, options| {
        Listener::new(&format!("0.0.0.0:{port}")).filter(module_filter(Some(options)))
    };
    let mapped = Listener::new(&format!("[::ffff:{GATEWAY_V4}]:15006")).ipv4_compat();
    let mapped = mapped.filter(module_filter(None)).tcp();
    let local = json!({
        "recovery_methods": ["SO_ORIGINAL_DST", "LOCAL_ADDRESS"],
        "local_destinations": ["192.0.2.0/24"],
    });
    let listeners = [
        listener(15001, json!({ "unredirected_connections": "CLOSE" })).tcp(),
        listener(15002, json!({ "destinations": { "deny": [UPSTREAM_V4] } })).tcp(),
        listener(15003, json!({ "recovery_methods": ["TRANSPARENT"] })).tcp(),
        listener(15004, json!({}))
            .field("enable_mptcp", json!(true))
            .tcp(),
        listener(15005, json!({})).tcp(),
        listener(15008, json!({})).cluster("fixed").tcp(),
        mapped,
        listener(15007, local).tcp(),
    ];
    // Not to the connection's own destination: that would be this Envoy, over and over.
    let fixed = static_cluster("fixed", SocketAddr::new(UPSTREAM_V4, PORT));
    let envoy = start(&lab, bootstrap(listeners, [fixed]));
    lab.gateway.redirect(To::Port(PORT), 15002);
    lab.gateway.redirect(To::Port(PORT + 1), 15003);
    lab.gateway.redirect(To::Port(PORT + 2), 15004);
    lab.gateway.redirect(To::Port(PORT + 3), 15006);
    for port in [15005, 15007] {
        lab.gateway.notrack_port(port);
    }
    let asked = |ip, port| SocketAddr::new(ip, port);
    for to in [
        asked(GATEWAY_V4, 15001),
        asked(UPSTREAM_V4, PORT),
        asked(UPSTREAM_V4, PORT + 1),
        asked(UPSTREAM_V4, PORT + 3),
        asked(GATEWAY_V4, 15005),
        asked(GATEWAY_V4, 15007),
        asked(GATEWAY_V4, 15008),
    ] {
        tcp_ask(&lab.client, to).expect_err("no destination, or none that is allowed");
    }
    let to = asked(UPSTREAM_V4, PORT + 2);
    lab.client.run(|| {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::MPTCP));
        let socket = socket.expect("a kernel with MPTCP");
        socket
            .connect_timeout(&to.into(), CONNECT_TIMEOUT)
            .expect("a connection");
    });
    lines_of(&envoy, "MPTCP")
}

/// What is written when redirection breaks and when it works again.
fn broken() -> Vec<String> {
    let lab = Lab::new();
    let _upstream = Upstream::start(&lab.upstream, &[PORT]);
    let listener = Listener::new("0.0.0.0:15001").filter(module_filter(None));
    let envoy = start(&lab, bootstrap([listener.tcp()], []));
    for _ in 0..100 {
        let direct = SocketAddr::new(GATEWAY_V4, 15001);
        tcp_ask(&lab.client, direct).expect_err("no destination");
    }
    lab.gateway.redirect(To::Port(PORT), 15001);
    tcp_ask(&lab.client, SocketAddr::new(UPSTREAM_V4, PORT)).expect("an answer");
    lines_of(&envoy, "works again")
}

/// What is written of connections through internal listeners.
fn internal() -> Vec<String> {
    const REMOTE_IP: &str = "envoy.filters.listener.original_dst.remote_ip";
    let lab = Lab::new();
    let inner = Listener::internal("inner")
        .filter(module_filter_with(None))
        .tcp();
    let outer = |port: u16| {
        Listener::new(&format!("0.0.0.0:{port}"))
            .cluster(&port.to_string())
            .tcp()
    };
    let no_source = SetFilterState::default().set(REMOTE_IP, "envoy.string", "nobody");
    let listeners = [outer(15001), no_source.in_front(outer(15002)), inner];
    let no_address = Tunnel::new().host_metadata(json!({ "local": "upstream:8080" }));
    let tunnels = [
        Tunnel::new().cluster("15001", "inner"),
        no_address.cluster("15002", "inner"),
    ];
    let envoy = start(&lab, with_internal_listeners(bootstrap(listeners, tunnels)));
    for port in [15001, 15002] {
        let to = SocketAddr::new(GATEWAY_V4, port);
        tcp_ask(&lab.client, to).expect_err("no destination");
    }
    lines_of(&envoy, "METADATA")
}

fn start(lab: &Lab, config: Value) -> Envoy {
    Envoy::builder(&lab.gateway, VERSION).config(config).start()
}

/// The lines so far, once there is one with this text: the last that is expected.
fn lines_of(envoy: &Envoy, last: &str) -> Vec<String> {
    envoy.wait_log(last, |line| line.contains(last));
    lines(&envoy.log())
}
