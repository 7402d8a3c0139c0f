/* Plays Asterisk's ARI for tests: records every request, over HTTP and over the WebSocket, answers as the test says, sends events over the
 * WebSocket, which it lets open or opens itself. Loopback; on the test's own loop. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/loop.h"

enum { ARI_SEEN_MAX = 512, ARI_REPLY_MAX = 65536 };

struct ari_seen {
    char method[8], path[400], body[1200];  /* path: after "/ari/" */
    char authorization[100];
    bool over_ws;
};

struct ari_peer;

/* Returns the status and writes the answer's body (empty: none), or 0: no answer, for ever. */
typedef int ari_peer_on_request(const struct ari_seen *seen, char *body, size_t size, void *arg);

void ari_peer_open(struct ari_peer **out, struct loop *l, ari_peer_on_request *on_request, void *arg);
void ari_peer_close(struct ari_peer *p);       /* turn the loop a little before loop_free */
uint16_t ari_peer_port(const struct ari_peer *p);
size_t ari_peer_count(const struct ari_peer *p);                    /* requests seen, without the event connections */
const struct ari_seen *ari_peer_seen(const struct ari_peer *p, size_t i);
void ari_peer_forget(struct ari_peer *p);                           /* starts the record anew */

/* The event connection. */
bool ari_peer_has_events(const struct ari_peer *p);
unsigned ari_peer_upgrades(const struct ari_peer *p);               /* event connections made so far */
const struct ari_seen *ari_peer_events_request(const struct ari_peer *p);
unsigned ari_peer_pings(const struct ari_peer *p);
void ari_peer_event(struct ari_peer *p, const char *json);
void ari_peer_eventf(struct ari_peer *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void ari_peer_lose(struct ari_peer *p);        /* the event connection breaks */
void ari_peer_refuse(struct ari_peer *p, int status);               /* event connections get this status; 0: 101 again */
void ari_peer_stop_listening(struct ari_peer *p);
void ari_peer_listen_again(struct ari_peer *p);                     /* on the same port */

/* Requests over the event connections are answered; before that they are read, and nothing is said, as older nodes do. */
void ari_peer_offer_rest(struct ari_peer *p);
/* An answer that was kept back (on_request said 0 for a request over the WebSocket): to the request of this number, from 1. */
void ari_peer_answer_late(struct ari_peer *p, unsigned request, int status);
/* Opens the event connection to us, with these credentials ("user:password"; NULL: none), and names this application (NULL: says
 * nothing). It is the event connection from now on. */
void ari_peer_come(struct ari_peer *p, uint16_t port, const char *credentials, const char *app);
int ari_peer_came_status(const struct ari_peer *p);                 /* what the last of those was answered; 0: nothing yet */
