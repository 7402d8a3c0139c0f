/* Build-time program: prints the slots of tap/names.c, so that the tables are constants. */
#include <stdio.h>
#include <string.h>

#include "tap/names_list.h"
#include "wire/name_hash.h"

enum { SLOTS = 2048 };

#define NAME(symbol_, name_) { #symbol_, name_ },
static const struct named {
    const char *symbol, *name;
} headers[] = { TAP_HEADERS(NAME) }, events[] = { TAP_EVENTS(NAME) };

static void print_table(const char *what, const struct named *names, size_t count)
{
    const char *slots[SLOTS] = { NULL };

    for (size_t i = 0; i < count; i++) {
        size_t at = name_hash(names[i].name, strlen(names[i].name)) % SLOTS;

        while (slots[at])
            at = (at + 1) % SLOTS;
        slots[at] = names[i].symbol;
    }
    printf("static const uint16_t %s[%d] = {\n", what, SLOTS);
    for (size_t i = 0; i < SLOTS; i++)
        if (slots[i])
            printf("    [%zu] = %s,\n", i, slots[i]);
    printf("};\n");
}

int main(void)
{
    printf("/* Printed by names_make.c. */\nenum { NAME_SLOTS = %d };\n", SLOTS);
    print_table("header_slots", headers, sizeof headers / sizeof *headers);
    print_table("event_slots", events, sizeof events / sizeof *events);
    return 0;
}
