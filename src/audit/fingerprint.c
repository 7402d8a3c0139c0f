/* Makes the fingerprint of a finding. */
#include "audit/fingerprint.h"

#include <stdio.h>
#include <string.h>

#include "audit/excerpt.h"
#include "base/sha256.h"

enum { LINE_MAX_BYTES = 64 * 1024 };

const char *fingerprint_file(const struct audit *a, const char *file)
{
    const size_t n = strlen(a->opt.folder);

    if (!file)
        return "";
    if (strncmp(file, a->opt.folder, n) != 0 || (n && a->opt.folder[n - 1] != '/' && file[n] != '/'))
        return file;
    return file + n + strspn(file + n, "/");
}

/* Up to its "]": what follows it may be a list of templates that grows. */
static struct text section_name(struct text header)
{
    const ptrdiff_t close = text_find(header, ']');

    return text_trim(close < 0 ? header : text_head(header, (size_t)close));
}

int fingerprint_make(char out[FINGERPRINT_HEX + 1], const struct audit *a, struct source *s, const struct audit_finding *f)
{
    uint8_t digest[SHA256_BYTES];
    struct sha256 h;
    struct buf line;
    int err;

    buf_init(&line, LINE_MAX_BYTES);
    err = excerpt_plain(&line, s, &f->place);
    if (!err)
        err = source_error(s);
    if (!err) {
        sha256_begin(&h);
        sha256_add(&h, text_of(f->rule->code));
        sha256_add(&h, TEXT("\n"));
        sha256_add(&h, text_of(fingerprint_file(a, f->place.file)));
        sha256_add(&h, TEXT("\n"));
        sha256_add(&h, section_name(source_section(s, f->place.file, f->place.line)));
        sha256_add(&h, TEXT("\n"));
        sha256_add(&h, buf_text(&line));
        sha256_end(&h, digest);
        for (size_t i = 0; i < FINGERPRINT_HEX / 2; i++)
            snprintf(out + 2 * i, 3, "%02x", digest[i]);
    }
    buf_free(&line);
    return err;
}
