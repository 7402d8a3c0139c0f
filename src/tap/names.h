/* Numbers for the names of headers and events, so that nobody behind the parser compares texts. Pure.
 * A number is this program's own and may differ in the next version: what is stored holds the names. */
#pragma once

#include <stdint.h>

#include "base/text.h"
#include "tap/names_list.h"

#define TAP_NUMBER(symbol_, name_) symbol_,
enum tap_header { TAP_H_OTHER, TAP_HEADERS(TAP_NUMBER) TAP_HEADERS_END };
enum tap_name { TAP_E_OTHER, TAP_EVENTS(TAP_NUMBER) TAP_EVENTS_END };
#undef TAP_NUMBER

/* Case does not matter. TAP_H_OTHER / TAP_E_OTHER: not in the list. */
enum tap_header tap_header_of(struct text name);
enum tap_header tap_header_of_hash(struct text name, uint32_t hash);     /* who has its name_hash already */
enum tap_name tap_name_of(struct text name);
struct text tap_header_text(enum tap_header h);   /* "" of TAP_H_OTHER */
struct text tap_name_text(enum tap_name n);
