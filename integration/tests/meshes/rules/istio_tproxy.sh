# Istio, TPROXY for what comes in, REDIRECT for what goes out. Envoy is root, of the group 1337. Its
# connections to the pod's own address come in again by TPROXY, marked 1338 on their way out; those of
# a proxy that is the user 1337 would by REDIRECT, at the same transparent listener.
redirect() {
  iptables=$1 loopback=$2 from=$3
  $iptables -t mangle -N MESH_DIVERT
  $iptables -t mangle -A MESH_DIVERT -j MARK --set-mark 1337
  $iptables -t mangle -A MESH_DIVERT -j ACCEPT

  $iptables -t mangle -N MESH_INBOUND
  $iptables -t mangle -A MESH_INBOUND -p tcp -m mark --mark 1337 -j RETURN
  $iptables -t mangle -A MESH_INBOUND -p tcp -s $from -i lo -j RETURN
  $iptables -t mangle -A MESH_INBOUND -p tcp -i lo -m mark ! --mark 1338 -j RETURN
  $iptables -t mangle -A MESH_INBOUND -p tcp -m conntrack --ctstate RELATED,ESTABLISHED \
    -j MESH_DIVERT
  $iptables -t mangle -A MESH_INBOUND ! -d $loopback -p tcp \
    -j TPROXY --on-port 15006 --tproxy-mark 1337
  $iptables -t mangle -A PREROUTING -p tcp -j MESH_INBOUND
  $iptables -t mangle -A PREROUTING -p tcp -m mark --mark 1337 -j CONNMARK --save-mark

  $iptables -t mangle -A OUTPUT -p tcp -o lo -m mark --mark 1337 -j RETURN
  $iptables -t mangle -A OUTPUT ! -d $loopback -p tcp -o lo -m owner --gid-owner 1337 \
    -j MARK --set-mark 1338
  $iptables -t mangle -A OUTPUT -p tcp -m connmark --mark 1337 -j CONNMARK --restore-mark

  $iptables -t nat -N MESH_OUTBOUND
  $iptables -t nat -A MESH_OUTBOUND -o lo -s $from -j RETURN
  for owner in uid-owner gid-owner; do
    $iptables -t nat -A MESH_OUTBOUND -o lo ! -d $loopback -p tcp \
      -m owner --$owner 1337 -j REDIRECT --to-ports 15006
    $iptables -t nat -A MESH_OUTBOUND -o lo -m owner ! --$owner 1337 -j RETURN
    $iptables -t nat -A MESH_OUTBOUND -m owner --$owner 1337 -j RETURN
  done
  $iptables -t nat -A MESH_OUTBOUND -d $loopback -j RETURN
  $iptables -t nat -A MESH_OUTBOUND -p tcp -j REDIRECT --to-ports 15001
  $iptables -t nat -A OUTPUT -p tcp -j MESH_OUTBOUND
}
ip -6 addr add ::6/128 dev lo nodad
redirect iptables 127.0.0.1/32 127.0.0.6/32
redirect ip6tables ::1/128 ::6/128
for family in 4 6; do
  ip -$family rule add fwmark 1337 lookup 133
  ip -$family route add local default dev lo table 133
done
