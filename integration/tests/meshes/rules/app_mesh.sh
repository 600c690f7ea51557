# AWS App Mesh: the ports of the application are redirected for other hosts, and what goes to other
# hosts, but for SSH and the services of the cloud. Envoy's user is exempt.
iptables -t nat -N MESH_OUTBOUND
iptables -t nat -A MESH_OUTBOUND -m owner --uid-owner 1337 -j RETURN
iptables -t nat -A MESH_OUTBOUND -p tcp -m multiport --dports 22 -j RETURN
iptables -t nat -A MESH_OUTBOUND -p tcp -d 169.254.169.254,169.254.170.2 -j RETURN
iptables -t nat -A MESH_OUTBOUND -p tcp -j REDIRECT --to-ports 15001
iptables -t nat -A OUTPUT -p tcp -m addrtype ! --dst-type LOCAL -j MESH_OUTBOUND
iptables -t nat -A PREROUTING -p tcp -m addrtype ! --src-type LOCAL \
  -m multiport --dports 8080,4000 -j REDIRECT --to-ports 15000
