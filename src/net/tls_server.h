/* TLS for a stream that was accepted just now: the server's end, with one certificate for all. Loop thread; counted as every stream. */
#pragma once

#include "net/stream.h"

struct tls_server;

/* PEM files. 0, -ENOENT (a file cannot be read), -EKEYREJECTED (no certificate or key in it, or they do not belong together), -ENOMEM. */
int tls_server_new(struct tls_server **out, const char *cert_file, const char *key_file) MUST_USE;
/* Streams that were made live on. NULL passes. */
void tls_server_free(struct tls_server *t);
/* The same connection without its cover; plain's reference is the new stream's from here, also on error. A client that does not speak TLS ends it
 * with -EPROTO. How long the handshake may take is the caller's affair. 0 or -ENOMEM. */
int tls_server_accept(struct stream **out, struct tls_server *t, struct stream *plain, const struct stream_options *opt) MUST_USE;
