//! iptables rules that send connections to a listener.
//!
//! Without a rule that looks at connections, the kernel does not track them in a namespace, and
//! `SO_ORIGINAL_DST` has no answer there.

use std::net::{IpAddr, SocketAddr};

use crate::envoy::ENVOY_GID;
use crate::netns::Netns;

/// Which TCP connections a rule catches, by their destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// Every address but the host's own.
    OtherHosts,
    /// This port of any address.
    Port(u16),
    /// Anything.
    Any,
}

impl To {
    fn matches(self) -> String {
        match self {
            To::OtherHosts => "-p tcp -m addrtype ! --dst-type LOCAL".to_owned(),
            To::Port(port) => format!("-p tcp --dport {port}"),
            To::Any => "-p tcp".to_owned(),
        }
    }

    /// Of the connections of local processes, all but Envoy's own: those would come back to it.
    fn matches_of_others(self) -> String {
        format!("{} -m owner ! --gid-owner {ENVOY_GID}", self.matches())
    }
}

/// The recipes hold for IPv4 and IPv6 where nothing else is said, and those on incoming
/// connections for what arrives at `eth0`, in the gateway the side of the client.
impl Netns {
    /// Runs `iptables` with these arguments.
    pub fn iptables(&self, arguments: &str) {
        self.sh(&format!("iptables -w {arguments}"));
    }

    /// Runs `ip6tables` with these arguments.
    pub fn ip6tables(&self, arguments: &str) {
        self.sh(&format!("ip6tables -w {arguments}"));
    }

    /// Runs both with these arguments.
    pub fn ip46tables(&self, arguments: &str) {
        self.sh(&format!(
            "iptables -w {arguments}\nip6tables -w {arguments}"
        ));
    }

    /// Redirects incoming connections to a local port.
    pub fn redirect(&self, to: To, port: u16) {
        let matches = to.matches();
        self.ip46tables(&format!(
            "-t nat -A PREROUTING -i eth0 {matches} -j REDIRECT --to-ports {port}"
        ));
    }

    /// Redirects the connections of local processes to a local port, Envoy's own excepted.
    pub fn redirect_output(&self, to: To, port: u16) {
        let matches = to.matches_of_others();
        self.ip46tables(&format!(
            "-t nat -A OUTPUT {matches} -j REDIRECT --to-ports {port}"
        ));
    }

    /// Translates the destination of incoming connections of the listener's family.
    pub fn dnat(&self, to: To, listener: SocketAddr) {
        let matches = to.matches();
        let rule = format!("-t nat -A PREROUTING -i eth0 {matches} -j DNAT --to {listener}");
        self.family(listener.ip(), &rule);
    }

    /// As [`Netns::dnat`], for the connections of local processes, Envoy's own excepted.
    pub fn dnat_output(&self, to: To, listener: SocketAddr) {
        let matches = to.matches_of_others();
        let rule = format!("-t nat -A OUTPUT {matches} -j DNAT --to {listener}");
        self.family(listener.ip(), &rule);
    }

    /// Hands incoming connections to a transparent listener on this port, their addresses
    /// unchanged.
    pub fn tproxy(&self, to: To, port: u16) {
        let matches = to.matches();
        self.ip46tables(&format!(
            "-t mangle -A PREROUTING -i eth0 {matches} \
             -j TPROXY --on-port {port} --tproxy-mark {MARK}"
        ));
        self.deliver_marked(MARK, "eth0");
    }

    /// As [`Netns::tproxy`], for the connections of local processes, Envoy's own excepted: they are
    /// marked as they leave, and so routed to this host, where they come in by `lo`.
    pub fn tproxy_output(&self, to: To, port: u16) {
        let (matches, of_others) = (to.matches(), to.matches_of_others());
        self.ip46tables(&format!(
            "-t mangle -A OUTPUT {of_others} -j MARK --set-mark {MARK}"
        ));
        self.ip46tables(&format!(
            "-t mangle -A PREROUTING -i lo {matches} -m mark --mark {MARK} \
             -j TPROXY --on-port {port} --tproxy-mark {MARK}"
        ));
        self.deliver_marked(MARK, "lo");
    }

    /// As [`Netns::tproxy`], to a listener bound to one address, for connections of its family.
    pub fn tproxy_on_ip(&self, to: To, listener: SocketAddr) {
        let (matches, ip, port) = (to.matches(), listener.ip(), listener.port());
        let rule = format!(
            "-t mangle -A PREROUTING -i eth0 {matches} \
             -j TPROXY --on-ip {ip} --on-port {port} --tproxy-mark {MARK}"
        );
        self.family(ip, &rule);
        self.deliver_marked(MARK, "eth0");
    }

    /// Tracks no TCP connection. Rules of the nat table then see none either.
    pub fn notrack(&self) {
        for chain in ["PREROUTING", "OUTPUT"] {
            self.ip46tables(&format!("-t raw -A {chain} -p tcp -j CT --notrack"));
        }
    }

    /// Tracks no TCP connection to this port, as [`Netns::notrack`].
    pub fn notrack_port(&self, port: u16) {
        for chain in ["PREROUTING", "OUTPUT"] {
            for way in ["--dport", "--sport"] {
                self.ip46tables(&format!(
                    "-t raw -A {chain} -p tcp {way} {port} -j CT --notrack"
                ));
            }
        }
    }

    /// Tracks connections although nothing redirects them: `SO_ORIGINAL_DST` then answers a
    /// direct connection with the address it arrived at.
    pub fn track(&self) {
        self.ip46tables("-A INPUT -m conntrack --ctstate NEW -j ACCEPT");
    }

    /// Removes all rules of every table, and the routing of [`Netns::tproxy`]. Connections that
    /// are open keep what was decided for them.
    pub fn flush(&self) {
        self.sh(&format!(
            "for restore in iptables-restore ip6tables-restore; do
               printf '*%s\\nCOMMIT\\n' raw mangle nat filter | $restore -w
             done
             for family in -4 -6; do
               ip $family route flush table {TABLE} 2>/dev/null || true
               while ip $family rule del lookup {TABLE} 2>/dev/null; do :; done
             done"
        ));
    }

    /// Routes what carries a mark to this host, whatever its destination, if it comes from this
    /// interface; `lo` stands for local processes. With `tcp_fwmark_accept`, the answers to marked
    /// connections are marked as well: those must find their way out.
    pub fn deliver_marked(&self, mark: &str, from: &str) {
        let rule = format!("iif {from} fwmark {mark} lookup {TABLE}");
        self.sh(&format!(
            "for family in -4 -6; do
               ip $family rule del {rule} 2>/dev/null || true
               ip $family rule add {rule}
               ip $family route replace local default dev lo table {TABLE}
             done"
        ));
    }

    fn family(&self, ip: IpAddr, rule: &str) {
        match ip {
            IpAddr::V4(_) => self.iptables(rule),
            IpAddr::V6(_) => self.ip6tables(rule),
        }
    }
}

const MARK: &str = "0x1/0x1";
const TABLE: u32 = 100;
