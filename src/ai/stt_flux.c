/* Ears at Deepgram's /v2/listen (Flux), which says whose turn it is: likely (EagerEndOfTurn), not yet (TurnResumed), for sure (EndOfTurn). */
#include "ai/stt.h"

#include "ai/stt_deepgram.h"

enum {
    PIECE = 80 * STT_HZ / 1000,    /* as documented */
    EOT_TIMEOUT_MS = 3000,         /* silence that ends a turn whatever the model thinks */
    QUIET_MS = EOT_TIMEOUT_MS + 2500,
};

static void url_add(struct buf *url, const struct stt_settings *s)
{
    const char *model = s->model ? s->model : STT_FLUX_MODEL;

    buf_addf(url, "/v2/listen?encoding=mulaw&sample_rate=8000&eot_threshold=0.7%s&eot_timeout_ms=%d", s->is_eager ? "&eager_eot_threshold=0.5" : "", EOT_TIMEOUT_MS);
    stt_url_add(url, "model", model);
    if (text_ends(text_of(model), TEXT("-multi"))) /* the others know one language */
        stt_url_add(url, "language_hint", s->language);
    for (size_t i = 0; i < s->keyterm_count; i++)
        stt_url_add(url, "keyterm", s->keyterms[i]);
}

/* The window that the service tells begins with the end of the turn before; our own ear knows the first sound. */
static void begin(struct stt_deepgram *d)
{
    stt_turn_begin(d, stt_deepgram_own_onset(d));
}

static void words_take(struct stt_deepgram *d, struct text words)
{
    buf_clear(&d->words);
    stt_words_add(&d->words, words);
    if (words.n > 0 && !d->is_void && !d->is_likely)
        stt_tell_partial(&d->core, buf_text(&d->words));
}

static void likely_end(struct stt_deepgram *d, struct text words)
{
    if (d->is_likely || d->is_void || words.n == 0)
        return;
    buf_clear(&d->words);
    stt_words_add(&d->words, words);
    stt_turn_tell(d, words);
    d->is_likely = true;
}

static void take_back(struct stt_deepgram *d)
{
    if (!d->is_likely)
        return;
    d->is_likely = false;
    stt_tell(&d->core, STT_RESUMED, 0);
}

static void turn_end(struct stt_deepgram *d, struct text words)
{
    const bool is_told = d->is_likely && (d->is_void || text_eq(words, buf_text(&d->words)));

    if (!is_told) {
        take_back(d);
        stt_turn_tell(d, words);
    }
    stt_turn_close(d);
}

static void on_turn_info(struct stt_deepgram *d, const struct deepgram_heard *h)
{
    const struct text words = text_head(text_trim(h->words), STT_WORDS_MAX - 1);

    if (h->turn == TURN_START || words.n > 0)
        begin(d);
    if (!d->is_open)
        return;
    d->score = h->confidence;
    switch (h->turn) {
    case TURN_START:
    case TURN_UPDATE:
        if (!d->is_likely)
            words_take(d, words);
        break;
    case TURN_EAGER:
        likely_end(d, words);
        break;
    case TURN_RESUMED:
        take_back(d);
        break;
    case TURN_END:
        turn_end(d, words);
        break;
    case TURN_OTHER:
        d->unknown++;
        break;
    }
}

static void on_heard(struct stt_deepgram *d, const struct deepgram_heard *h)
{
    if (h->kind == HEARD_CONNECTED)
        stt_deepgram_begin(d);
    else if (h->kind == HEARD_TURN)
        on_turn_info(d, h);
    else
        d->unknown++;
}

static void on_late(struct stt_deepgram *d)
{
    if (!d->is_likely)
        stt_turn_tell(d, buf_text(&d->words));
    stt_turn_close(d);
}

/* A new line begins the turn anew, unless it was told. */
static void on_lost(struct stt_deepgram *d)
{
    if (d->is_likely)
        stt_turn_close(d);
    buf_clear(&d->words);
}

static void on_discard(struct stt_deepgram *d)
{
    (void)d;                       /* the turn is void to its end: there is no way to cut it */
}

static const struct stt_dialect dialect = {
    .piece = PIECE, .quiet_ms = QUIET_MS, .is_greeted = true, .needs_sound = true, .url_add = url_add, .on_heard = on_heard, .on_late = on_late,
    .on_lost = on_lost, .on_discard = on_discard,
};

int stt_flux_new(struct stt **out, struct loop *l, struct dialer *d, const struct stt_settings *s, const struct log *log,
                 const struct stt_handlers *on, void *arg)
{
    return stt_deepgram_new(out, &dialect, l, d, s, log, on, arg);
}
