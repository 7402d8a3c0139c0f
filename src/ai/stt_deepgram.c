/* Keeps the line of ears at Deepgram, and sends it the caller's sound.
 *
 *   samples -> ring (6 s, mu-law) -> pieces -> service -> messages -> dialect -> turn
 *               ^ a line that is lost is replaced once a turn; the new one hears again from `resume`
 *
 * Our own ear (vad) decides nothing about turns. It tells when the service owes us something, and when speech ended. */
#include "ai/stt_deepgram.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ai/deepgram_verdict.h"
#include "ai/service.h"
#include "audio/g711.h"
#include "base/ref.h"

enum {
    PER_MS = STT_HZ / 1000,
    STEP = 20 * PER_MS,
    GAP_MS = 500,                  /* the phone gave nothing for so long */
    ANSWER_MS = 4000,
    RETRY_MS = 300,
    JITTER_MS = 200,
    OWED_MS = 1000,                /* speech this long is owed a message */
    MESSAGE_MAX = 256 * 1024,
    QUEUE_MAX = 128 * 1024,        /* what the ring holds, twice: by then the line is dead */
    BAD_RUN_MAX = 10,
    HEADER_MAX = 4200,
    URL_MAX = 4000,
    PIECE_MAX = 100 * PER_MS,
    LEAD = 300 * PER_MS,
};

struct stt_line {                  /* outlives us until its WebSocket has closed */
    struct stt_deepgram *owner;    /* NULL: dropped */
    struct websocket *ws;
};

/* ---- the line's end ---- */

static void line_drop(struct stt_deepgram *d)
{
    struct stt_line *line = d->line;

    d->line = NULL;
    d->is_live = false;
    if (!line)
        return;
    line->owner = NULL;
    websocket_close(line->ws, 1000, NULL);
}

static void silence(struct stt_deepgram *d)
{
    timer_stop(d->watch);
    timer_stop(d->retry);
    timer_stop(d->gap);
    line_drop(d);
}

void stt_deepgram_lost(struct stt_deepgram *d, enum provider_error kind, bool may_retry, const char *detail)
{
    const int64_t retry_ms = d->settings->retry_ms ? d->settings->retry_ms : RETRY_MS;
    char safe[STT_DETAIL_MAX];

    if (!stt_core_is_on(&d->core))
        return;
    if (!may_retry || d->reconnects_left == 0) {
        stt_core_fail(&d->core, kind, d->settings->key, detail);
        silence(d);
        return;
    }
    service_detail(safe, sizeof safe, d->settings->key, detail);
    log_warn(&d->core.log, "line_lost", kv_str("why", safe), kv_str("next", "once more"));
    d->reconnects_left--;
    d->reconnects++;
    d->is_owed = false;
    d->bad_run = 0;
    line_drop(d);
    timer_stop(d->watch);
    d->dialect->on_lost(d);
    /* Another call may end meanwhile; spread, for others wait as well. */
    timer_start(d->retry, kind == PROVIDER_RATE ? retry_ms + loop_now_ms(d->core.loop) % JITTER_MS : 0);
}

static void on_watch(void *arg)
{
    struct stt_deepgram *d = arg;

    if (!d->is_live)
        stt_deepgram_lost(d, PROVIDER_NET, true, "the service did not answer in time");
    else if (d->bad_run > 0)
        stt_deepgram_lost(d, PROVIDER_SERVER, true, "the service's messages cannot be understood");
    else if (d->is_open || d->is_owed)
        stt_deepgram_lost(d, PROVIDER_NET, true, "the service went silent");
}

/* ---- sound ---- */

static int64_t time_of(const struct stt_deepgram *d, int64_t sample)
{
    return d->at_us + (sample - d->at_sample) * 1000 / PER_MS;
}

int64_t stt_deepgram_sample(const struct stt_deepgram *d, double seconds)
{
    const int64_t at = d->session_first + (int64_t)(seconds * STT_HZ);

    return at < d->sent ? at : d->sent;
}

int64_t stt_deepgram_own_onset(const struct stt_deepgram *d)
{
    return d->vad.speaking ? d->vad.started_at : d->total;
}

static void ring_add(struct stt_deepgram *d, const int16_t *pcm, size_t n)
{
    while (n > 0) {
        const size_t at = (size_t)(d->total % STT_RING), room = STT_RING - at, k = n < room ? n : room;

        ulaw_write(d->ring + at, pcm, k);
        d->total += (int64_t)k;
        pcm += k;
        n -= k;
    }
}

static int piece_send(struct stt_deepgram *d)
{
    const size_t at = (size_t)(d->sent % STT_RING), n = d->dialect->piece, head = n < STT_RING - at ? n : STT_RING - at;
    unsigned char piece[PIECE_MAX];

    memcpy(piece, d->ring + at, head);
    memcpy(piece + head, d->ring, n - head);
    d->sent += (int64_t)n;
    d->idle_ms = 0;
    return websocket_send(d->line->ws, false, text_make(piece, n));
}

static void sound_send(struct stt_deepgram *d)
{
    int err = 0;

    if (d->total - d->sent > STT_RING) {
        if (d->dropped == 0)
            log_warn(&d->core.log, "sound_dropped", kv_str("why", "no line"));
        d->dropped += (uint64_t)(d->total - d->sent - STT_RING);
        d->sent = d->total - STT_RING;
    }
    while (d->is_live && !err && d->total - d->sent >= (int64_t)d->dialect->piece)
        err = piece_send(d);
    if (err && err != -EPIPE)      /* that one is closing: on_closed tells more */
        stt_deepgram_lost(d, PROVIDER_NET, true, "the service does not take the sound");
}

/* One step of sound by our own ear. */
static void step_hear(struct stt_deepgram *d, const int16_t *pcm, size_t n)
{
    if (vad_feed(&d->vad, pcm, n) == VAD_START && !d->is_open && !d->has_spoken) {
        const int64_t wanted = d->vad.started_at - LEAD;

        d->resume = wanted > d->resume ? wanted : d->resume;
        d->has_spoken = true;
    }
    d->quiet = d->vad.speaking ? 0 : d->quiet + (int64_t)n;
    if (d->is_live && !d->is_owed && vad_speech_ms(&d->vad) >= OWED_MS && !timer_is_running(d->watch)) {
        d->is_owed = true;
        timer_start(d->watch, d->answer_ms);
    }
}

static void late_judge(struct stt_deepgram *d)
{
    if (!d->is_live || !d->is_open || d->quiet < d->dialect->quiet_ms * PER_MS)
        return;
    if (d->bad_run > 0)
        stt_deepgram_lost(d, PROVIDER_SERVER, true, "the service's messages cannot be understood");
    else
        d->dialect->on_late(d);
}

static void sound_take(struct stt_deepgram *d, const int16_t *pcm, size_t n, int64_t at_us)
{
    d->at_us = at_us;
    d->at_sample = d->total;
    d->heard_until_us = at_us + (int64_t)n * 1000 / PER_MS;
    for (size_t at = 0; at < n && stt_core_is_on(&d->core); at += STEP) {
        const size_t step = n - at < STEP ? n - at : STEP;

        ring_add(d, pcm + at, step);
        step_hear(d, pcm + at, step);
        sound_send(d);
        late_judge(d);
    }
}

static void hear(struct stt *s, const int16_t *pcm, size_t n, int64_t at_us)
{
    struct stt_deepgram *d = (struct stt_deepgram *)s;

    if (!stt_core_is_on(&d->core))
        return;
    d->was_fed = true;
    sound_take(d, pcm, n, at_us);
}

/* A phone that sends nothing while nobody speaks must not keep a turn open, nor cost us the line (10 s, NET-0001). */
static void on_gap(void *arg)
{
    static const int16_t nothing[GAP_MS * PER_MS];
    struct stt_deepgram *d = arg;

    if (!stt_core_is_on(&d->core))
        return;
    if (!d->was_fed)
        d->idle_ms += GAP_MS;
    if (!d->was_fed && (d->dialect->needs_sound || d->is_open || d->vad.speaking))
        sound_take(d, nothing, sizeof nothing / sizeof *nothing, d->heard_until_us);
    else if (d->idle_ms >= d->answer_ms)
        stt_deepgram_send(d, TEXT("{\"type\":\"KeepAlive\"}"));
    d->was_fed = false;
    if (stt_core_is_on(&d->core))
        timer_start(d->gap, GAP_MS);
}

/* ---- the turn ---- */

void stt_turn_begin(struct stt_deepgram *d, int64_t onset)
{
    if (d->is_open)
        return;
    d->is_open = true;
    d->is_likely = false;
    d->onset = onset;
    d->is_void = onset < d->void_until;
    d->quiet = 0;
    stt_tell(&d->core, STT_STARTED, time_of(d, onset));
    timer_start(d->watch, d->answer_ms);
}

static int64_t own_end(const struct stt_deepgram *d)
{
    int64_t end = d->vad.ended_at;

    if (d->vad.speaking)
        end = d->vad.quiet_since >= 0 ? d->vad.quiet_since : d->total;
    return end > d->onset ? end : d->onset;
}

void stt_turn_tell(struct stt_deepgram *d, struct text words)
{
    words = d->is_void ? TEXT("") : text_trim(words);
    stt_tell(&d->core, STT_STOPPED, time_of(d, own_end(d)));
    stt_tell_turn(&d->core, words, TEXT_NONE, d->score);
    if (words.n > 0)
        d->reconnects_left = 1;    /* it works */
}

void stt_turn_close(struct stt_deepgram *d)
{
    d->is_open = d->is_void = d->is_likely = d->is_owed = false;
    d->has_spoken = d->vad.speaking && d->vad.quiet_since < 0; /* on and on */
    d->resume = d->sent;
    d->score = 0;
    buf_clear(&d->words);
    buf_clear(&d->interim);
}

void stt_words_add(struct buf *b, struct text words)
{
    const size_t room = STT_WORDS_MAX - b->n;

    if (words.n == 0 || room < 2)
        return;
    if (b->n > 0)
        buf_add_char(b, ' ');
    buf_add_text(b, text_head(words, room - 1));
}

static void discard(struct stt *s)
{
    struct stt_deepgram *d = (struct stt_deepgram *)s;

    stt_core_discard(&d->core);
    if (!stt_core_is_on(&d->core) || (!d->is_open && !d->vad.speaking))
        return;
    d->is_void = d->is_open;
    d->void_until = d->sent;
    buf_clear(&d->words);
    buf_clear(&d->interim);
    d->dialect->on_discard(d);
}

/* ---- the WebSocket ---- */

static void on_open(struct websocket *w, void *arg)
{
    const struct stt_line *line = arg;

    (void)w;
    if (line->owner && !line->owner->dialect->is_greeted)
        stt_deepgram_begin(line->owner);
}

static void bad_message(struct stt_deepgram *d, size_t bytes)
{
    if (d->bad++ == 0)
        log_warn(&d->core.log, "bad_event", kv_int("bytes", (int64_t)bytes));
    if (++d->bad_run > BAD_RUN_MAX)
        stt_deepgram_lost(d, PROVIDER_SERVER, false, "the service's messages cannot be understood");
    else if (!timer_is_running(d->watch)) /* it may have been what the caller waits for */
        timer_start(d->watch, d->answer_ms);
}

static void on_message(struct websocket *w, bool is_text, struct text message, void *arg)
{
    const struct stt_line *line = arg;
    struct stt_deepgram *d = line->owner;
    struct deepgram_heard h;

    (void)w;
    if (!d || !stt_core_is_on(&d->core))
        return;
    d->messages++;
    if (!is_text || deepgram_heard_read(&h, message)) {
        bad_message(d, message.n);
        return;
    }
    d->bad_run = 0;
    d->is_owed = false;
    if (h.kind == HEARD_ERROR)
        stt_deepgram_lost(d, PROVIDER_SERVER, true, h.message.n > 0 ? h.message.p : "the service tells of an error");
    else if (h.kind == HEARD_OTHER)
        d->unknown++;
    else
        d->dialect->on_heard(d, &h);
    deepgram_heard_free(&h);
    if (!d->is_live)
        return;
    timer_stop(d->watch);
    if (d->is_open || d->vad.speaking)
        timer_start(d->watch, d->answer_ms);
}

static void on_line_closed(struct websocket *w, int err, int status, const char *detail, void *arg)
{
    struct stt_line *line = arg;
    struct stt_deepgram *d = line->owner;

    if (d) {
        const struct deepgram_verdict v = deepgram_verdict_of(err, status, text_of(detail));

        d->line = NULL;
        d->is_live = false;
        stt_deepgram_lost(d, v.kind, v.may_retry, detail);
    }
    ref_drop(w);
    free(line);
}

static int url_write(const struct stt_deepgram *d, struct buf *out)
{
    struct text base = text_of(d->settings->url ? d->settings->url : STT_DEEPGRAM_URL);

    while (base.n > 0 && base.p[base.n - 1] == '/')
        base.n--;
    buf_add_text(out, base);
    d->dialect->url_add(out, d->settings);
    buf_cstr(out);
    return out->err == -ENOBUFS ? -EINVAL : out->err;
}

void stt_url_add(struct buf *url, const char *name, const char *value)
{
    if (!value)
        return;
    buf_addf(url, "&%s=", name);
    buf_add_url(url, text_of(value));
}

static int line_open(struct stt_deepgram *d, const char *url)
{
    static const struct websocket_handlers on = { .on_open = on_open, .on_message = on_message, .on_closed = on_line_closed };
    const char *key = d->settings->key;
    const bool has_key = key && key[0];
    char header[HEADER_MAX];
    const char *const headers[] = { header, NULL };
    const struct websocket_options opt = {
        .url = url, .headers = has_key ? headers : NULL, .connect_ms = d->answer_ms, .ping_ms = d->answer_ms, .message_max = MESSAGE_MAX,
        .queue_max = QUEUE_MAX,
    };
    const int n = has_key ? snprintf(header, sizeof header, "Authorization: Token %s", key) : 0;
    struct stt_line *line = calloc(1, sizeof *line);
    int err = !line ? -ENOMEM : n < 0 || (size_t)n >= sizeof header ? -EINVAL : 0;

    if (!err)
        err = websocket_open(&line->ws, d->dialer, &opt, &on, line);
    if (has_key)
        explicit_bzero(header, sizeof header);
    if (err) {
        free(line);
        return err;
    }
    line->owner = d;
    d->line = line;
    return 0;
}

static void connect_line(void *arg)
{
    struct stt_deepgram *d = arg;
    struct buf url;
    int err;

    timer_start(d->watch, d->answer_ms);
    buf_init(&url, URL_MAX);
    err = url_write(d, &url);
    if (!err)
        err = line_open(d, url.p);
    buf_free(&url);
    if (!err)
        return;
    stt_core_fail(&d->core, err == -ENOMEM ? PROVIDER_NET : PROVIDER_CONFIG, d->settings->key, err_text(err));
    silence(d);
}

void stt_deepgram_begin(struct stt_deepgram *d)
{
    const int64_t oldest = d->total > STT_RING ? d->total - STT_RING : 0;

    if (d->is_live)
        return;
    d->is_live = true;
    timer_stop(d->watch);
    if (d->is_open || d->has_spoken)
        d->sent = d->resume;
    if (d->sent < oldest)
        d->sent = oldest;
    d->session_first = d->sent;
    d->quiet = d->idle_ms = 0;
    if (!d->was_ready)
        stt_tell(&d->core, STT_READY, 0);
    d->was_ready = true;
    if (d->is_open)
        timer_start(d->watch, d->answer_ms);
    sound_send(d);
}

void stt_deepgram_send(struct stt_deepgram *d, struct text message)
{
    int err;

    if (!d->is_live)
        return;
    d->idle_ms = 0;
    err = websocket_send(d->line->ws, true, message);
    if (err && err != -EPIPE)
        stt_deepgram_lost(d, PROVIDER_NET, true, "a message to the service found no room");
}

/* ---- life ---- */

static void start(struct stt *s)
{
    struct stt_deepgram *d = (struct stt_deepgram *)s;

    if (d->core.is_started || d->core.is_closed)
        return;
    d->core.is_started = true;
    timer_start(d->gap, GAP_MS);
    connect_line(d);
}

static void close_ears(struct stt *s)
{
    struct stt_deepgram *d = (struct stt_deepgram *)s;

    if (d->core.is_closed)
        return;
    stt_deepgram_send(d, TEXT("{\"type\":\"CloseStream\"}"));
    log_debug(&d->core.log, "ears_closed", kv_int("messages", (int64_t)d->messages), kv_int("unknown", (int64_t)d->unknown),
              kv_int("bad", (int64_t)d->bad), kv_int("reconnects", d->reconnects), kv_int("dropped", (int64_t)d->dropped));
    silence(d);
    stt_core_close(&d->core);
}

static void destroy(struct stt_core *c)
{
    struct stt_deepgram *d = (struct stt_deepgram *)c;

    line_drop(d);
    timer_free(d->watch);
    timer_free(d->retry);
    timer_free(d->gap);
    buf_free(&d->words);
    buf_free(&d->interim);
    stt_core_free(c);
    free(d);
}

static const struct stt_ops ops = { .start = start, .hear = hear, .discard = discard, .close = close_ears };

int stt_deepgram_new(struct stt **out, const struct stt_dialect *dialect, struct loop *l, struct dialer *dialer, const struct stt_settings *s,
                     const struct log *log, const struct stt_handlers *on, void *arg)
{
    struct stt_deepgram *d = calloc(1, sizeof *d);
    struct vad_options vad;
    int err;

    if (!d)
        return -ENOMEM;
    d->dialect = dialect;
    d->settings = s;
    d->dialer = dialer;
    d->answer_ms = s->answer_ms ? s->answer_ms : ANSWER_MS;
    d->reconnects_left = 1;
    vad_options_default(&vad);
    vad_init(&d->vad, &vad);
    buf_init(&d->words, STT_WORDS_MAX);
    buf_init(&d->interim, STT_WORDS_MAX);
    err = stt_core_init(&d->core, l, log, &ops, on, arg, destroy);
    if (!err)
        err = timer_new(&d->watch, l, on_watch, d);
    if (!err)
        err = timer_new(&d->retry, l, connect_line, d);
    if (!err)
        err = timer_new(&d->gap, l, on_gap, d);
    if (err) {
        destroy(&d->core);
        return err;
    }
    *out = &d->core.base;
    return 0;
}
