# Open Service Mesh: Envoy's user is exempt, and so are the ports of its own health probes. All else
# that comes in is redirected.
iptables -t nat -N MESH_OUTBOUND
iptables -t nat -A MESH_OUTBOUND -m owner --uid-owner 1500 -j RETURN
iptables -t nat -A MESH_OUTBOUND -d 127.0.0.1/32 -j RETURN
iptables -t nat -A MESH_OUTBOUND -p tcp -j REDIRECT --to-ports 15001
iptables -t nat -A OUTPUT -p tcp -j MESH_OUTBOUND
iptables -t nat -N MESH_INBOUND
iptables -t nat -A MESH_INBOUND -p tcp -m multiport --dports 15010,15901,15902,15903 -j RETURN
iptables -t nat -A MESH_INBOUND -p tcp -j REDIRECT --to-ports 15003
iptables -t nat -A PREROUTING -p tcp -j MESH_INBOUND
