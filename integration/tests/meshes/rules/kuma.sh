# Kuma: as Istio's REDIRECT, but Envoy's own exception stands before that of the others on `lo`, and
# its user is 5678.
redirect() {
  iptables=$1 loopback=$2 from=$3
  $iptables -t nat -A PREROUTING -p tcp -j REDIRECT --to-ports 15006

  $iptables -t nat -N MESH_OUTBOUND
  $iptables -t nat -A MESH_OUTBOUND -s $from -o lo -j RETURN
  $iptables -t nat -A MESH_OUTBOUND ! -d $loopback -o lo -p tcp \
    -m owner --uid-owner 5678 -j REDIRECT --to-ports 15006
  $iptables -t nat -A MESH_OUTBOUND -o lo -p tcp -m owner ! --uid-owner 5678 -j RETURN
  $iptables -t nat -A MESH_OUTBOUND -m owner --uid-owner 5678 -j RETURN
  $iptables -t nat -A MESH_OUTBOUND -d $loopback -j RETURN
  $iptables -t nat -A MESH_OUTBOUND -p tcp -j REDIRECT --to-ports 15001
  $iptables -t nat -A OUTPUT -p tcp -j MESH_OUTBOUND
}
ip -6 addr add ::6/128 dev lo nodad
redirect iptables 127.0.0.1/32 127.0.0.6/32
redirect ip6tables ::1/128 ::6/128
