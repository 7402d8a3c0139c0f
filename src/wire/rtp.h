/* RTP packets (RFC 3550) and telephone events (RFC 4733). Pure; any thread.
 * Facts: what Asterisk 22.10.1 sends and takes on an external-media channel; both sides agree on the format beforehand. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum {
    RTP_HEAD = 12,
    RTP_PACKET_MAX = 1500,         /* one Ethernet frame: larger ones are not ours */
    /* Asterisk's payload types: 0 and 8 are everybody's, the others its own static ones. */
    RTP_ULAW = 0, RTP_ALAW = 8, RTP_G722 = 9, RTP_SLIN = 10, RTP_EVENT = 101, RTP_SLIN16 = 118,
};

struct rtp_packet {
    uint8_t type;
    bool has_marker;
    uint16_t seq;
    uint32_t timestamp, ssrc;
    const uint8_t *payload;        /* into the datagram: without CSRC list, extension and padding */
    size_t n;
};

/* 0, or -EPROTO with a sentence in *why. */
int rtp_parse(struct rtp_packet *out, const uint8_t *bytes, size_t n, const char **why) MUST_USE;
/* Writes RTP_HEAD bytes; the payload is the caller's. */
void rtp_put_head(uint8_t *out, const struct rtp_packet *p);
/* How far b lies behind a, over the wrap at 65536: -32768..32767. */
int rtp_seq_diff(uint16_t a, uint16_t b);

struct rtp_event {
    char digit;                    /* '\0': an event that is no digit (flash, tones) */
    bool is_end;
    uint16_t duration;             /* in units of the timestamp */
};
/* 0, or -EPROTO when the payload is too short. */
int rtp_event_parse(struct rtp_event *out, const uint8_t *payload, size_t n) MUST_USE;
