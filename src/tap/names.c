/* Finds the number of a name in tables that are made at build time. */
#include "tap/names.h"

#include "tap/names_slots.h"
#include "wire/name_hash.h"

#define NAME(symbol_, name_) [symbol_] = { .p = name_, .n = sizeof(name_) - 1 },
static const struct text headers[TAP_HEADERS_END] = { [TAP_H_OTHER] = { .p = "", .n = 0 }, TAP_HEADERS(NAME) };
static const struct text events[TAP_EVENTS_END] = { [TAP_E_OTHER] = { .p = "", .n = 0 }, TAP_EVENTS(NAME) };

/* Asterisk writes a name as the list has it, nearly always: that is looked at first. */
static bool is_same(struct text listed, struct text name)
{
    return listed.n == name.n && (name_is_same(listed.p, name.p, name.n) || text_eq_nocase(listed, name));
}

static uint16_t find(const uint16_t *slots, const struct text *names, struct text name, uint32_t hash)
{
    uint32_t at = hash % NAME_SLOTS;

    while (slots[at] && !is_same(names[slots[at]], name))
        at = (at + 1) % NAME_SLOTS;
    return slots[at];
}

enum tap_header tap_header_of_hash(struct text name, uint32_t hash)
{
    return find(header_slots, headers, name, hash);
}

enum tap_header tap_header_of(struct text name)
{
    return find(header_slots, headers, name, name_hash(name.p, name.n));
}

enum tap_name tap_name_of(struct text name)
{
    return find(event_slots, events, name, name_hash(name.p, name.n));
}

struct text tap_header_text(enum tap_header h)
{
    return headers[h < TAP_HEADERS_END ? h : TAP_H_OTHER];
}

struct text tap_name_text(enum tap_name n)
{
    return events[n < TAP_EVENTS_END ? n : TAP_E_OTHER];
}
