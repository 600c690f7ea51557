# Cilium, on the node: what policy sends to the proxy is marked, here by its port, and TPROXY hands it
# to a listener on loopback, whose port is marked too. What belongs to a transparent socket is delivered.
redirect() {
  iptables=$1 loopback=$2
  $iptables -t raw -A PREROUTING -i eth0 -p tcp -m multiport --dports 8080,10000 \
    -j MARK --set-mark 0x200
  $iptables -t mangle -A PREROUTING -m socket --transparent -j MARK --set-mark 0x200
  $iptables -t mangle -A PREROUTING -p tcp -m mark --mark 0x200 \
    -j TPROXY --on-ip $loopback --on-port 10000 --tproxy-mark 0x200
}
redirect iptables 127.0.0.1
redirect ip6tables ::1
for family in 4 6; do
  ip -$family rule add fwmark 0x200/0xf00 lookup 2004 pref 10
  ip -$family route add local default dev lo table 2004
done
