# A node: what it forwards for the hosts behind eth0 is redirected. The one endpoint of a service is
# the redirect port of this host itself, as of a pod with hostNetwork; the rules for services lead all
# there that asks for the service's address, Envoy's own connections among them.
redirect() {
  iptables=$1 service=$2 endpoint=$3
  $iptables -t nat -N SERVICES
  $iptables -t nat -A SERVICES -p tcp -d $service --dport 8080 -j DNAT --to-destination $endpoint
  $iptables -t nat -A PREROUTING -j SERVICES
  $iptables -t nat -A OUTPUT -j SERVICES
  $iptables -t nat -A PREROUTING -i eth0 -p tcp -m addrtype ! --dst-type LOCAL \
    -j REDIRECT --to-ports 15001
}
redirect iptables 192.0.2.10 10.1.0.1:15001
redirect ip6tables 2001:db8:96::10 '[fd01::1]:15001'
