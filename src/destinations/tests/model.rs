//! The rules against a model that looks at every one of them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::config::Config;

/// A rule as plain numbers: all its addresses begin with the same bits.
#[derive(Clone, Debug)]
struct Model {
    ip: IpAddr,
    prefix_len: u8,
    ports: Vec<(u16, u16)>,
}

/// The bits of an address, the first one at the top.
fn bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u128::from(u32::from(ip)) << 96,
        IpAddr::V6(ip) => ip.into(),
    }
}

fn first_bits(ip: IpAddr, prefix_len: u8) -> u128 {
    bits(ip)
        .checked_shr(128 - u32::from(prefix_len))
        .unwrap_or(0)
}

fn with_bits(ip: IpAddr, bits: u128) -> IpAddr {
    match ip {
        IpAddr::V4(_) => Ipv4Addr::from((bits >> 96) as u32).into(),
        IpAddr::V6(_) => Ipv6Addr::from(bits).into(),
    }
}

impl Model {
    fn lists(&self, destination: SocketAddr) -> bool {
        let (ip, port) = (destination.ip(), destination.port());
        ip.is_ipv4() == self.ip.is_ipv4()
            && first_bits(ip, self.prefix_len) == first_bits(self.ip, self.prefix_len)
            && (self.ports.is_empty()
                || self
                    .ports
                    .iter()
                    .any(|(first, last)| (*first..=*last).contains(&port)))
    }

    fn first(&self) -> IpAddr {
        let shift = 128 - u32::from(self.prefix_len);
        let first = first_bits(self.ip, self.prefix_len)
            .checked_shl(shift)
            .unwrap_or(0);
        with_bits(self.ip, first)
    }

    /// The addresses at both ends of the rule, and those next to them outside.
    fn edges(&self) -> [IpAddr; 4] {
        let host_bits = u128::MAX.checked_shr(self.prefix_len.into()).unwrap_or(0);
        let one = if self.ip.is_ipv4() { 1 << 96 } else { 1 };
        let first = bits(self.first());
        let last = first | host_bits;
        [first.wrapping_sub(one), first, last, last.wrapping_add(one)]
            .map(|bits| with_bits(self.ip, bits))
    }

    fn to_json(&self, is_mapped: bool) -> Value {
        let cidr = match self.first() {
            IpAddr::V4(ip) if is_mapped => {
                format!("{}/{}", ip.to_ipv6_mapped(), self.prefix_len + 96)
            }
            ip => format!("{ip}/{}", self.prefix_len),
        };
        if self.ports.is_empty() {
            return cidr.into();
        }
        let ports = self
            .ports
            .iter()
            .map(|(first, last)| format!("{first}-{last}"));
        json!({ "cidr": cidr, "ports": ports.collect::<Vec<_>>() })
    }
}

fn is_allowed(allow: &[Model], deny: &[Model], destination: SocketAddr) -> bool {
    let is_in = |rules: &[Model]| rules.iter().any(|rule| rule.lists(destination));
    !is_in(deny) && (allow.is_empty() || is_in(allow))
}

/// Few different addresses, so that many rules lie in each other, touch, or are the same.
fn any_ip() -> impl Strategy<Value = IpAddr> {
    let byte = select(&[0, 0x0a, 0x0b, 0x80, 0xff][..]);
    prop_oneof![
        [byte.clone(), byte.clone(), byte.clone(), byte.clone()].prop_map(IpAddr::from),
        ([byte.clone(), byte.clone()], byte.clone(), byte).prop_map(|([a, b], c, d)| {
            IpAddr::from([a, b, 0, 0, 0, 0, 0, c, d, 0, 0, 0, 0, 0, 0, c])
        }),
    ]
    .prop_filter("the same as IPv4", |ip| ip.to_canonical() == *ip)
}

fn any_port() -> impl Strategy<Value = u16> {
    prop_oneof![1..12_u16, 65_530..=65_535_u16, 1..=65_535_u16]
}

fn any_rule() -> impl Strategy<Value = Model> {
    let range = (any_port(), any_port()).prop_map(|(a, b)| (a.min(b), a.max(b)));
    let ports = prop_oneof![2 => Just(vec![]), 1 => vec(range, 1..4)];
    let prefix_len = prop_oneof![3 => 0..=128_u8, 1 => Just(128)];
    (any_ip(), prefix_len, ports).prop_map(|(ip, prefix_len, mut ports)| {
        let prefix_len = if ip.is_ipv4() {
            prefix_len / 4
        } else {
            prefix_len
        };
        ports.sort_unstable();
        ports.dedup();
        Model {
            ip,
            prefix_len,
            ports,
        }
    })
}

/// Rules of which none repeats another.
fn any_rules() -> impl Strategy<Value = Vec<Model>> {
    vec(any_rule(), 0..12).prop_map(|mut rules| {
        let mut seen = std::collections::HashSet::new();
        rules.retain(|rule| seen.insert((rule.first(), rule.prefix_len, rule.ports.clone())));
        rules
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_rule_counts(
        allow in any_rules(),
        deny in any_rules(),
        ips in vec(any_ip(), 20),
        ports in vec(any_port(), 8),
        is_mapped in any::<bool>(),
    ) {
        prop_assume!(!allow.is_empty() || !deny.is_empty());
        let mut config = json!({});
        for (name, list) in [("allow", &allow), ("deny", &deny)] {
            if !list.is_empty() {
                config[name] = list.iter().map(|rule| rule.to_json(is_mapped)).collect();
            }
        }
        let config = json!({ "destinations": config }).to_string();
        let rules = match Config::parse(config.as_bytes()) {
            Ok(config) => config.destinations.unwrap(),
            // The same ports, written in another way.
            Err(error) if error.to_string().contains("repeats entry") => return Err(
                TestCaseError::reject("a rule twice")
            ),
            Err(error) => panic!("{error}"),
        };

        let edges = allow.iter().chain(&deny).flat_map(Model::edges);
        let edge_ports = allow.iter().chain(&deny).flat_map(|rule| &rule.ports);
        let edge_ports = edge_ports.flat_map(|(first, last)| {
            [first - 1, *first, *last, last.saturating_add(1)]
        });
        let ports: Vec<_> = ports.into_iter().chain(edge_ports).collect();
        for ip in ips.into_iter().chain(edges) {
            for port in &ports {
                let destination = SocketAddr::new(ip, *port);
                let expected = is_allowed(&allow, &deny, destination);
                prop_assert_eq!(rules.allow(destination), expected, "{}", destination);
                if let IpAddr::V4(ip) = ip {
                    let mapped = SocketAddr::new(ip.to_ipv6_mapped().into(), *port);
                    prop_assert_eq!(rules.allow(mapped), expected, "{}", mapped);
                }
            }
        }
    }
}
