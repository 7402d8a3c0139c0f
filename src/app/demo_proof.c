/* Decides whether the demo's call was what it should be. */
#include "app/demo_proof.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <string.h>

#include "app/demo_files.h"

static const char *str(const cJSON *o, const char *key)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);

    return cJSON_IsString(v) ? v->valuestring : "";
}

static int64_t num(const cJSON *o, const char *key)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);

    return cJSON_IsNumber(v) ? (int64_t)v->valuedouble : 0;
}

static void on_caller_said(struct demo_proof *p, const cJSON *o)
{
    const cJSON *accepted = cJSON_GetObjectItemCaseSensitive(o, "accepted");

    if (!(cJSON_IsTrue(accepted) || (cJSON_IsNumber(accepted) && accepted->valuedouble > 0)))
        return;
    if (strcmp(str(o, "intent"), "hours") == 0 && strcmp(str(o, "text"), DEMO_QUESTION) == 0)
        p->done[STEP_QUESTION] = true;
    if (strcmp(str(o, "intent"), "operator") == 0 && strcmp(str(o, "text"), DEMO_REQUEST) == 0)
        p->done[STEP_REQUEST] = true;
}

static void on_figures(struct demo_proof *p, const cJSON *o)
{
    if (strcmp(str(o, "route"), "caller-name") != 0)
        return;
    p->agi_commands = num(o, "commands");
    p->agi_p50_us = num(o, "command_p50_us");
    p->agi_p99_us = num(o, "command_p99_us");
}

static void take(struct demo_proof *p, const struct fact *f, const cJSON *o)
{
    if (strcmp(f->kind, "agi.end") == 0)
        p->named_by_daemon |= strcmp(str(o, "name"), DEMO_CALLER_NAME) == 0;
    else if (strcmp(f->kind, "stasis.start") == 0)
        p->stasis_us = f->wall_us;
    else if (strcmp(f->kind, "stasis.media") == 0)
        p->media_us = f->wall_us;
    else if (strcmp(f->kind, "caller.said") == 0)
        on_caller_said(p, o);
    else if (strcmp(f->kind, "tool") == 0)
        p->done[STEP_TOOL] |= strcmp(str(o, "name"), "opening_hours") == 0 && strcmp(str(o, "outcome"), "ok") == 0;
    else if (strcmp(f->kind, "agent.said") == 0)
        p->answer_told |= strstr(str(o, "text"), "We are open from nine") != NULL;
    else if (strcmp(f->kind, "barge_in") == 0)
        p->barge_in_told |= strcmp(str(o, "by"), "voice") == 0 && num(o, "played_ms") > 0;
    else if (strcmp(f->kind, "figures") == 0)
        on_figures(p, o);
}

void demo_proof_fact(struct demo_proof *p, const struct fact *f)
{
    cJSON *o = cJSON_Parse(f->detail);

    if (o)
        take(p, f, o);
    cJSON_Delete(o);
}

void demo_proof_moment(struct demo_proof *p, int64_t wall_us, const char *what, const char *detail)
{
    if (strcmp(what, "heard-start") == 0) {
        if (!p->first_heard_us)
            p->first_heard_us = wall_us;
        if (p->question_end_us && !p->answer_heard_us) {
            p->answer_heard_us = wall_us;
            p->done[STEP_ANSWER] = true;
        }
    } else if (strcmp(what, "said-start") == 0 && strcmp(detail, "say " DEMO_REQUEST) == 0) {
        p->cut_in_us = wall_us;
    } else if (strcmp(what, "said-stop") == 0 && strcmp(detail, "say " DEMO_QUESTION) == 0) {
        p->question_end_us = wall_us;
    } else if (strcmp(what, "heard-stop") == 0 && p->cut_in_us && !p->cut_heard_us && wall_us > p->cut_in_us) {
        p->cut_heard_us = wall_us;
        p->done[STEP_BARGE_IN] = true;
    }
}

void demo_proof_event(struct demo_proof *p, struct text step, struct text status, struct text caller_name, struct text reason)
{
    if (text_eq(step, TEXT("asked"))) {
        p->done[STEP_NAMED] = text_eq(caller_name, TEXT(DEMO_CALLER_NAME));
        p->done[STEP_HANDOFF] = text_eq(status, TEXT("HANDOFF"));
    } else if (text_eq(step, TEXT("resumed"))) {
        p->done[STEP_BACK] = text_eq(status, TEXT("OK")) && text_eq(reason, TEXT("operator"));
    } else if (text_eq(step, TEXT("measured"))) {
        p->done[STEP_MEASURED] = text_eq(status, TEXT("OK"));
    }
}

static const char *const step_names[STEP_COUNT] = {
    [STEP_NAMED] = "the look-up named the caller, and Asterisk shows that name",
    [STEP_HANDOFF] = "the dialplan was told to hand the call off",
    [STEP_QUESTION] = "the caller's question was recognised from its sound",
    [STEP_TOOL] = "a tool gave the opening hours",
    [STEP_ANSWER] = "the caller heard the agent's answer",
    [STEP_BARGE_IN] = "the caller cut in, and heard the agent stop",
    [STEP_REQUEST] = "the request made while interrupting was recognised",
    [STEP_BACK] = "the dialplan went on with SIDETONE_STATUS=OK",
    [STEP_MEASURED] = "more look-ups were made for the figures",
    [STEP_CLEAN] = "no channel and no bridge left behind, the daemon ended in order",
};

static void print_ms(FILE *to, const char *what, int64_t from_us, int64_t to_us)
{
    if (from_us && to_us)
        fprintf(to, "  %-48s %8.0f ms\n", what, (double)(to_us - from_us) / 1000);
    else
        fprintf(to, "  %-48s  not seen\n", what);
}

bool demo_proof_print(const struct demo_proof *p, FILE *to)
{
    bool all = true;

    fprintf(to, "\nDid it really happen?\n");
    for (int i = 0; i < STEP_COUNT; i++) {
        bool done = p->done[i];

        /* Both sides must say so: the daemon that did it, and the one who saw it from outside. */
        if (i == STEP_NAMED)
            done = done && p->named_by_daemon;
        if (i == STEP_ANSWER)
            done = done && p->answer_told;
        if (i == STEP_BARGE_IN)
            done = done && p->barge_in_told;
        fprintf(to, "  %-3s  %s\n", done ? "yes" : "NO", step_names[i]);
        all = all && done;
    }
    fprintf(to, "\nFigures\n");
    if (p->agi_commands > 0)
        fprintf(to, "  %-48s %8.2f ms p50, %.2f ms p99 (%" PRId64 " commands)\n", "AGI command, from our write to its reply",
                (double)p->agi_p50_us / 1000, (double)p->agi_p99_us / 1000, p->agi_commands);
    print_ms(to, "voice path up, from entering Stasis", p->stasis_us, p->media_us);
    print_ms(to, "first audio the caller hears, from entering Stasis", p->stasis_us, p->first_heard_us);
    print_ms(to, "answer heard, from the end of the question", p->question_end_us, p->answer_heard_us);
    print_ms(to, "barge-in, caller's first sound to agent silent", p->cut_in_us, p->cut_heard_us);
    return all;
}
