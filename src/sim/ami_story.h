/* The events of plain calls as Asterisk 22 tells them over AMI, many calls at a time, each with ids of its own: what a load generator sends.
 * Deterministic but for the times handed in. */
#pragma once

#include "base/err.h"
#include "base/text.h"

enum { AMI_STORY_EVENT_MAX = 2048 };

struct ami_story;

/* system: its systemname, which stands in every Uniqueid; calls: open at one time. epoch_s: the seconds in the ids. */
int ami_story_new(struct ami_story **out, const char *system, unsigned calls, int64_t epoch_s) MUST_USE;
void ami_story_free(struct ami_story *s);       /* NULL passes */
/* Writes the next event, with its Timestamp, into out (AMI_STORY_EVENT_MAX bytes); returns its length. */
size_t ami_story_next(struct ami_story *s, int64_t now_us, char *out);
/* How many events one call has, and how many calls have ended. */
size_t ami_story_events_of_call(const struct ami_story *s);
uint64_t ami_story_calls(const struct ami_story *s);
/* Channels that exist now (CoreShowChannels). */
void ami_story_channels(const struct ami_story *s, void (*fn)(struct text channel, struct text uniqueid, struct text linkedid, void *arg), void *arg);
