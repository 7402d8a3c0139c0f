/* Decides when silence has lasted too long, and whose it is: the provider's, a tool's or the caller's. Pure: time is handed in. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum patience_wish { PATIENCE_NOTHING, PATIENCE_SORRY, PATIENCE_FILLER, PATIENCE_NO_INPUT, PATIENCE_END };

struct patience_limits {
    int64_t sorry_ms, filler_ms, no_input_ms; /* 0: never */
    unsigned no_input_times;
};

/* What is so at one moment. */
struct patience_view {
    bool agent_talks;              /* sound is there for the caller to hear */
    bool is_dry;                   /* it began a sentence whose rest has not come */
    bool caller_talks;
    bool has_tool;                 /* one is under way */
};

struct patience {
    struct patience_limits limit;
    bool is_owed;                  /* the provider has the word */
    int64_t owed_ms, tool_ms, quiet_ms; /* since when; -1: it is not so */
    unsigned said_sorry;           /* times in this wait */
    bool said_filler;
    unsigned asked;                /* times that the caller was asked whether he is there */
};

void patience_init(struct patience *p, const struct patience_limits *limit);
/* An answer is owed from now on: the talk began, the caller's turn ended, a tool has answered, somebody else has taken over. */
void patience_owe(struct patience *p, int64_t now_ms);
/* The answer has come, or none will. */
void patience_settle(struct patience *p);
/* The sorry phrase has been said for another reason. */
void patience_has_said_sorry(struct patience *p);
/* The caller did something. */
void patience_input(struct patience *p);
/* Call it some times a second; the wish is to be carried out. */
enum patience_wish patience_step(struct patience *p, const struct patience_view *v, int64_t now_ms);
