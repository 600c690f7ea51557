/*
 * Stands in for getsockopt(2) in one Envoy of a test: what the kernel knows of an original
 * destination is altered as the file that $FAULT names says. Without a line there, nothing is.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST. */
#define ORIGINAL_DST 80

int getsockopt(int fd, int level, int option, void *restrict value, socklen_t *restrict length) {
  int result = (int)syscall(SYS_getsockopt, fd, level, option, value, length);
  if (option != ORIGINAL_DST || (level != SOL_IP && level != SOL_IPV6))
    return result;
  char kind[16] = "";
  int number = 0;
  FILE *fault = fopen(getenv("FAULT"), "r");
  if (fault) {
    if (fscanf(fault, "%15s %d", kind, &number) < 2)
      kind[0] = 0;
    fclose(fault);
  }
  if (!strcmp(kind, "errno")) {
    errno = number;
    return -1;
  }
  if (!strcmp(kind, "family"))
    ((struct sockaddr *)value)->sa_family = (sa_family_t)number;
  if (!strcmp(kind, "length"))
    *length = (socklen_t)number;
  if (!strcmp(kind, "fill"))
    memset(value, number, *length);
  return result;
}
