/* Our way to a WebSocket channel of Asterisk that waits for us (connection_type server): opens /media/ID of its HTTP server and ends when
 * the handshake is over, with a descriptor that any loop may take. Seen on 22.10.1: no password is asked for, the ID is the credential;
 * 404 for an ID that is not known or is over. Plain ws:// only. Loop thread. */
#pragma once

#include "net/dialer.h"

struct media_connect;

/* Runs once. fd >= 0 is the handler's: connected, its handshake over, nothing behind that read; else the error and a sentence (borrowed). */
typedef void media_connect_on_done(int fd_or_err, const char *detail, void *arg);

/* base_url: Asterisk's own, "http://127.0.0.1:8088" and perhaps a prefix. 0, -EOPNOTSUPP (https), -EINVAL (base_url, id), -ENOMEM. */
int media_connect_open(struct media_connect **out, struct loop *l, struct dialer *d, const char *base_url, const char *id,
                       int64_t wait_ms, media_connect_on_done *on_done, void *arg) MUST_USE;
void media_connect_cancel(struct media_connect *m); /* before on_done only; NULL passes */
