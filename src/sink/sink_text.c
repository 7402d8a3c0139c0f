/* One job: make what a driver or a server said fit to be shown: one line, without the sink's secrets. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sink/sink_parts.h"

/* Shorter ones would star ordinary words, and could not be hidden anyway. */
enum { SECRET_MIN = 3 };

static void hide(char *why, const char *secret, size_t n)
{
    char *at = why;

    if (!secret || n < SECRET_MIN)
        return;
    while ((at = memmem(at, strlen(at), secret, n)) != NULL) {
        const size_t stars = n < 3 ? n : 3;

        memset(at, '*', stars);
        memmove(at + stars, at + n, strlen(at + n) + 1);
        at += stars;
    }
    /* A text that was cut may end within the secret. */
    for (size_t k = n - 1; k >= SECRET_MIN; k--) {
        const size_t len = strlen(why);

        if (len >= k && len + 1 >= SINK_WHY && memcmp(why + len - k, secret, k) == 0) {
            strcpy(why + len - k, "***");
            return;
        }
    }
}

static void hide_both_forms(char *why, const char *secret)
{
    struct buf b;

    if (!secret)
        return;
    hide(why, secret, strlen(secret));
    buf_init(&b, 8192);
    if (buf_add_url(&b, text_of(secret)) == 0)
        hide(why, b.p, b.n);
    buf_free(&b);
}

/* scheme://user:PASSWORD@host, and what follows a "?" (tokens stand there). */
static void hide_of_url(char *why, const char *url)
{
    const char *from = url ? strstr(url, "://") : NULL, *path, *at, *colon, *query;

    if (!from)
        return;
    from += 3;
    path = from + strcspn(from, "/?#");
    query = strchr(from, '?');
    at = memrchr(from, '@', (size_t)(path - from));
    colon = at ? memchr(from, ':', (size_t)(at - from)) : NULL;
    if (colon)
        hide(why, colon + 1, (size_t)(at - colon - 1));
    if (query)
        hide(why, query + 1, strlen(query + 1));
}

void sink_why_clean(char *why, const struct sink_settings *set)
{
    hide_both_forms(why, set->secret);
    hide_both_forms(why, set->hmac_secret);
    hide_of_url(why, set->url);
    for (char *p = why; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = ' ';
    while (*why && why[strlen(why) - 1] == ' ')
        why[strlen(why) - 1] = 0;
}

char *sink_problem(const char *fmt, ...)
{
    char *out = NULL;
    va_list ap;

    va_start(ap, fmt);
    if (vasprintf(&out, fmt, ap) < 0)
        out = NULL;
    va_end(ap);
    return out;
}
