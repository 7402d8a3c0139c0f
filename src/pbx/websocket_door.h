/* The port at which Asterisk's chan_websocket opens its WebSocket to us (websocket_client.conf): lets in only connections whose "call"
 * in the address (?call=UUID) was announced, each once, answers the handshake, and hands their descriptor to the one who expects it (who may
 * live on another loop). Plain ws:// only. Thread: its loop (the control loop). */
#pragma once

#include "net/listener.h"
#include "pbx/door_ticket.h"

struct websocket_door;

int websocket_door_open(struct websocket_door **out, struct loop *l, const struct address *at) MUST_USE;
void websocket_door_address(const struct websocket_door *d, struct address *out);
void websocket_door_close(struct websocket_door *d); /* NULL passes */
/* The descriptor's handshake is over. -EEXIST when that UUID is announced already. */
int websocket_door_expect(struct door_ticket **out, struct websocket_door *d, const struct uuid *id, int64_t wait_ms,
                          door_on_arrival *on_arrival, void *arg) MUST_USE;
uint64_t websocket_door_strangers(const struct websocket_door *d); /* connections turned away */
