/* Finds the number of a name in tables that are made at build time. */
#include "tap/names.h"

#include "tap/names_hash.h"
#include "tap/names_slots.h"

#define NAME(symbol_, name_) [symbol_] = { .p = name_, .n = sizeof(name_) - 1 },
static const struct text headers[TAP_HEADERS_END] = { [TAP_H_OTHER] = { .p = "", .n = 0 }, TAP_HEADERS(NAME) };
static const struct text events[TAP_EVENTS_END] = { [TAP_E_OTHER] = { .p = "", .n = 0 }, TAP_EVENTS(NAME) };

static uint16_t find(const uint16_t *slots, const struct text *names, struct text name)
{
    uint32_t at = names_hash(name.p, name.n) % NAME_SLOTS;

    while (slots[at] && !text_eq_nocase(names[slots[at]], name))
        at = (at + 1) % NAME_SLOTS;
    return slots[at];
}

enum tap_header tap_header_of(struct text name)
{
    return find(header_slots, headers, name);
}

enum tap_name tap_name_of(struct text name)
{
    return find(event_slots, events, name);
}

struct text tap_header_text(enum tap_header h)
{
    return headers[h < TAP_HEADERS_END ? h : TAP_H_OTHER];
}

struct text tap_name_text(enum tap_name n)
{
    return events[n < TAP_EVENTS_END ? n : TAP_E_OTHER];
}
