/* Reads how old secrets are. */
#include "audit/ages.h"

#include <inttypes.h>
#include <string.h>

static const struct conf_section *section(const struct audit *a, const char *name)
{
    const struct conf *c = a->files[AUDIT_AGES];

    for (size_t i = 0; c && i < c->section_count; i++)
        if (text_eq(c->sections[i].name, text_of(name)))
            return &c->sections[i];
    return NULL;
}

static int64_t days_of(struct text value)
{
    int64_t days;

    return text_to_i64(value, &days) || days < 0 ? -1 : days;
}

int64_t age_limit(const struct audit *a)
{
    const struct conf_section *s = section(a, "limit");
    int64_t days = 0;

    for (size_t i = 0; s && i < s->count; i++)
        if (text_eq(s->items[i].name, TEXT("days")))
            days = days_of(s->items[i].value);
    return days > 0 ? days : 0;
}

/* "manager.conf" of "/etc/asterisk/manager.conf" where that folder is audited. */
static struct text in_folder(const struct audit *a, struct text path)
{
    const size_t n = strlen(a->opt.folder);

    if (!text_starts(path, text_of(a->opt.folder)) || path.n <= n || path.p[n] != '/')
        return path;
    return text_skip(path, n + 1);
}

static int64_t days_of_file(const struct audit *a, const char *file)
{
    const struct conf_section *s = section(a, "files");
    bool is_it = false;

    for (size_t i = 0; s && i < s->count; i++) {
        if (text_eq(s->items[i].name, TEXT("file")))
            is_it = text_eq(in_folder(a, s->items[i].value), in_folder(a, text_of(file)));
        else if (is_it && text_eq(s->items[i].name, TEXT("days")))
            return days_of(s->items[i].value);
    }
    return -1;
}

/* Nodes of other machines may have a user of the same name: the newest of them. */
static int64_t days_of_exchange(const struct audit *a, const char *door, struct text user)
{
    const struct conf_section *s = section(a, "exchanged");
    struct text now_door = TEXT_NONE, now_user = TEXT_NONE;
    int64_t newest = -1;

    for (size_t i = 0; s && i < s->count; i++) {
        const struct conf_item *item = &s->items[i];

        if (text_eq(item->name, TEXT("door"))) {
            now_door = item->value;
        } else if (text_eq(item->name, TEXT("user"))) {
            now_user = item->value;
        } else if (text_eq(item->name, TEXT("days")) && text_eq(now_door, text_of(door)) && text_eq(now_user, user)) {
            const int64_t days = days_of(item->value);

            if (days >= 0 && (newest < 0 || days < newest))
                newest = days;
        }
    }
    return newest;
}

struct age age_of_secret(const struct audit *a, const char *door, struct text user, struct conf_place place)
{
    const int64_t exchanged = days_of_exchange(a, door, user);

    return exchanged >= 0 ? (struct age){ exchanged, true } : (struct age){ days_of_file(a, place.file), false };
}

int age_find(struct audit *a, const struct audit_rule *rule, const char *door, const char *whose, struct text user, struct conf_place place)
{
    const int64_t limit = age_limit(a);
    const struct age age = age_of_secret(a, door, user, place);

    if (!limit || age.days <= limit)
        return 0;
    if (age.is_exchanged)
        return audit_find(a, rule, place, "the secret of %s %.*s was exchanged last %" PRId64 " days ago", whose, TEXT_ARG(user), age.days);
    return audit_find(a, rule, place, "the secret of %s %.*s is at least %" PRId64 " days old: so long its file has not been changed", whose, TEXT_ARG(user), age.days);
}
