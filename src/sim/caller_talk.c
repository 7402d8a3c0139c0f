/* Follows the caller's script and finds what it hears its place in time. */
#include "sim/caller_talk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/caller_clip.h"
#include "sim/caller_ear.h"
#include "sim/caller_tape.h"

enum {
    SLACK = 60 * 8, /* a frame this far off its place is still the next one of an even flow */
    FLOW = 100 * 8, /* a pause in the flow shorter than this says nothing yet about silence */
    PIECE = 80 * 8, /* what the ear takes at once */
    LAG = 10 * 8,   /* steady lateness worth mending ... */
    LAG_FRAMES = 25, /* ... when not one of so many arrivals was earlier */
    PER_MS = TALK_RATE / 1000,
};

struct step {
    enum caller_verb verb;
    int64_t ms, limit_ms;
    struct caller_clip clip;
    unsigned line;
    char name[TALK_DETAIL_MAX];
};

struct caller_talk {
    struct step *steps;
    size_t count, now; /* now == count: done */
    bool begun;
    int64_t begun_at;
    size_t clip_at;
    int64_t said_next, heard_next;
    bool is_flowing; /* a first frame was heard */
    int64_t lag_least; /* of the last lag_count arrivals: how far behind its place the best of them was */
    unsigned lag_count;
    uint64_t surplus;
    struct caller_ear ear;
    struct caller_tape *tape;
    caller_talk_on_moment *on_moment;
    void *arg;
};

/* --- making --- */

static void name_make(char out[TALK_DETAIL_MAX], const struct caller_step *s)
{
    switch (s->verb) {
    case CALLER_WAIT:
        snprintf(out, TALK_DETAIL_MAX, "wait %lldms", (long long)s->ms);
        break;
    case CALLER_WAIT_SPEECH:
        snprintf(out, TALK_DETAIL_MAX, "wait-speech %lldms", (long long)s->limit_ms);
        break;
    case CALLER_WAIT_SILENCE:
        snprintf(out, TALK_DETAIL_MAX, "wait-silence %lldms %lldms", (long long)s->ms, (long long)s->limit_ms);
        break;
    case CALLER_SAY:
        snprintf(out, TALK_DETAIL_MAX, "say %s", s->text);
        break;
    case CALLER_PLAY:
        snprintf(out, TALK_DETAIL_MAX, "play %s", s->text);
        break;
    case CALLER_HANG_UP:
        snprintf(out, TALK_DETAIL_MAX, "hang-up");
        break;
    case CALLER_WAIT_HANGUP:
        snprintf(out, TALK_DETAIL_MAX, "wait-hangup %lldms", (long long)s->limit_ms);
        break;
    }
}

static int step_make(struct step *out, const struct caller_step *s, const char *voice, char **problem)
{
    int err = 0;

    *out = (struct step){ .verb = s->verb, .ms = s->ms, .limit_ms = s->limit_ms, .line = s->line };
    name_make(out->name, s);
    if (s->verb == CALLER_SAY)
        err = caller_clip_say(&out->clip, voice ? voice : "rms", s->text);
    else if (s->verb == CALLER_PLAY)
        err = caller_clip_load(&out->clip, s->text);
    if (err && asprintf(problem, "line %u: %.120s: %s", s->line, out->name,
                        err == -EBADMSG ? "not a mono WAV of 16-bit samples" : err_text(err)) < 0)
        *problem = NULL;
    return err;
}

int caller_talk_new(struct caller_talk **out, const struct caller_step *steps, size_t count, const char *voice,
                    struct caller_tape *tape, caller_talk_on_moment *on_moment, void *arg, char **problem)
{
    struct caller_talk *t = calloc(1, sizeof *t);
    int err = -ENOMEM;

    *problem = NULL;
    if (!t)
        return -ENOMEM;
    t->tape = tape;
    t->on_moment = on_moment;
    t->arg = arg;
    caller_ear_init(&t->ear);
    t->steps = calloc(count ? count : 1, sizeof *t->steps);
    if (!t->steps)
        goto fail;
    for (; t->count < count; t->count++) {
        err = step_make(&t->steps[t->count], &steps[t->count], voice, problem);
        if (err)
            goto fail;
    }
    *out = t;
    return 0;
fail:
    caller_talk_free(t);
    return err;
}

void caller_talk_free(struct caller_talk *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->count; i++)
        caller_clip_free(&t->steps[i].clip);
    free(t->steps);
    free(t);
}

/* --- hearing --- */

static void moments_of_ear(struct caller_talk *t, const struct caller_ear_event *events, size_t count)
{
    for (size_t i = 0; i < count; i++)
        t->on_moment(events[i].at, events[i].is_start ? "heard-start" : "heard-stop", "", t->arg);
}

static void piece_hear(struct caller_talk *t, const int16_t *pcm, size_t n)
{
    struct caller_ear_event events[EAR_EVENTS];

    moments_of_ear(t, events, caller_ear_feed(&t->ear, t->heard_next, pcm, n, events));
    if (t->tape)
        caller_tape_put(t->tape, TAPE_HEARD, t->heard_next, pcm, n);
    t->heard_next += (int64_t)n;
}

/* A flow keeps its places over jitter. When another source takes over in the PBX, its frames may be steadily later: without this
 * every moment heard from then on would be told too early by that much. */
static void lag_mend(struct caller_talk *t, int64_t at)
{
    const int64_t lag = at - t->heard_next;

    if (t->lag_count == 0 || lag < t->lag_least)
        t->lag_least = lag;
    if (++t->lag_count < LAG_FRAMES)
        return;
    if (t->lag_least > LAG)
        t->heard_next += t->lag_least;
    t->lag_count = 0;
}

void caller_talk_hear(struct caller_talk *t, int64_t now, const int16_t *pcm, size_t n)
{
    int64_t at = n > TALK_FRAME ? now - (int64_t)(n - TALK_FRAME) : now;

    if (at < 0)
        at = 0;
    if (!t->is_flowing || at > t->heard_next + SLACK) {
        t->heard_next = at > t->heard_next ? at : t->heard_next; /* nothing was sent in between */
        t->lag_count = 0;
    } else if (at + SLACK < t->heard_next) {
        const size_t ahead = (size_t)(t->heard_next - at) < n ? (size_t)(t->heard_next - at) : n;

        /* The sender catches up after a pause that was taken for silence: time does not go back. */
        t->surplus += ahead;
        pcm += ahead;
        n -= ahead;
    } else {
        lag_mend(t, at);
    }
    t->is_flowing = true;
    while (n > 0) {
        const size_t piece = n < PIECE ? n : PIECE;

        piece_hear(t, pcm, piece);
        pcm += piece;
        n -= piece;
    }
}

static void silence_notice(struct caller_talk *t, int64_t at)
{
    struct caller_ear_event events[EAR_EVENTS];

    if (at - FLOW > t->heard_next)
        moments_of_ear(t, events, caller_ear_idle(&t->ear, at - FLOW, events));
}

/* --- speaking --- */

/* True when the sound of sample `which` of the clip leaves in this frame. */
static bool leaves_now(const struct caller_talk *t, size_t which, size_t n)
{
    return which >= t->clip_at && which < t->clip_at + n;
}

/* Takes the clip's next samples; true when the last was among them. */
static bool clip_take(struct caller_talk *t, const struct step *s, int64_t at, int16_t frame[TALK_FRAME])
{
    const struct caller_clip *c = &s->clip;
    const size_t left = c->n - t->clip_at, n = left < TALK_FRAME ? left : TALK_FRAME;

    memcpy(frame, c->pcm + t->clip_at, n * sizeof *frame);
    if (leaves_now(t, c->first_loud, n))
        t->on_moment(at + (int64_t)(c->first_loud - t->clip_at), "said-start", s->name, t->arg);
    if (leaves_now(t, c->last_loud, n))
        t->on_moment(at + (int64_t)(c->last_loud - t->clip_at), "said-stop", s->name, t->arg);
    t->clip_at += n;
    return t->clip_at == c->n;
}

static void step_begin(struct caller_talk *t, int64_t at)
{
    t->begun = true;
    t->begun_at = at;
    t->clip_at = 0;
    t->on_moment(at, "step", t->steps[t->now].name, t->arg);
}

static bool ran_out(const struct caller_talk *t, int64_t at, int64_t ms)
{
    return at - t->begun_at >= ms * PER_MS;
}

enum progress { STAYS, NEXT, NEXT_AFTER_FRAME, HANGS_UP, LATE };

static enum progress wait_progress(bool is_there, const struct caller_talk *t, const struct step *s, int64_t at)
{
    if (is_there)
        return NEXT;
    return ran_out(t, at, s->limit_ms) ? LATE : STAYS;
}

static enum progress step_progress(struct caller_talk *t, const struct step *s, int64_t at, int16_t frame[TALK_FRAME])
{
    switch (s->verb) {
    case CALLER_WAIT:
        return ran_out(t, at, s->ms) ? NEXT : STAYS;
    case CALLER_WAIT_SPEECH:
        return wait_progress(caller_ear_is_hearing(&t->ear), t, s, at);
    case CALLER_WAIT_SILENCE:
        return wait_progress(at - t->ear.heard_last >= s->ms * PER_MS, t, s, at);
    case CALLER_SAY:
    case CALLER_PLAY:
        if (s->clip.n == 0)
            return NEXT;
        return clip_take(t, s, at, frame) ? NEXT_AFTER_FRAME : STAYS;
    case CALLER_HANG_UP:
        return HANGS_UP;
    case CALLER_WAIT_HANGUP:
        return wait_progress(false, t, s, at);
    }
    return HANGS_UP;
}

static int fail_late(struct caller_talk *t, const struct step *s, int64_t at)
{
    char detail[TALK_DETAIL_MAX + 48];

    snprintf(detail, sizeof detail, "line %u: %s: ran out", s->line, s->name);
    t->on_moment(at, "failed", detail, t->arg);
    return -ETIMEDOUT;
}

static int steps_follow(struct caller_talk *t, int64_t at, int16_t frame[TALK_FRAME])
{
    while (t->now < t->count) {
        const struct step *s = &t->steps[t->now];
        enum progress p;

        if (!t->begun)
            step_begin(t, at);
        p = step_progress(t, s, at, frame);
        if (p == STAYS)
            return 1;
        if (p == HANGS_UP)
            return 0;
        if (p == LATE)
            return fail_late(t, s, at);
        t->now++;
        t->begun = false;
        if (p == NEXT_AFTER_FRAME)
            return 1;
    }
    return 0;
}

int caller_talk_tick(struct caller_talk *t, int64_t at, int16_t frame[TALK_FRAME])
{
    int more;

    memset(frame, 0, TALK_FRAME * sizeof *frame);
    silence_notice(t, at);
    more = steps_follow(t, at, frame);
    if (more <= 0)
        return more;
    if (t->tape) {
        caller_tape_put(t->tape, TAPE_SAID, at, frame, TALK_FRAME);
        caller_tape_advance(t->tape, at - TAPE_BEHIND);
    }
    t->said_next = at + TALK_FRAME;
    return 1;
}

/* --- the end --- */

int caller_talk_end(struct caller_talk *t, int64_t now)
{
    char detail[TALK_DETAIL_MAX + 64];
    size_t i = t->now;

    t->on_moment(now, "hangup", "by the other side", t->arg);
    /* Only a script that waits for this, and has nothing to do afterwards, is content. */
    while (i < t->count && (t->steps[i].verb == CALLER_WAIT_HANGUP || (i > t->now && t->steps[i].verb == CALLER_HANG_UP)))
        i++;
    if (i == t->count)
        return 0;
    snprintf(detail, sizeof detail, "line %u: %s: the other side ended the call before it", t->steps[i].line, t->steps[i].name);
    t->on_moment(now, "failed", detail, t->arg);
    return -ECONNRESET;
}

int64_t caller_talk_length(const struct caller_talk *t)
{
    return t->said_next > t->heard_next ? t->said_next : t->heard_next;
}

uint64_t caller_talk_surplus(const struct caller_talk *t)
{
    return t->surplus;
}
