/*
 * steer PID FD FIRST LAST: connections to the ports FIRST to LAST of this network namespace go to the
 * listening socket FD of the process PID. Goes on in the background once they do; they no longer do
 * when it ends.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "steer.skel.h"

static int fail(const char *what) {
  perror(what);
  return 1;
}

int main(int argc, char **argv) {
  if (argc != 5) {
    fprintf(stderr, "usage: %s PID FD FIRST LAST\n", argv[0]);
    return 2;
  }
  int process = (int)syscall(SYS_pidfd_open, atoi(argv[1]), 0);
  if (process < 0)
    return fail("pidfd_open");
  int socket = (int)syscall(SYS_pidfd_getfd, process, atoi(argv[2]), 0);
  if (socket < 0)
    return fail("pidfd_getfd");

  struct steer_bpf *bpf = steer_bpf__open();
  if (!bpf)
    return fail("open the program");
  bpf->rodata->first_port = (__u32)atoi(argv[3]);
  bpf->rodata->last_port = (__u32)atoi(argv[4]);
  if (steer_bpf__load(bpf))
    return fail("load the program");
  const __u32 only = 0;
  const __u64 value = (__u64)socket;
  if (bpf_map__update_elem(bpf->maps.listener, &only, sizeof only, &value, sizeof value, BPF_ANY))
    return fail("take the socket");
  /* The map keeps the socket as long as it listens: held here, it would listen for ever. */
  close(socket);

  int namespace = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  if (namespace < 0 || !bpf_program__attach_netns(bpf->progs.steer, namespace))
    return fail("attach the program");
  if (daemon(0, 0))
    return fail("go to the background");
  for (;;)
    pause();
}
