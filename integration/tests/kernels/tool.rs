//! The programs that write the rules. Nothing but its own program is run for each, so that the rules
//! of one stand for a host without the others.

use std::env;
use std::process::Command;

use lab::Netns;

/// The mark that rules set on what they redirect.
pub const MARK: &str = "0x1/0x1";

/// A program that writes rules, for IPv4 and IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// nft, with rules of its own.
    Nft,
    /// iptables, which has the same part of the kernel do it.
    IptablesNft,
    /// iptables, with the older part.
    IptablesLegacy,
}

impl Tool {
    /// Those that the host is to have: all, or nft alone if `NFT_ONLY` is in the environment.
    ///
    /// # Panics
    /// If it has a program that it is not to have.
    pub fn all() -> &'static [Self] {
        if env::var_os("NFT_ONLY").is_none() {
            return &[Self::Nft, Self::IptablesNft, Self::IptablesLegacy];
        }
        for program in [
            "iptables",
            "iptables-nft",
            "iptables-legacy",
            "xtables-nft-multi",
        ] {
            let found = Command::new(program).output();
            assert!(found.is_err(), "there is {program} here, not nft only");
        }
        &[Self::Nft]
    }

    /// REDIRECT, with a mark, of what comes in by `eth0` for a port.
    pub fn redirect(self, host: &Netns, asked: u16, listener: u16) {
        match self.programs() {
            None => nft(
                host,
                &format!(
                    "add chain inet lab marks {{ type filter hook prerouting priority mangle; }}
                     add rule inet lab marks iifname eth0 tcp dport {asked} meta mark set 0x1
                     add chain inet lab redirects {{ type nat hook prerouting priority dstnat; }}
                     add rule inet lab redirects iifname eth0 tcp dport {asked} redirect to :{listener}"
                ),
            ),
            Some(programs) => {
                let asked = format!("PREROUTING -i eth0 -p tcp --dport {asked}");
                let mark = format!("-t mangle -A {asked} -j MARK --set-mark {MARK}");
                let redirect = format!("-t nat -A {asked} -j REDIRECT --to-ports {listener}");
                run(host, programs, &[mark, redirect]);
            }
        }
    }

    /// REDIRECT of what local processes send to a port, Envoy among them.
    pub fn redirect_output(self, host: &Netns, asked: u16, listener: u16) {
        match self.programs() {
            None => nft(
                host,
                &format!(
                    "add chain inet lab local {{ type nat hook output priority -100; }}
                     add rule inet lab local tcp dport {asked} redirect to :{listener}"
                ),
            ),
            Some(programs) => {
                let rule = format!(
                    "-t nat -A OUTPUT -p tcp --dport {asked} -j REDIRECT --to-ports {listener}"
                );
                run(host, programs, &[rule]);
            }
        }
    }

    /// TPROXY, with a mark, of what comes in by `eth0` for a port.
    pub fn tproxy(self, host: &Netns, asked: u16, listener: u16) {
        match self.programs() {
            None => nft(
                host,
                &format!(
                    "add chain inet lab hand {{ type filter hook prerouting priority mangle; }}
                     add rule inet lab hand iifname eth0 tcp dport {asked} \
                         tproxy to :{listener} meta mark set 0x1 accept"
                ),
            ),
            Some(programs) => {
                let rule = format!(
                    "-t mangle -A PREROUTING -i eth0 -p tcp --dport {asked} \
                     -j TPROXY --on-port {listener} --tproxy-mark {MARK}"
                );
                run(host, programs, &[rule]);
            }
        }
        host.deliver_marked(MARK, "eth0");
    }

    /// Removes its rules, which are in these tables of iptables. To look into the nat table is to have
    /// the kernel track connections.
    pub fn flush(self, host: &Netns, tables: &[&str]) {
        let Some(programs) = self.programs() else {
            return nft(host, "delete table inet lab");
        };
        for program in programs {
            for table in tables {
                host.sh(&format!("{program} -w -t {table} -F"));
            }
        }
    }

    fn programs(self) -> Option<[&'static str; 2]> {
        match self {
            Self::Nft => None,
            Self::IptablesNft => Some(["iptables-nft", "ip6tables-nft"]),
            Self::IptablesLegacy => Some(["iptables-legacy", "ip6tables-legacy"]),
        }
    }
}

fn nft(host: &Netns, commands: &str) {
    host.sh(&format!(
        "nft -f - <<END\nadd table inet lab\n{commands}\nEND"
    ));
}

fn run(host: &Netns, programs: [&str; 2], rules: &[String]) {
    for rule in rules {
        for program in programs {
            host.sh(&format!("{program} -w {rule}"));
        }
    }
}
