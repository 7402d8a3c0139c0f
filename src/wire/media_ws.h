/* What Asterisk's chan_websocket and we say to each other beside the sound: text messages, plain ("MEDIA_START format:ulaw ...") or
 * JSON, as chan_websocket.conf or the channel's f() option says. Pure. Facts: Asterisk 22.10.1. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/text.h"

enum {
    MEDIA_WS_ID_MAX = 48,
    MEDIA_WS_SAID_MAX = 120,
    MEDIA_WS_COMMAND_MAX = 128,    /* Asterisk ignores a longer one, with a line in its log only */
};

enum media_ws_kind {
    MEDIA_WS_OTHER,                /* a word we do not act on */
    MEDIA_WS_START,
    MEDIA_WS_DIGIT,
    MEDIA_WS_XOFF,                 /* 900 of 1000 frames wait */
    MEDIA_WS_XON,
    MEDIA_WS_MARK,
    MEDIA_WS_ERROR,
};

struct media_ws_event {
    enum media_ws_kind kind;
    bool is_json;                  /* how it was said, and how Asterisk wants to be spoken to */
    char format[16];               /* START */
    unsigned frame_bytes, ptime_ms; /* START; frame_bytes 0: passed through unframed */
    char digit;                    /* DIGIT */
    char id[MEDIA_WS_ID_MAX];      /* MARK; "" when it had none or a longer one */
    char said[MEDIA_WS_SAID_MAX];  /* ERROR, as one printable line */
};

enum media_ws_command { MEDIA_WS_SAY_MARK, MEDIA_WS_SAY_FLUSH, MEDIA_WS_SAY_BUFFER };

/* 0; -EPROTO with *why a short static sentence: not JSON though it begins so, no word, a START without its numbers, a digit that is none;
 * -ENOMEM. */
int media_ws_parse(struct media_ws_event *out, struct text message, const char **why) MUST_USE;
/* id: for MARK; letters, digits, '-' and '_' only. Returns the length. */
size_t media_ws_put(char out[MEDIA_WS_COMMAND_MAX], bool is_json, enum media_ws_command command, const char *id);
