/* AudioSocket frames: 1 byte kind, 2 bytes length (big-endian), payload. Samples are 16-bit little-endian
 * (host order of Asterisk's machine: res/res_audiosocket.c copies memory). Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/text.h"
#include "base/uuid.h"

enum {
    AUDIOSOCKET_HANGUP = 0x00,     /* us -> Asterisk only, without payload */
    AUDIOSOCKET_UUID = 0x01,       /* Asterisk -> us, first frame, once, 16 bytes */
    AUDIOSOCKET_DTMF = 0x03,       /* Asterisk -> us only: one sent by us kills the call */
    AUDIOSOCKET_AUDIO = 0x10,      /* 8 kHz; 0x11 12k ... 0x18 192k */
    AUDIOSOCKET_AUDIO_LAST = 0x18,
    AUDIOSOCKET_ERROR = 0xff,
    AUDIOSOCKET_HEAD = 3,
    AUDIOSOCKET_MAX_PAYLOAD = 8192, /* 20 ms at 192 kHz is 7680 */
    AUDIOSOCKET_FAULT_MAX = 120,
};

struct audiosocket_frame {
    uint8_t kind;
    const uint8_t *payload;        /* borrowed from the reader or from its input; valid until the next read, and while the input is */
    uint16_t n;
};

/* Push reader with its own small store, so frames may be cut anywhere. */
struct audiosocket_reader {
    uint8_t store[AUDIOSOCKET_HEAD + AUDIOSOCKET_MAX_PAYLOAD];
    size_t have;
    uint16_t max_payload;
    char fault[AUDIOSOCKET_FAULT_MAX];
};

void audiosocket_reader_init(struct audiosocket_reader *r, uint16_t max_payload);
/* Takes bytes off the front of *in. 1: *out is a frame; 0: need more, *in is empty; -EMSGSIZE: a length over the limit,
 * text in fault. Unknown kinds are frames too: the caller skips them. */
int audiosocket_read(struct audiosocket_reader *r, struct text *in, struct audiosocket_frame *out) MUST_USE;
/* True in the middle of a frame: end of stream now means a cut frame. */
bool audiosocket_is_partial(const struct audiosocket_reader *r);

void audiosocket_put_head(uint8_t out[AUDIOSOCKET_HEAD], uint8_t kind, uint16_t n);
/* Writes a whole audio frame (head, then samples little-endian) and returns its size. out holds 3 + 2*n bytes. */
size_t audiosocket_put_audio(uint8_t *out, uint8_t kind, const int16_t *pcm, size_t samples);
/* Little-endian bytes to samples; returns samples (an odd last byte is dropped and counts as `odd`). */
size_t audiosocket_get_audio(const struct audiosocket_frame *f, int16_t *out, size_t max_samples, bool *odd);
/* 8000..192000, or 0 for a kind that is not audio. */
unsigned audiosocket_rate(uint8_t kind);
/* As Asterisk calls the format of that rate, "slin16"; NULL when there is no kind for it. */
const char *audiosocket_format(unsigned rate_hz);
/* 0 when there is no kind for that rate. */
uint8_t audiosocket_kind(unsigned rate_hz);
