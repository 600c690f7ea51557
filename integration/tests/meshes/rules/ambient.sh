# Istio ambient, inside the pod: no owner is exempt, but the mark that the proxy gives its own
# connections. The answers to connections that were marked as they came in are marked as well.
redirect() {
  iptables=$1 loopback=$2
  $iptables -t mangle -A PREROUTING -m mark --mark 0x539/0xfff \
    -j CONNMARK --set-xmark 0x111/0xfff
  $iptables -t mangle -A OUTPUT -m connmark --mark 0x111/0xfff -j CONNMARK --restore-mark

  $iptables -t nat -A PREROUTING ! -d $loopback -p tcp ! --dport 15008 \
    -m mark ! --mark 0x539/0xfff -j REDIRECT --to-ports 15006

  $iptables -t nat -N MESH_OUTBOUND
  $iptables -t nat -A MESH_OUTBOUND -m mark --mark 0x111/0xfff -j ACCEPT
  $iptables -t nat -A MESH_OUTBOUND ! -d $loopback -o lo -j ACCEPT
  $iptables -t nat -A MESH_OUTBOUND ! -d $loopback -p tcp -m mark ! --mark 0x539/0xfff \
    -j REDIRECT --to-ports 15001
  $iptables -t nat -A OUTPUT -p tcp -j MESH_OUTBOUND
}
redirect iptables 127.0.0.1/32
redirect ip6tables ::1/128
