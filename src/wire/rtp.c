/* Reads and writes the heads of RTP packets. */
#include "wire/rtp.h"

#include <errno.h>

enum { CSRC_BYTES = 4, EXTENSION_HEAD = 4, EVENT_BYTES = 4 };

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static int refuse(const char **why, const char *sentence)
{
    *why = sentence;
    return -EPROTO;
}

int rtp_parse(struct rtp_packet *out, const uint8_t *bytes, size_t n, const char **why)
{
    size_t at, end = n;

    if (n < RTP_HEAD)
        return refuse(why, "a packet shorter than an RTP header");
    if (bytes[0] >> 6 != 2)
        return refuse(why, "a packet that is not RTP version 2");
    at = RTP_HEAD + (size_t)(bytes[0] & 15) * CSRC_BYTES;
    if (at > n)
        return refuse(why, "a CSRC list longer than the packet");
    if (bytes[0] & 0x10) {
        if (n - at < EXTENSION_HEAD)
            return refuse(why, "a header extension cut short");
        at += EXTENSION_HEAD + (size_t)get16(bytes + at + 2) * 4;
        if (at > n)
            return refuse(why, "a header extension longer than the packet");
    }
    if (bytes[0] & 0x20) {         /* the last byte counts the padding, itself too */
        const size_t padding = bytes[n - 1];

        if (padding == 0 || padding > n - at)
            return refuse(why, "padding longer than the payload, or none where some was announced");
        end = n - padding;
    }
    *out = (struct rtp_packet){
        .type = bytes[1] & 0x7f, .has_marker = bytes[1] & 0x80, .seq = get16(bytes + 2), .timestamp = get32(bytes + 4),
        .ssrc = get32(bytes + 8), .payload = bytes + at, .n = end - at,
    };
    return 0;
}

static void put16(uint8_t *out, unsigned v)
{
    out[0] = (uint8_t)(v >> 8);
    out[1] = (uint8_t)v;
}

void rtp_put_head(uint8_t *out, const struct rtp_packet *p)
{
    out[0] = 2 << 6;
    out[1] = (uint8_t)((p->has_marker ? 0x80 : 0) | (p->type & 0x7f));
    put16(out + 2, p->seq);
    put16(out + 4, p->timestamp >> 16);
    put16(out + 6, p->timestamp & 0xffff);
    put16(out + 8, p->ssrc >> 16);
    put16(out + 10, p->ssrc & 0xffff);
}

int rtp_seq_diff(uint16_t a, uint16_t b)
{
    return (int16_t)(uint16_t)(b - a);
}

int rtp_event_parse(struct rtp_event *out, const uint8_t *payload, size_t n)
{
    static const char digits[] = "0123456789*#ABCD";

    if (n < EVENT_BYTES)
        return -EPROTO;
    *out = (struct rtp_event){
        .digit = payload[0] < sizeof digits - 1 ? digits[payload[0]] : '\0',
        .is_end = payload[1] & 0x80,
        .duration = get16(payload + 2),
    };
    return 0;
}
