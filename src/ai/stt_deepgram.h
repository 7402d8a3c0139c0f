/* What the ears at Deepgram share, /v1/listen and /v2/listen (Flux): the line, the sound that goes out on it, and the turn that is open. */
#pragma once

#include "ai/deepgram_heard.h"
#include "ai/stt_core.h"
#include "audio/vad.h"
#include "base/buf.h"
#include "net/websocket.h"

/* Sound that is kept for the time between two lines; the words of longer turns begin later. */
enum { STT_RING = 6 * STT_HZ, STT_SILENCE_MS = 600 };

struct stt_deepgram;
struct stt_line;

struct stt_dialect {
    size_t piece;                  /* samples of one message */
    int64_t quiet_ms;              /* of silence after which an open turn is over, whatever the service says */
    bool is_greeted;               /* ready with its Connected, not with the open socket */
    bool needs_sound;              /* also while the phone gives none; otherwise KeepAlive will do */
    void (*url_add)(struct buf *url, const struct stt_settings *s);
    void (*on_heard)(struct stt_deepgram *d, const struct deepgram_heard *h);
    void (*on_late)(struct stt_deepgram *d);     /* quiet_ms are over */
    void (*on_lost)(struct stt_deepgram *d);     /* another line will hear again what came after d->resume */
    void (*on_discard)(struct stt_deepgram *d);
};

struct stt_deepgram {
    struct stt_core core;          /* first */
    const struct stt_dialect *dialect;
    const struct stt_settings *settings;
    struct dialer *dialer;
    struct stt_line *line;         /* NULL: none */
    struct timer *watch;           /* something is due from the service */
    struct timer *retry, *gap;
    int64_t answer_ms;
    bool is_live, was_ready;
    bool is_owed;                  /* speech is heard here, and no word of it came */
    bool has_spoken;               /* the caller, by our own ear, since the last turn */
    unsigned reconnects_left;
    unsigned bad_run;              /* messages behind the other that could not be read */

    /* Sound, in samples since the beginning. */
    struct vad vad;
    int64_t total, sent;
    int64_t session_first;         /* the service's 0 s */
    int64_t resume;                /* another line hears again from here */
    int64_t quiet;                 /* so long nobody has spoken */
    int64_t at_us, at_sample;      /* a moment, and the sample that belongs to it */
    int64_t heard_until_us;
    bool was_fed;                  /* since the gap timer ran */
    int64_t idle_ms;               /* so long nothing was sent */

    /* The turn. */
    bool is_open;                  /* told by on_speech_started */
    bool is_void;                  /* its words are not wanted */
    bool is_likely;                /* Flux: on_turn was told, and may be taken back */
    int64_t onset, void_until;
    struct buf words, interim;
    double score;

    uint64_t messages, unknown, bad, dropped;  /* dropped: samples that found no line in time */
    unsigned reconnects;
    unsigned char ring[STT_RING];  /* mu-law; the newest at (total - 1) % STT_RING */
};

int stt_deepgram_new(struct stt **out, const struct stt_dialect *dialect, struct loop *l, struct dialer *d, const struct stt_settings *s,
                     const struct log *log, const struct stt_handlers *on, void *arg) MUST_USE;

/* For dialects. */
void stt_deepgram_begin(struct stt_deepgram *d);                       /* the line is ready */
void stt_deepgram_send(struct stt_deepgram *d, struct text message);
void stt_deepgram_lost(struct stt_deepgram *d, enum provider_error kind, bool may_retry, const char *detail);
/* Where a moment of this line lies; never behind what was sent. */
int64_t stt_deepgram_sample(const struct stt_deepgram *d, double seconds);
/* Where the present speech began by our own ear. */
int64_t stt_deepgram_own_onset(const struct stt_deepgram *d);
/* Once a turn. What began before void_until is not wanted. */
void stt_turn_begin(struct stt_deepgram *d, int64_t onset);
/* Tells on_speech_stopped and on_turn; without words if it is void. The turn stays open. */
void stt_turn_tell(struct stt_deepgram *d, struct text words);
void stt_turn_close(struct stt_deepgram *d);
/* Up to STT_WORDS_MAX; b holds what fits. */
void stt_words_add(struct buf *b, struct text words);
void stt_url_add(struct buf *url, const char *name, const char *value);  /* &name=value, unless NULL */
