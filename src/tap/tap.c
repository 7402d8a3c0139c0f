/* The tap's thread: one loop for the sessions of all nodes, and nothing else on it. */
#include "tap/tap.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tap/tap_parts.h"

static void *thread_main(void *arg)
{
    loop_run(((struct tap *)arg)->loop);
    return NULL;
}

static int start(struct tap *t)
{
    sigset_t all, before;
    int err;

    /* Signals are the control loop's: a thread inherits the mask it is born under. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    err = -pthread_create(&t->thread, NULL, thread_main, t);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    t->is_started = !err;
    return err;
}

void tap_on_node_closed(struct tap *t)
{
    if (--t->open == 0 && t->is_closing)
        loop_stop(t->loop);
}

/* ---- close ---- */

static void begin_close(void *arg)
{
    struct tap *t = arg;

    t->is_closing = true;
    if (t->open == 0)
        loop_stop(t->loop);
    for (size_t i = 0; i < t->count; i++)
        tap_node_close(&t->nodes[i]);
}

static void shut(struct tap *t)
{
    if (t->is_started) {
        /* A full post queue of a loop that is to end: it is emptied every turn, so this ends. */
        while (loop_post(t->loop, begin_close, t) == -ENOBUFS)
            sched_yield();
        pthread_join(t->thread, NULL);
    } else if (t->loop && t->open) {
        begin_close(t);
        loop_run(t->loop);
    }
}

void tap_close(struct tap *t)
{
    if (!t)
        return;
    shut(t);
    for (size_t i = 0; i < t->count; i++)
        tap_node_free(&t->nodes[i]);
    if (t->loop)
        loop_release(t->loop);
    loop_free(t->loop);
    free(t->nodes);
    free(t);
}

/* ---- open ---- */

static void tell(char **problem, int err)
{
    if (problem && !*problem)
        *problem = text_dup(text_of(err_text(err)));
}

int tap_open(struct tap **out, const struct tap_options *opt, char **problem)
{
    struct tap *t = calloc(1, sizeof *t);
    int err = -ENOMEM;

    *problem = NULL;
    if (!t)
        return err;
    t->log = log_for(opt->log, "tap");
    t->on_clock = opt->on_clock;
    t->arg = opt->arg;
    t->nodes = calloc(opt->count + 1, sizeof *t->nodes);
    if (t->nodes)
        err = loop_new(&t->loop, opt->log);
    if (!err)
        loop_hold(t->loop);
    while (!err && t->count < opt->count) {
        struct tap_node *n = &t->nodes[t->count];

        n->tap = t;
        n->index = (uint32_t)t->count++;
        err = tap_node_open(n, &opt->nodes[n->index], opt, problem);
    }
    if (!err)
        err = start(t);
    if (err) {
        tell(problem, err);
        tap_close(t);
        return err;
    }
    *out = t;
    return 0;
}

void tap_node_figures_of(struct tap *t, uint32_t node, struct tap_node_figures *out)
{
    tap_node_figures(&t->nodes[node], out);
}
