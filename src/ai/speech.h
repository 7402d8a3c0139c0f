/* The embedded recogniser (pocketsphinx, closed grammar) and synthesiser (flite, with a prompt cache). Both work in worker threads;
 * the answers come back on the loop that asked. */
#pragma once

#include "ai/agent_file.h"
#include "net/worker.h"

/* What one agent's recognisers share: the grammar, and the dictionary cut to its words. Any thread after creation. */
struct grammar;
/* model_dir: NULL = Debian's pocketsphinx-en-us. cache_dir: where the cut dictionary is written (removed with the grammar).
 * -EINVAL: words are in no dictionary, *missing names them with commas between (malloc'ed); or, with *missing NULL, the model or the
 * grammar is refused. -ENOENT...: model or cache_dir. */
int grammar_new(struct grammar **out, const struct agent_file *agent, const char *model_dir, const char *cache_dir,
                char **missing) MUST_USE;
void grammar_free(struct grammar *g); /* after all recognisers of it */

/* One caller's decoder, kept for the whole call (noise tracking adapts). Loop thread; counted: a job under way holds it. */
struct recogniser;
int recogniser_new(struct recogniser **out, struct grammar *g, struct worker_pool *pool, struct loop *l) MUST_USE;
/* One utterance of 8 kHz samples (copied), with about 0.3 s before and 0.5 s after the speech: the score is per second of all of it.
 * intent: index in the agent, or one of these (nothing: silence, or speech that no phrase could begin and end with). */
enum { RECOGNISED_NOTHING = -1, RECOGNISED_YES = -2, RECOGNISED_NO = -3 };
typedef void recogniser_on_result(int err, int intent, const char *words, double score, void *arg);
/* -EBUSY while one is under way, -ENOBUFS when the pool is full. */
int recogniser_submit(struct recogniser *r, const int16_t *pcm, size_t n, recogniser_on_result *on_result, void *arg) MUST_USE;
void recogniser_close(struct recogniser *r); /* drops; on_result of a job under way does not run; NULL passes */

/* One voice for all calls of all loops. */
struct synthesiser;
int synthesiser_new(struct synthesiser **out, struct worker_pool *pool, size_t cache_bytes) MUST_USE;
void synthesiser_free(struct synthesiser *s); /* after the pool is idle */
struct speech_job;
/* 8 kHz samples of the whole text; borrowed for the call. Texts of up to 1,000 bytes are cached. */
typedef void speech_on_done(int err, const int16_t *pcm, size_t n, void *arg);
int synthesiser_say(struct speech_job **out, struct synthesiser *s, struct loop *l, struct text voice, struct text words,
                    speech_on_done *on_done, void *arg) MUST_USE;
void speech_forget(struct speech_job *j); /* before on_done; NULL passes */
/* Blocking, without a loop: tools and tests. *pcm malloc'ed, 8 kHz. */
int speech_make(const char *voice, const char *words, int16_t **pcm, size_t *n) MUST_USE;
/* True for a voice that is built in. */
bool speech_has_voice(struct text voice);
