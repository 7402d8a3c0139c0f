/* Addresses as the kernel wants them. */
#pragma once

#include <sys/socket.h>

#include "net/listener.h"

/* 0 or -EINVAL. */
int address_to_kernel(const struct address *a, struct sockaddr_storage *out, socklen_t *size) MUST_USE;
void address_from_kernel(struct address *out, const struct sockaddr_storage *in);
void address_text(const struct sockaddr_storage *from, char *out, size_t size); /* "127.0.0.1:45678"; "local" for AF_UNIX */
/* The same of the other end. 0, or -ENOTCONN, -ENOTSOCK, -EBADF. */
int address_of_peer(int fd, char *out, size_t size) MUST_USE;

enum { ADDRESS_TEXT = 80 };
