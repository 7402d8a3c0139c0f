/* WAV files of 16-bit samples: a stream writer, a whole-file reader. */
#include "audio/wav.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HEADER_BYTES = 44,
    LOAD_MAX_BYTES = 64 * 1024 * 1024,
    FORMAT_PCM = 1,
    FORMAT_EXTENSIBLE = 0xfffe,
    WRITE_CHUNK = 2048, /* samples converted at a time */
};

struct wav_writer {
    FILE *f;
    uint32_t data_bytes;
    unsigned rate_hz, channels;
    int err; /* sticks */
};

static void put16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static void put32(uint8_t *p, uint32_t v)
{
    put16(p, v & 0xffff);
    put16(p + 2, v >> 16);
}

static unsigned get16(const uint8_t *p)
{
    return p[0] | (unsigned)p[1] << 8;
}

static uint32_t get32(const uint8_t *p)
{
    return get16(p) | (uint32_t)get16(p + 2) << 16;
}

static int write_header(struct wav_writer *w)
{
    uint8_t h[HEADER_BYTES] = "RIFF....WAVEfmt ....................data";
    const unsigned frame = w->channels * 2;

    put32(h + 4, w->data_bytes + HEADER_BYTES - 8);
    put32(h + 16, 16);
    put16(h + 20, FORMAT_PCM);
    put16(h + 22, w->channels);
    put32(h + 24, w->rate_hz);
    put32(h + 28, w->rate_hz * frame);
    put16(h + 32, frame);
    put16(h + 34, 16);
    put32(h + 40, w->data_bytes);
    return fwrite(h, 1, sizeof h, w->f) == sizeof h ? 0 : -EIO;
}

int wav_create(struct wav_writer **out, const char *path, unsigned rate_hz, unsigned channels)
{
    int err;

    if (rate_hz < 1000 || rate_hz > 192000 || channels < 1 || channels > 2)
        return -EINVAL;
    struct wav_writer *w = calloc(1, sizeof *w);
    if (!w)
        return -ENOMEM;
    w->rate_hz = rate_hz;
    w->channels = channels;
    w->f = fopen(path, "wbe");
    if (!w->f) {
        err = -errno;
        goto fail;
    }
    err = write_header(w);
    if (err)
        goto fail;
    *out = w;
    return 0;
fail:
    if (w->f)
        fclose(w->f);
    free(w);
    return err;
}

int wav_write(struct wav_writer *w, const int16_t *pcm, size_t frames)
{
    uint8_t bytes[WRITE_CHUNK * 2];

    if (w->err)
        return w->err;
    if (frames > (UINT32_MAX - HEADER_BYTES - w->data_bytes) / (w->channels * 2))
        return w->err = -EFBIG; /* the header's sizes are 32 bit */
    for (size_t left = frames * w->channels; left > 0;) {
        const size_t n = left < WRITE_CHUNK ? left : WRITE_CHUNK;
        for (size_t i = 0; i < n; i++)
            put16(bytes + i * 2, (uint16_t)pcm[i]);
        if (fwrite(bytes, 2, n, w->f) != n)
            return w->err = -EIO;
        w->data_bytes += (uint32_t)(n * 2);
        pcm += n;
        left -= n;
    }
    return 0;
}

int wav_flush(struct wav_writer *w)
{
    if (w->err)
        return w->err;
    /* The samples first: a header never promises what is not there. */
    if (fflush(w->f) || fseek(w->f, 0, SEEK_SET) || write_header(w) || fflush(w->f) || fseek(w->f, 0, SEEK_END))
        w->err = -EIO;
    return w->err;
}

int wav_close(struct wav_writer *w)
{
    if (!w)
        return 0;
    int err = w->err;
    if (!err && fseek(w->f, 0, SEEK_SET) != 0)
        err = -errno;
    if (!err)
        err = write_header(w);
    if (fclose(w->f) != 0 && !err)
        err = -EIO;
    free(w);
    return err;
}

static int file_read(const char *path, uint8_t **out, size_t *n)
{
    FILE *f = fopen(path, "rbe");
    uint8_t *bytes = NULL;
    int err = -EIO;

    if (!f)
        return -errno;
    if (fseek(f, 0, SEEK_END) != 0)
        goto done;
    const long size = ftell(f);
    if (size < 0 || fseek(f, 0, SEEK_SET) != 0)
        goto done;
    err = size > LOAD_MAX_BYTES ? -EFBIG : 0;
    if (err)
        goto done;
    bytes = malloc((size_t)size + 1);
    if (!bytes) {
        err = -ENOMEM;
        goto done;
    }
    if (fread(bytes, 1, (size_t)size, f) != (size_t)size) {
        err = -EIO;
        goto done;
    }
    *out = bytes;
    *n = (size_t)size;
    bytes = NULL;
done:
    free(bytes);
    fclose(f);
    return err;
}

struct layout {
    unsigned rate_hz, channels;
    const uint8_t *data;
    size_t data_bytes;
};

static bool format_read(const uint8_t *p, size_t n, struct layout *l)
{
    if (n < 16)
        return false;
    unsigned format = get16(p);
    if (format == FORMAT_EXTENSIBLE && n >= 26)
        format = get16(p + 24); /* the sub-format's first two bytes */
    l->channels = get16(p + 2);
    l->rate_hz = get32(p + 4);
    return format == FORMAT_PCM && get16(p + 14) == 16 && (l->channels == 1 || l->channels == 2) && l->rate_hz >= 1000 &&
           l->rate_hz <= 192000;
}

/* A data chunk whose size is larger than the file (a writer that was killed) ends with the file. */
static bool layout_find(const uint8_t *p, size_t n, struct layout *l)
{
    bool has_format = false;

    if (n < 12 || memcmp(p, "RIFF", 4) != 0 || memcmp(p + 8, "WAVE", 4) != 0)
        return false;
    for (size_t at = 12; n - at >= 8;) {
        const size_t size = get32(p + at + 4);
        const size_t have = n - at - 8;
        const uint8_t *body = p + at + 8;
        if (memcmp(p + at, "data", 4) == 0) {
            l->data = body;
            l->data_bytes = size < have ? size : have;
            return has_format;
        }
        if (size > have)
            return false;
        if (memcmp(p + at, "fmt ", 4) == 0) {
            if (!format_read(body, size, l))
                return false;
            has_format = true;
        }
        const size_t step = 8 + size + (size & 1);
        if (step > n - at)
            return false;
        at += step;
    }
    return false;
}

int wav_load(const char *path, int16_t **pcm, size_t *frames, unsigned *rate_hz, unsigned *channels)
{
    struct layout l = {0};
    uint8_t *bytes = NULL;
    size_t n = 0;
    int err = file_read(path, &bytes, &n);

    if (err)
        return err;
    if (!layout_find(bytes, n, &l)) {
        free(bytes);
        return -EBADMSG;
    }
    const size_t count = l.data_bytes / 2 / l.channels * l.channels;
    int16_t *samples = malloc(count * sizeof *samples + 1);
    if (!samples) {
        free(bytes);
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++)
        samples[i] = (int16_t)get16(l.data + i * 2);
    free(bytes);
    *pcm = samples;
    *frames = count / l.channels;
    *rate_hz = l.rate_hz;
    *channels = l.channels;
    return 0;
}
