/* One job: turn a sink's section of the configuration, and the template it names, into settings. */
#include "app/sink_setup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { TEMPLATE_MAX = 256 * 1024 };

static int read_template(const char *path, char **out, char **why)
{
    FILE *f = fopen(path, "re");
    size_t n;

    if (!f)
        return -errno;
    *out = calloc(1, TEMPLATE_MAX + 1);
    n = *out ? fread(*out, 1, TEMPLATE_MAX + 1, f) : 0;
    fclose(f);
    if (!*out)
        return -ENOMEM;
    if (n <= TEMPLATE_MAX)
        return 0;
    free(*out);
    *out = NULL;
    *why = text_dup(TEXT("the template is larger than 256 KiB"));
    return -EFBIG;
}

static const char *secret_or_none(const struct secret *s)
{
    return secret_is_set(s) ? secret_reveal(s) : NULL;
}

int sink_setup(struct sink_settings *out, const struct config_sink *k, char **template_text, char **why)
{
    const int err = k->template_file ? read_template(k->template_file, template_text, why) : 0;

    *out = (struct sink_settings){
        .name = k->head.name, .url = k->url, .user = k->user, .secret = secret_or_none(&k->secret), .file = k->file,
        .rotate_bytes = k->rotate_bytes, .subject = k->subject, .stream = k->stream, .template_text = *template_text,
        .hmac_secret = secret_or_none(&k->hmac_secret), .table_prefix = k->table_prefix, .ca = k->ca,
        .is_insecure = k->insecure, .deadline_ms = k->deadline_ms,
    };
    return err;
}
