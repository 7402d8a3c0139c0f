/* Asterisk's own files, read where they are at hand. */
#include "app/doctor/checks.h"

#include <stdio.h>

const char *doctor_etc_path(const struct doctor_etc *e, const char *name, char *out, size_t size)
{
    snprintf(out, size, "%s/%s", e && e->folder ? e->folder : "/etc/asterisk", name);
    return out;
}

static struct conf *load(const struct doctor_etc *e, const char *name)
{
    struct conf *c = NULL;
    char path[4096];

    return conf_load(&c, doctor_etc_path(e, name, path, sizeof path), &conf_disk) ? NULL : c;
}

void doctor_etc_load(struct doctor_etc *e, const char *folder)
{
    *e = (struct doctor_etc){ .folder = folder };
    if (!folder)
        return;
    e->manager = load(e, "manager.conf");
    e->ari = load(e, "ari.conf");
    e->http = load(e, "http.conf");
}

void doctor_etc_free(struct doctor_etc *e)
{
    conf_free(e->manager);
    conf_free(e->ari);
    conf_free(e->http);
    *e = (struct doctor_etc){ .folder = NULL };
}

void doctor_checks_run(const struct doctor_checks *checks, const struct doctor_context *x)
{
    for (size_t i = 0; i < checks->count; i++)
        checks->list[i].run(x, checks->list[i].name);
}
