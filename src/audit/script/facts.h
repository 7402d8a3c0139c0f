/* What a script's source says of it: AGI commands, variables, traits, and what they add up to. Pure; names are copied into the arena. */
#pragma once

#include "audit/inventory.h"

/* By the first line, else by the end of the name, else by the bytes. */
enum inventory_language script_language(struct text path, struct text source);
/* Fills commands, reads, sets, traits, lines. s->language must be set. 0 or -ENOMEM. */
int script_facts(struct inventory_script *s, struct arena *memory, struct text source) MUST_USE;
/* Class, risk and advice, with their reasons. 0 or -ENOMEM. */
int script_judge(struct inventory_script *s, struct arena *memory) MUST_USE;
