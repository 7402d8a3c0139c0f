/* Sentences that are ready before anybody needs them: spoken by the embedded voice, or read from a WAV file, once, at start.
 * Thread: made by one; what it gave out is read by any, until it is freed. */
#pragma once

#include "base/err.h"
#include "call/manner.h"

struct phrases;

enum { PHRASE_MAX_MS = 30 * 1000 };

int phrases_new(struct phrases **out) MUST_USE;
void phrases_free(struct phrases *p);   /* NULL passes */
/* The same words in the same voice are kept once. Blocking: 12 ms a second of speech. -EINVAL: no such voice, or longer than PHRASE_MAX_MS;
 * -EIO, -ENOMEM. */
int phrases_speak(struct phrases *p, const char *voice, const char *words, struct phrase *out) MUST_USE;
/* One or two channels of any usual rate. -ENOENT..., -EBADMSG: not such a WAV; -EINVAL: longer than PHRASE_MAX_MS; -ENOMEM. */
int phrases_load(struct phrases *p, const char *path, struct phrase *out) MUST_USE;
