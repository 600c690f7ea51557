# Istio, REDIRECT. Envoy is the user 1337, and connects to the application from an address that tells
# those connections apart from what it sends elsewhere. What it sends to the pod's own address comes
# in again as another pod's would.
redirect() {
  iptables=$1 loopback=$2 from=$3
  $iptables -t nat -N MESH_INBOUND
  $iptables -t nat -A MESH_INBOUND -p tcp --dport 15008 -j RETURN
  $iptables -t nat -A MESH_INBOUND -p tcp -j REDIRECT --to-ports 15006
  $iptables -t nat -A PREROUTING -p tcp -j MESH_INBOUND

  $iptables -t nat -N MESH_OUTBOUND
  $iptables -t nat -A MESH_OUTBOUND -o lo -s $from -j RETURN
  $iptables -t nat -A MESH_OUTBOUND -o lo ! -d $loopback -p tcp ! --dport 15008 \
    -m owner --uid-owner 1337 -j REDIRECT --to-ports 15006
  $iptables -t nat -A MESH_OUTBOUND -o lo -m owner ! --uid-owner 1337 -j RETURN
  $iptables -t nat -A MESH_OUTBOUND -m owner --uid-owner 1337 -j RETURN
  $iptables -t nat -A MESH_OUTBOUND -d $loopback -j RETURN
  $iptables -t nat -A MESH_OUTBOUND -p tcp -j REDIRECT --to-ports 15001
  $iptables -t nat -A OUTPUT -p tcp -j MESH_OUTBOUND
}
ip -6 addr add ::6/128 dev lo nodad
redirect iptables 127.0.0.1/32 127.0.0.6/32
redirect ip6tables ::1/128 ::6/128
