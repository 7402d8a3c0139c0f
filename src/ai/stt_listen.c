/* Ears at Deepgram's /v1/listen: finals add up, interims replace each other, speech_final or UtteranceEnd ends a turn. */
#include "ai/stt.h"

#include "ai/stt_deepgram.h"

enum { PIECE = 40 * STT_HZ / 1000, QUIET_MS = 2500, UTTERANCE_END_LEAST_MS = 1000 };

static void url_add(struct buf *url, const struct stt_settings *s)
{
    const int silence_ms = s->silence_ms ? s->silence_ms : STT_SILENCE_MS;
    const char *model = s->model ? s->model : STT_LISTEN_MODEL;
    /* Words to listen for have another name with the older models. */
    const char *term = text_starts(text_of(model), TEXT("nova-3")) ? "keyterm" : "keywords";

    buf_add_text(url, TEXT("/v1/listen?encoding=mulaw&sample_rate=8000&channels=1&interim_results=true&vad_events=true&punctuate=true&smart_format=true"));
    stt_url_add(url, "model", model);
    stt_url_add(url, "language", s->language);
    buf_addf(url, "&endpointing=%d&utterance_end_ms=%d", silence_ms, silence_ms > UTTERANCE_END_LEAST_MS ? silence_ms : UTTERANCE_END_LEAST_MS);
    for (size_t i = 0; i < s->keyterm_count; i++)
        stt_url_add(url, term, s->keyterms[i]);
}

static void turn_end(struct stt_deepgram *d)
{
    stt_turn_tell(d, buf_text(&d->words));
    stt_turn_close(d);
}

static void partial_tell(struct stt_deepgram *d)
{
    const size_t n = d->words.n;

    if (d->is_void)
        return;
    stt_words_add(&d->words, buf_text(&d->interim));
    if (d->words.n > 0)
        stt_tell_partial(&d->core, buf_text(&d->words));
    d->words.n = n;
}

static void on_results(struct stt_deepgram *d, const struct deepgram_heard *h)
{
    const int64_t first = stt_deepgram_sample(d, h->start);
    const bool is_void = first < d->void_until;
    const int64_t last = stt_deepgram_sample(d, h->start + h->duration);
    const struct text words = is_void ? TEXT_NONE : text_trim(h->words);
    bool is_end;

    if (words.n > 0)
        stt_turn_begin(d, first);
    buf_clear(&d->interim);
    if (h->is_final) {
        stt_words_add(&d->words, words);
        d->resume = last > d->resume ? last : d->resume;
        d->score = words.n > 0 ? h->confidence : d->score;
    } else {
        stt_words_add(&d->interim, words);
    }
    is_end = h->is_final && d->is_open && (h->is_speech_final || (h->is_from_finalize && is_void));
    /* An end without words that comes while speech is heard belongs to the silence before it. */
    if (is_end && (d->words.n > 0 || d->is_void || !d->vad.speaking))
        turn_end(d);
    else if (words.n > 0)
        partial_tell(d);
}

static void on_heard(struct stt_deepgram *d, const struct deepgram_heard *h)
{
    int64_t onset;

    switch (h->kind) {
    case HEARD_RESULTS:
        on_results(d, h);
        break;
    case HEARD_SPEECH:             /* by sound alone: noise, too */
        onset = h->start >= 0 ? stt_deepgram_sample(d, h->start) : stt_deepgram_own_onset(d);
        if (onset >= d->void_until)
            stt_turn_begin(d, onset);
        break;
    case HEARD_UTTERANCE_END:      /* after a speech_final it finds nothing */
        if (d->is_open && d->words.n > 0)
            turn_end(d);
        break;
    default:
        d->unknown++;
        break;
    }
}

/* The service has not said so: what there is has to do. */
static void on_late(struct stt_deepgram *d)
{
    stt_words_add(&d->words, buf_text(&d->interim));
    turn_end(d);
}

/* Finals stay; what they do not hold is heard again. */
static void on_lost(struct stt_deepgram *d)
{
    buf_clear(&d->interim);
}

/* Without it what follows would come in one piece with what is not wanted. */
static void on_discard(struct stt_deepgram *d)
{
    stt_deepgram_send(d, TEXT("{\"type\":\"Finalize\"}"));
}

static const struct stt_dialect dialect = {
    .piece = PIECE, .quiet_ms = QUIET_MS, .url_add = url_add, .on_heard = on_heard, .on_late = on_late, .on_lost = on_lost, .on_discard = on_discard,
};

int stt_listen_new(struct stt **out, struct loop *l, struct dialer *d, const struct stt_settings *s, const struct log *log,
                   const struct stt_handlers *on, void *arg)
{
    return stt_deepgram_new(out, &dialect, l, d, s, log, on, arg);
}
