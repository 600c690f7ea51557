/*
 * What redirectors by BPF do in the place of netfilter: connections of one control group go to Envoy,
 * and for the sockets of Envoy's group SO_ORIGINAL_DST is answered with where they were going. How it
 * is answered depends on the port that was asked for.
 */
#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define SOL_IP 0
#define SOL_IPV6 41
/* SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST. */
#define ORIGINAL_DST 80
#define LISTENER 15001

const char terms[] SEC("license") = "GPL";

/* Where a connection was going; the port and the address as on the wire. */
struct destination {
  __u32 family;
  __u32 port;
  __u32 ip[4];
};

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1024);
  __type(key, __u64);
  __type(value, struct destination);
} by_cookie SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1024);
  __type(key, __u32);
  __type(value, struct destination);
} by_client_port SEC(".maps");

static int is_ours(__u32 port) {
  port = bpf_ntohs((__u16)port);
  return port >= 8080 && port < 8100;
}

SEC("cgroup/connect4")
int connect4(struct bpf_sock_addr *connection) {
  struct destination to = {.family = AF_INET, .port = connection->user_port};
  to.ip[0] = connection->user_ip4;
  if (!is_ours(to.port))
    return 1;
  __u64 cookie = bpf_get_socket_cookie(connection);
  bpf_map_update_elem(&by_cookie, &cookie, &to, BPF_ANY);
  connection->user_ip4 = bpf_htonl(0x7f000001);
  connection->user_port = bpf_htons(LISTENER);
  return 1;
}

SEC("cgroup/connect6")
int connect6(struct bpf_sock_addr *connection) {
  struct destination to = {.family = AF_INET6, .port = connection->user_port};
  to.ip[0] = connection->user_ip6[0];
  to.ip[1] = connection->user_ip6[1];
  to.ip[2] = connection->user_ip6[2];
  to.ip[3] = connection->user_ip6[3];
  if (!is_ours(to.port))
    return 1;
  __u64 cookie = bpf_get_socket_cookie(connection);
  bpf_map_update_elem(&by_cookie, &cookie, &to, BPF_ANY);
  connection->user_ip6[0] = 0;
  connection->user_ip6[1] = 0;
  connection->user_ip6[2] = 0;
  connection->user_ip6[3] = bpf_htonl(1);
  connection->user_port = bpf_htons(LISTENER);
  return 1;
}

/* The client's port is known once the connection is under way. */
SEC("sockops")
int connecting(struct bpf_sock_ops *socket) {
  if (socket->op != BPF_SOCK_OPS_TCP_CONNECT_CB)
    return 1;
  __u64 cookie = bpf_get_socket_cookie(socket);
  struct destination *to = bpf_map_lookup_elem(&by_cookie, &cookie);
  if (!to)
    return 1;
  __u32 port = socket->local_port;
  bpf_map_update_elem(&by_client_port, &port, to, BPF_ANY);
  return 1;
}

SEC("cgroup/getsockopt")
int answer(struct bpf_sockopt *question) {
  if (question->optname != ORIGINAL_DST ||
      (question->level != SOL_IP && question->level != SOL_IPV6) || !question->sk)
    return 1;
  __u32 port = bpf_ntohs(question->sk->dst_port);
  struct destination *to = bpf_map_lookup_elem(&by_client_port, &port);
  struct sockaddr_in6 *v6 = question->optval;
  if (!to || (void *)(v6 + 1) > question->optval_end)
    return 1;

  __u32 asked = bpf_ntohs((__u16)to->port);
  int length = sizeof *v6;
  __builtin_memset(v6, 0, sizeof *v6);
  v6->sin6_port = (__be16)to->port;
  if (to->family == AF_INET6) {
    v6->sin6_family = AF_INET6;
    v6->sin6_addr.in6_u.u6_addr32[0] = to->ip[0];
    v6->sin6_addr.in6_u.u6_addr32[1] = to->ip[1];
    v6->sin6_addr.in6_u.u6_addr32[2] = to->ip[2];
    v6->sin6_addr.in6_u.u6_addr32[3] = to->ip[3];
  } else if (asked == 8081) {
    /* In the form of an IPv6 address. */
    v6->sin6_family = AF_INET6;
    v6->sin6_addr.in6_u.u6_addr32[2] = bpf_htonl(0xffff);
    v6->sin6_addr.in6_u.u6_addr32[3] = to->ip[0];
  } else {
    struct sockaddr_in *v4 = (void *)v6;
    v4->sin_family = AF_INET;
    v4->sin_addr.s_addr = to->ip[0];
    /* 8082: the length of the room, as netfilter leaves it. */
    if (asked != 8082)
      length = sizeof *v4;
  }
  /* From here on what no program should answer: no such length, no such family. */
  if (asked == 8083)
    length = 4;
  if (asked == 8084)
    length = 15;
  if (asked == 8085)
    length = 17;
  if (asked == 8086)
    length = 27;
  /* None at all would leave the kernel's own answer. */
  if (asked == 8087)
    length = 1;
  if (asked == 8088)
    v6->sin6_family = AF_UNIX;
  question->optlen = length;
  question->retval = 0;
  return 1;
}
