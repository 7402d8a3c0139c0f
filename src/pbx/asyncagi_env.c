/* Turns the environment of AsyncAGI into the one that FastAGI would have sent. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "pbx/asyncagi_parts.h"
#include "wire/agi.h"

static bool is_honest(const struct agi_env *e, ssize_t eaten, struct text all)
{
    struct text name, value;

    for (size_t i = 0; agi_env_at(e, i, &name, &value); i++)
        if (!text_starts(name, TEXT("agi_")))
            return false;
    return e->done && (size_t)eaten == all.n && !e->duplicates && !e->odd && !e->misplaced &&
           text_eq(agi_env_get(e, TEXT("agi_request")), TEXT("async"));
}

static void add(struct buf *out, struct text name, struct text value)
{
    buf_add_text(out, name);
    buf_add_text(out, TEXT(": "));
    buf_add_text(out, value);
    buf_add_char(out, '\n');
}

static void add_line(struct buf *out, struct text name, struct text value)
{
    const struct text prefix = TEXT("agi_arg_");
    char moved[40];
    int64_t number;

    if (!text_starts(name, prefix) || text_to_i64(text_skip(name, prefix.n), &number) || number < 1) {
        add(out, name, value);
    } else if (number > 1) {
        snprintf(moved, sizeof moved, "agi_arg_%" PRId64, number - 1);
        add(out, text_of(moved), value);
    }
}

int async_env_write(struct buf *out, struct text env)
{
    struct agi_env e;
    struct text name, value, route;
    ssize_t eaten;
    int err;

    agi_env_init(&e);
    eaten = agi_env_feed(&e, env.p, env.n);
    err = eaten == -ENOMEM ? -ENOMEM : eaten < 0 || !is_honest(&e, eaten, env) ? -EPROTO : 0;
    if (!err) {
        route = agi_env_arg(&e, 1);
        if (route.n)
            add(out, TEXT("agi_network_script"), route);
        for (size_t i = 0; agi_env_at(&e, i, &name, &value); i++)
            add_line(out, name, value);
        err = buf_add_char(out, '\n');
    }
    agi_env_free(&e);
    return err;
}
