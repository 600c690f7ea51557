# Consul: Envoy's user is exempt. What comes in goes to the public listener, which peers dial on purpose
# as well; behind it is the application, whatever the destination was.
iptables -t nat -N MESH_OUTBOUND
iptables -t nat -A MESH_OUTBOUND -m owner --uid-owner 123 -j RETURN
iptables -t nat -A MESH_OUTBOUND -d 127.0.0.1/32 -j RETURN
iptables -t nat -A MESH_OUTBOUND -p tcp -j REDIRECT --to-ports 15001
iptables -t nat -A OUTPUT -p tcp -j MESH_OUTBOUND
iptables -t nat -A PREROUTING -p tcp -j REDIRECT --to-ports 20000
