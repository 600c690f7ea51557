//! The rules of `destinations`.

use std::net::{IpAddr, SocketAddr};

use arbitrary::{Result, Unstructured};
use ipnet::IpNet;
use original_dst::config::Config;
use serde_json::{Value, json};

/// A rule, as plain as can be.
struct Rule {
    net: IpNet,
    ports: Vec<(u16, u16)>,
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
    // An empty or a repeated rule is refused.
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
    }
    Ok(())
}

/// The first or the last address of a rule, if the input wants one.
fn near(input: &mut Unstructured, allow: &[Rule], deny: &[Rule]) -> Result<Option<IpAddr>> {
    let number: u8 = input.arbitrary()?;
    let rule = allow.iter().chain(deny).nth(usize::from(number / 2));
    Ok(rule.map(|rule| match number % 2 {
        0 => rule.net.network(),
        _ => rule.net.broadcast(),
    }))
}

impl Rule {
    fn lists(&self, destination: SocketAddr) -> bool {
        let is_listed = |(first, last): &(u16, u16)| (first..=last).contains(&&destination.port());
        self.net.contains(&destination.ip().to_canonical())
            && (self.ports.is_empty() || self.ports.iter().any(is_listed))
    }

    fn json(&self) -> Value {
        if self.ports.is_empty() {
            return self.net.to_string().into();
        }
        let ports = self
            .ports
            .iter()
            .map(|(first, last)| format!("{first}-{last}"));
        json!({ "cidr": self.net.to_string(), "ports": ports.collect::<Vec<_>>() })
    }
}

fn rules(input: &mut Unstructured) -> Result<Vec<Rule>> {
    (0..input.int_in_range(0..=8)?)
        .map(|_| rule(input))
        .collect()
}

fn rule(input: &mut Unstructured) -> Result<Rule> {
    let ip = ip(input)?.to_canonical();
    let longest = if ip.is_ipv4() { 32 } else { 128 };
    let prefix_len = input.int_in_range(0..=longest)?;
    let ports = (0..input.int_in_range(0..=3)?)
        .map(|_| {
            let (one, other) = (port(input)?.max(1), port(input)?.max(1));
            Ok((one.min(other), one.max(other)))
        })
        .collect::<Result<_>>()?;
    let net = IpNet::new(ip, prefix_len)
        .expect("a prefix that is not too long")
        .trunc();
    Ok(Rule { net, ports })
}

/// Few bits are free, so that rules lie in each other and addresses in rules.
fn ip(input: &mut Unstructured) -> Result<IpAddr> {
    let [kind, first, last]: [u8; 3] = input.arbitrary()?;
    Ok(match kind % 4 {
        0 => IpAddr::from([first, 0, 0, last]),
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
