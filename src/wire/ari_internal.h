/* What the ARI readers share: the check that stands before cJSON. Not for outsiders. */
#pragma once

#include <cjson/cJSON.h>

#include "base/text.h"

/* Events are small; a list of a busy node's channels is not. */
enum { ARI_JSON_BYTES_MAX = 1 << 20, ARI_JSON_ANSWER_MAX = 16 << 20, ARI_JSON_DEPTH_MAX = 32 };

/* Checks size, depth and grammar, then parses. 0; -EPROTO with *why a short static sentence; -ENOMEM. */
int ari_json_parse(struct text json, size_t bytes_max, cJSON **out, const char **why) MUST_USE;
/* The string of that name: TEXT_NONE when absent, null or of another kind. The first of equal names counts. */
struct text ari_json_text(const cJSON *object, const char *name);
