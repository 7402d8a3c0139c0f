/* Asterisk's own files, read where they are at hand. */
#include "app/doctor/checks.h"

#include <errno.h>
#include <stdio.h>

const char *doctor_etc_path(const struct doctor_etc *e, const char *name, char *out, size_t size)
{
    snprintf(out, size, "%s/%s", e && e->folder ? e->folder : "/etc/asterisk", name);
    return out;
}

/* 127.0.0.1 for a node here; elsewhere every address, as nothing closer is known. */
const char *doctor_door_lines(const char *url, const char *port_key, char *out, size_t size)
{
    const bool is_tls = text_starts(text_of(url), TEXT("tls://")) || text_starts(text_of(url), TEXT("https://"));
    const bool is_web = text_starts(text_of(url), TEXT("http"));
    const char *bind = config_url_is_this_machine(url) ? "127.0.0.1" : "0.0.0.0";
    struct text host = text_of(url);
    ptrdiff_t at = text_find_text(host, TEXT("://"));
    struct text port = text_of(is_web ? is_tls ? "8089" : "8088" : is_tls ? "5039" : "5038");

    host = text_skip(host, at < 0 ? 0 : (size_t)at + 3);
    at = text_find(host, '/');
    if (at >= 0)
        host = text_head(host, (size_t)at);
    at = text_rfind(host, ':');
    if (at >= 0 && !text_ends(host, TEXT("]")))
        port = text_skip(host, (size_t)at + 1);
    if (is_tls)
        snprintf(out, size, "[general]\nenabled = yes\ntlsenable = yes\ntlsbindaddr = %s:%.*s\ntlscertfile = /path/to/certificate-and-key.pem", bind, TEXT_ARG(port));
    else
        snprintf(out, size, "[general]\nenabled = yes\nbindaddr = %s\n%s = %.*s", bind, port_key, TEXT_ARG(port));
    return out;
}

/* curl: "Could not resolve host: NAME". */
bool doctor_is_name_unknown(int err, const char *why)
{
    return err == -EHOSTUNREACH && text_find_text(text_of(why), TEXT("resolve")) >= 0;
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
