//! The rules against a model that looks at every one of them.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::config::Config;

/// Addresses and ports as plain numbers: all the addresses begin with the same bits.
#[derive(Clone, Debug)]
struct Part {
    ip: IpAddr,
    prefix_len: u8,
    ports: Vec<(u16, u16)>,
}

/// A rule, and what it excepts.
#[derive(Clone, Debug)]
struct Model {
    part: Part,
    except: Vec<Part>,
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

fn is_mapped(ip: IpAddr) -> bool {
    ip.to_canonical() != ip
}

/// The addresses by which Linux knows a place.
fn names_of(ip: IpAddr) -> Vec<IpAddr> {
    match ip {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => vec![ip, Ipv4Addr::LOCALHOST.into()],
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => vec![ip, Ipv6Addr::LOCALHOST.into()],
        _ => vec![ip],
    }
}

impl Part {
    fn covers(&self, ip: IpAddr) -> bool {
        ip.is_ipv4() == self.ip.is_ipv4()
            && first_bits(ip, self.prefix_len) == first_bits(self.ip, self.prefix_len)
    }

    fn lists(&self, destination: SocketAddr) -> bool {
        let is_listed = |(first, last): &(u16, u16)| (first..=last).contains(&&destination.port());
        let mut names = names_of(destination.ip().to_canonical()).into_iter();
        names.any(|ip| self.covers(ip))
            && (self.ports.is_empty() || self.ports.iter().any(is_listed))
    }

    fn first(&self) -> IpAddr {
        let shift = 128 - u32::from(self.prefix_len);
        let first = first_bits(self.ip, self.prefix_len)
            .checked_shl(shift)
            .unwrap_or(0);
        with_bits(self.ip, first)
    }

    /// The addresses at both ends of it, and those next to them outside.
    fn edges(&self) -> [IpAddr; 4] {
        let host_bits = u128::MAX.checked_shr(self.prefix_len.into()).unwrap_or(0);
        let one = if self.ip.is_ipv4() { 1 << 96 } else { 1 };
        let first = bits(self.first());
        let last = first | host_bits;
        [first.wrapping_sub(one), first, last, last.wrapping_add(one)]
            .map(|bits| with_bits(self.ip, bits))
    }

    fn longest(&self) -> u8 {
        if self.ip.is_ipv4() { 32 } else { 128 }
    }

    /// As a rule's name has it.
    fn name(&self) -> String {
        let first = self.first();
        if self.prefix_len == self.longest() {
            return first.to_string();
        }
        format!("{first}/{}", self.prefix_len)
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

impl Model {
    fn lists(&self, destination: SocketAddr) -> bool {
        self.part.lists(destination) && !self.except.iter().any(|part| part.lists(destination))
    }

    fn to_json(&self, is_mapped: bool) -> Value {
        let json = self.part.to_json(is_mapped);
        if self.except.is_empty() {
            return json;
        }
        let mut json = match json {
            Value::String(cidr) => json!({ "cidr": cidr }),
            object => object,
        };
        json["except"] = self
            .except
            .iter()
            .map(|part| part.to_json(is_mapped))
            .collect();
        json
    }

    fn parts(&self) -> impl Iterator<Item = &Part> {
        self.except.iter().chain([&self.part])
    }
}

/// What is wrong with the rules, as far as these destinations tell: one of each group that all rules
/// take alike is among them.
fn reason(allow: &[Model], deny: &[Model], destinations: &[SocketAddr]) -> Option<String> {
    let is_any =
        |is_meant: &dyn Fn(SocketAddr) -> bool| destinations.iter().any(|to| is_meant(*to));
    for rule in allow.iter().chain(deny) {
        for (index, part) in rule.except.iter().enumerate() {
            if !is_any(&|to| part.lists(to) && rule.part.lists(to)) {
                let name = part.name();
                return Some(format!("except[{index}] {name} lies outside of the entry"));
            }
        }
        if !is_any(&|to| rule.lists(to)) {
            return Some("except leaves nothing of the entry".to_owned());
        }
    }
    for (index, rule) in allow.iter().enumerate() {
        if !is_any(&|to| rule.lists(to) && !deny.iter().any(|deny| deny.lists(to))) {
            let name = rule.part.name();
            return Some(format!("allow[{index}] {name} can never apply: deny["));
        }
    }
    None
}

/// The rules that deny a destination, with their indices.
fn denying(deny: &[Model], to: SocketAddr) -> Vec<(usize, &Model)> {
    deny.iter()
        .enumerate()
        .filter(|(_, rule)| rule.lists(to))
        .collect()
}

/// Few different addresses, so that many rules lie in each other, touch, or are the same.
fn any_ip() -> impl Strategy<Value = IpAddr> {
    let byte = select(&[0, 1, 0x0a, 0x7f, 0x80, 0xff][..]);
    prop_oneof![
        [byte.clone(), byte.clone(), byte.clone(), byte.clone()].prop_map(IpAddr::from),
        ([byte.clone(), byte.clone()], byte.clone(), byte).prop_map(|([a, b], c, d)| {
            IpAddr::from([a, b, 0, 0, 0, 0, 0, c, d, 0, 0, 0, 0, 0, 0, c])
        }),
        Just(IpAddr::from(Ipv4Addr::LOCALHOST)),
        Just(IpAddr::from(Ipv6Addr::LOCALHOST)),
    ]
    .prop_filter("the same as IPv4", |ip| !is_mapped(*ip))
}

fn any_port() -> impl Strategy<Value = u16> {
    prop_oneof![1..12_u16, 65_530..=65_535_u16, 1..=65_535_u16]
}

fn any_ports() -> impl Strategy<Value = Vec<(u16, u16)>> {
    let range = (any_port(), any_port()).prop_map(|(a, b)| (a.min(b), a.max(b)));
    let ports = prop_oneof![2 => Just(vec![]), 1 => vec(range, 1..4)];
    ports.prop_map(|mut ports| {
        ports.sort_unstable();
        ports.dedup();
        ports
    })
}

fn any_part() -> impl Strategy<Value = Part> {
    let prefix_len = prop_oneof![3 => 0..=128_u8, 1 => Just(128)];
    (any_ip(), prefix_len, any_ports()).prop_map(|(ip, prefix_len, ports)| Part {
        ip,
        prefix_len: if ip.is_ipv4() {
            prefix_len / 4
        } else {
            prefix_len
        },
        ports,
    })
}

/// A part that lies in another one, but for its ports.
fn any_part_of(whole: Part) -> impl Strategy<Value = Part> {
    (any_part(), 0..=128_u8).prop_map(move |(part, longer)| {
        let host_bits = u128::MAX.checked_shr(whole.prefix_len.into()).unwrap_or(0);
        let inside = bits(whole.first()) | bits(part.ip) & host_bits;
        let inside = Some(with_bits(whole.ip, inside)).filter(|ip| !is_mapped(*ip));
        let room = whole.longest() - whole.prefix_len;
        Part {
            ip: inside.unwrap_or(whole.first()),
            prefix_len: whole.prefix_len + longer.min(room),
            ports: part.ports,
        }
    })
}

fn any_rule() -> impl Strategy<Value = Model> {
    any_part().prop_flat_map(|part| {
        let inside = vec(any_part_of(part.clone()), 1..4);
        let anywhere = vec(any_part(), 1..2);
        let except = prop_oneof![8 => Just(vec![]), 4 => inside, 1 => anywhere];
        except.prop_map(move |except| Model {
            part: part.clone(),
            except,
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_rule_counts(
        allow in vec(any_rule(), 0..5),
        deny in vec(any_rule(), 0..5),
        ips in vec(any_ip(), 5),
        write_mapped in any::<bool>(),
    ) {
        prop_assume!(!allow.is_empty() || !deny.is_empty());
        let mut config = json!({});
        for (name, list) in [("allow", &allow), ("deny", &deny)] {
            if !list.is_empty() {
                config[name] = list.iter().map(|rule| rule.to_json(write_mapped)).collect();
            }
        }
        let config = json!({ "destinations": config }).to_string();

        let parts: Vec<_> = allow.iter().chain(&deny).flat_map(Model::parts).collect();
        let edges = parts.iter().flat_map(|part| part.edges());
        let known = ["0.0.0.0", "0.0.0.1", "::", "::1"].map(|ip| ip.parse().unwrap());
        let ips: BTreeSet<IpAddr> = ips.into_iter().chain(edges).chain(known).collect();
        let ports = parts.iter().flat_map(|part| &part.ports);
        let ports = ports.flat_map(|(first, last)| [*first, *last, last.saturating_add(1)]);
        let ports: BTreeSet<u16> = ports.chain([0]).collect();
        let destinations: Vec<_> = ips
            .iter()
            .flat_map(|ip| ports.iter().map(|port| SocketAddr::new(*ip, *port)))
            .collect();

        let reason = reason(&allow, &deny, &destinations);
        let rules = match (Config::parse(config.as_bytes()), &reason) {
            (Ok(config), None) => config.destinations.unwrap(),
            (Err(error), Some(reason)) if error.to_string().contains(reason) => return Ok(()),
            (Ok(_), _) => panic!("accepted in spite of {reason:?}"),
            (Err(error), _) => panic!("{error} instead of {reason:?}"),
        };
        prop_assert_eq!(rules.rules(), allow.len() + deny.len());

        // What is IPv6 for a rule around all of IPv4 is none for a destination.
        for to in destinations.into_iter().filter(|to| !is_mapped(to.ip())) {
            let denying = denying(&deny, to);
            let is_listed = allow.is_empty() || allow.iter().any(|rule| rule.lists(to));
            let expected = is_listed && denying.is_empty();
            prop_assert_eq!(rules.allow(to), expected, "{}", to);
            let denial = rules.denial(to).map(|denial| denial.to_string());
            match denial.as_deref() {
                None => prop_assert!(expected, "{} is not denied", to),
                Some("no allow entry matches") => prop_assert!(!is_listed && denying.is_empty()),
                Some(denial) => {
                    let names = |(index, rule): &(usize, &Model)| {
                        format!("deny[{index}] {}", rule.part.name())
                    };
                    let names: Vec<_> = denying.iter().map(names).collect();
                    prop_assert!(names.iter().any(|name| name == denial), "{denial}: {names:?}");
                }
            }
            if let IpAddr::V4(ip) = to.ip() {
                let mapped = SocketAddr::new(ip.to_ipv6_mapped().into(), to.port());
                prop_assert_eq!(rules.allow(mapped), expected, "{}", mapped);
                prop_assert_eq!(rules.denial(mapped).map(|denial| denial.to_string()), denial);
            }
        }
    }
}
