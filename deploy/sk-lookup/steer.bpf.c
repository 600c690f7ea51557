/* Steers TCP connections to a range of ports, at any address of this host, to one listening socket. */
#include <linux/bpf.h>
#include <linux/in.h>
#include <bpf/bpf_helpers.h>

const char terms[] SEC("license") = "Apache-2.0";

/* The range, set before the program is loaded. */
const volatile __u32 first_port;
const volatile __u32 last_port;

/* The socket. The kernel takes it out once it is closed. */
struct {
  __uint(type, BPF_MAP_TYPE_SOCKMAP);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u64);
} listener SEC(".maps");

SEC("sk_lookup")
int steer(struct bpf_sk_lookup *connection) {
  const __u32 only = 0;
  if (connection->protocol != IPPROTO_TCP || connection->local_port < first_port ||
      connection->local_port > last_port)
    return SK_PASS;
  struct bpf_sock *socket = bpf_map_lookup_elem(&listener, &only);
  if (!socket)
    return SK_PASS;
  /* Where the socket does not take the address family, the usual lookup goes on. */
  bpf_sk_assign(connection, socket, 0);
  bpf_sk_release(socket);
  return SK_PASS;
}
