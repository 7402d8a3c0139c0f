/* Compares what is inside our application with what we know. Internal to src/call. Control loop. */
#pragma once

#include "call/stasis_call.h"

struct stasis_sync;

/* How the comparison sees the calls. */
struct stasis_view {
    bool (*knows_channel)(void *arg, struct text id);      /* a caller's channel */
    bool (*knows_ours)(void *arg, struct text id);         /* one of our external channels or bridges, of a living call */
    void (*on_stranger)(void *arg, struct text channel);   /* inside, but of no call we know */
    /* Every caller's channel inside; calls that began before asked_ms and are not among them are lost. */
    void (*on_inside)(void *arg, char *const *channels, int64_t asked_ms);
    void *arg;
};

int stasis_sync_new(struct stasis_sync **out, const struct stasis_ground *g, const struct stasis_view *view) MUST_USE;
void stasis_sync_free(struct stasis_sync *y);  /* NULL passes; the ari_client lives */
/* Compares after delay_ms, or earlier if that is planned already. Repeated until Asterisk has answered. */
void stasis_sync_plan(struct stasis_sync *y, int64_t delay_ms);
/* A comparison was carried through since the beginning. */
bool stasis_sync_has_compared(const struct stasis_sync *y);
/* Until the next plan: only looks, every few seconds, which calls are inside, and deletes nothing. For the time in which another program
 * has our application name, and is told of our calls. */
void stasis_sync_watch(struct stasis_sync *y);
void stasis_sync_stop(struct stasis_sync *y);
