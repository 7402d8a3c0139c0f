/* Judges what a client of Deepgram asks for in the address of an endpoint. Written from the specification. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "sim/shape.h"

enum { DG_QUERY_MAX = 40 };

struct dg_query {
    size_t count;
    struct {
        struct text name, value;   /* as they stand in the address */
    } items[DG_QUERY_MAX];
};

enum dg_value { DG_WORD, DG_NUMBER, DG_SWITCH, DG_ENCODING, DG_PAUSE };

struct dg_parameter {
    const char *name;              /* NULL: the end of the list */
    enum dg_value value;
    bool is_needed;
    double least, most;            /* of a number */
    const char *begins;            /* a word has to begin so, one of them, with blanks between; NULL: any */
};

/* Cuts "/path?a=b&c" into its parameters; the path is left in *path. False: too many. */
bool dg_query_read(struct text target, struct text *path, struct dg_query *out);
void dg_query_check(const struct dg_query *q, const struct dg_parameter *known, struct shape_complaint *to);
/* The last of that name, or absent. */
struct text dg_query_word(const struct dg_query *q, const char *name);
double dg_query_number(const struct dg_query *q, const char *name, double otherwise);
bool dg_query_is_on(const struct dg_query *q, const char *name);

/* Messages of a client of the Voice Agent: nested parts are judged, too. */
void dg_agent_check(const cJSON *message, struct shape_complaint *to);
