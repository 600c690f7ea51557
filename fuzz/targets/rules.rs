//! The rules of `destinations`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use arbitrary::{Result, Unstructured};
use ipnet::IpNet;
use original_dst::config::Config;
use serde_json::{Value, json};

/// Addresses and ports, as plain as can be.
struct Part {
    net: IpNet,
    ports: Vec<(u16, u16)>,
}

/// A rule, and what it excepts.
struct Rule {
    part: Part,
    except: Vec<Part>,
}

/// However many rules are merged, each address is judged as by looking at all of them.
pub fn run(input: &[u8]) {
    // Too short an input is no failure.
    let _ = compare(&mut Unstructured::new(input));
}

fn compare(input: &mut Unstructured) -> Result<()> {
    let allow = rules(input)?;
    let deny = rules(input)?;
    let mut lists = json!({});
    for (name, rules) in [("allow", &allow), ("deny", &deny)] {
        if !rules.is_empty() {
            lists[name] = rules.iter().map(Rule::json).collect();
        }
    }
    let options = json!({ "destinations": lists }).to_string();
    // Rules that say nothing are refused.
    let Ok(Config {
        destinations: Some(merged),
        ..
    }) = Config::parse(options.as_bytes())
    else {
        return Ok(());
    };
    let lists = |rules: &[Rule], destination| rules.iter().any(|rule| rule.lists(destination));
    while !input.is_empty() {
        let ip = match near(input, &allow, &deny)? {
            Some(ip) => ip,
            None => ip(input)?,
        };
        let destination = SocketAddr::new(ip, port(input)?);
        let expected =
            !lists(&deny, destination) && (allow.is_empty() || lists(&allow, destination));
        assert_eq!(
            merged.allow(destination),
            expected,
            "{destination} by {options}"
        );
        let denial = merged.denial(destination).map(|denial| denial.to_string());
        let is_named = match denial.as_deref() {
            None => expected,
            Some("no allow entry matches") => !lists(&deny, destination),
            Some(name) => deny.iter().enumerate().any(|(index, rule)| {
                name == format!("deny[{index}] {}", rule.part.name()) && rule.lists(destination)
            }),
        };
        assert!(
            is_named,
            "{destination} is denied by {denial:?} of {options}"
        );
    }
    Ok(())
}

/// The first or the last address of a rule, if the input wants one.
fn near(input: &mut Unstructured, allow: &[Rule], deny: &[Rule]) -> Result<Option<IpAddr>> {
    let number: u8 = input.arbitrary()?;
    let rules = allow.iter().chain(deny);
    let mut parts = rules.flat_map(|rule| rule.except.iter().chain([&rule.part]));
    Ok(parts
        .nth(usize::from(number / 2))
        .map(|part| match number % 2 {
            0 => part.net.network(),
            _ => part.net.broadcast(),
        }))
}

impl Part {
    fn lists(&self, destination: SocketAddr) -> bool {
        let is_listed = |(first, last): &(u16, u16)| (first..=last).contains(&&destination.port());
        let ip = destination.ip().to_canonical();
        // Linux connects to the loopback address instead.
        let place = match ip {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        (self.net.contains(&ip) || self.net.contains(&place))
            && (self.ports.is_empty() || self.ports.iter().any(is_listed))
    }

    fn name(&self) -> String {
        match self.net.prefix_len() == self.net.max_prefix_len() {
            true => self.net.addr().to_string(),
            false => self.net.to_string(),
        }
    }

    fn json(&self) -> Value {
        let ports = self
            .ports
            .iter()
            .map(|(first, last)| format!("{first}-{last}"));
        let mut json = json!({ "cidr": self.net.to_string() });
        if !self.ports.is_empty() {
            json["ports"] = ports.collect();
        }
        json
    }
}

impl Rule {
    fn lists(&self, destination: SocketAddr) -> bool {
        self.part.lists(destination) && !self.except.iter().any(|part| part.lists(destination))
    }

    fn json(&self) -> Value {
        let mut json = self.part.json();
        if !self.except.is_empty() {
            json["except"] = self.except.iter().map(Part::json).collect();
        }
        json
    }
}

fn rules(input: &mut Unstructured) -> Result<Vec<Rule>> {
    (0..input.int_in_range(0..=8)?)
        .map(|_| rule(input))
        .collect()
}

fn rule(input: &mut Unstructured) -> Result<Rule> {
    let whole = ip(input)?.to_canonical();
    let part = part(input, whole, 0)?;
    let except = (0..input.int_in_range(0..=3)?)
        .map(|_| {
            // The first bits are the rule's: most lie in it.
            let last: u16 = input.arbitrary()?;
            let inside = match part.net.network() {
                IpAddr::V4(ip) => IpAddr::from(Ipv4Addr::from_bits(ip.to_bits() | u32::from(last))),
                IpAddr::V6(ip) => {
                    IpAddr::from(Ipv6Addr::from_bits(ip.to_bits() | u128::from(last)))
                }
            };
            self::part(input, inside, part.net.prefix_len())
        })
        .collect::<Result<_>>()?;
    Ok(Rule { part, except })
}

/// Addresses around this one, as few as a prefix of this length has or fewer, and ports.
fn part(input: &mut Unstructured, ip: IpAddr, shortest: u8) -> Result<Part> {
    let longest = if ip.is_ipv4() { 32 } else { 128 };
    let prefix_len = input.int_in_range(shortest..=longest)?;
    let ports = (0..input.int_in_range(0..=3)?)
        .map(|_| {
            let (one, other) = (port(input)?.max(1), port(input)?.max(1));
            Ok((one.min(other), one.max(other)))
        })
        .collect::<Result<_>>()?;
    let net = IpNet::new(ip, prefix_len)
        .expect("a prefix that is not too long")
        .trunc();
    Ok(Part { net, ports })
}

/// Few bits are free, so that rules lie in each other and addresses in rules.
fn ip(input: &mut Unstructured) -> Result<IpAddr> {
    let [kind, first, last]: [u8; 3] = input.arbitrary()?;
    Ok(match kind % 5 {
        0 => IpAddr::from([first, 0, 0, last]),
        4 => IpAddr::from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]),
        1 => IpAddr::from([0xfd, first, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]),
        2 => IpAddr::from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, first, 0, 0, last]),
        _ => IpAddr::from(input.arbitrary::<[u8; 16]>()?),
    })
}

fn port(input: &mut Unstructured) -> Result<u16> {
    let [kind, small]: [u8; 2] = input.arbitrary()?;
    Ok(match kind % 4 {
        0 => u16::from(small % 16),
        1 => u16::MAX - u16::from(small % 16),
        _ => input.arbitrary()?,
    })
}
