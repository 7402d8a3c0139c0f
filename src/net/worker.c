/* Runs long work on a few threads and brings the end of each job back to its loop. */
#include "net/worker.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "net/loop_internal.h"

enum { POST_AGAIN_MS = 1 };

/* The node comes first and is malloc'ed: the loop frees the job by it when done has run. */
struct job {
    struct loop_post_node done;
    struct job *next;
    struct loop *loop;
    void (*run)(void *arg);
};

/* A mutex and not a ring: idle threads have to sleep until there is work, and a full queue has to be refused exactly. */
struct worker_pool {
    pthread_mutex_t lock;
    pthread_cond_t work;       /* a job came, or the pool ends */
    struct job *first, **last;
    size_t depth, queue_max;
    uint64_t refused;
    bool is_ending;
    size_t threads;
    char name[16];             /* the kernel's limit for a thread's name */
    pthread_t id[];
};

/* False when the pool ends. */
static bool wait_for_room(struct worker_pool *p)
{
    const struct timespec pause = { .tv_nsec = POST_AGAIN_MS * 1000000L };
    bool is_ending;

    nanosleep(&pause, NULL);
    pthread_mutex_lock(&p->lock);
    is_ending = p->is_ending;
    pthread_mutex_unlock(&p->lock);
    return !is_ending;
}

static void finish(struct worker_pool *p, struct job *j)
{
    struct loop *l = j->loop;

    while (!loop_post_node(l, &j->done)) {
        if (wait_for_room(p))
            continue;
        /* The loop's own thread may be the one that joins us: then it makes no room, and waiting would be forever. */
        loop_post_late(l, &j->done);
        break;
    }
    loop_release(l);
}

static struct job *take(struct worker_pool *p)
{
    struct job *j;

    pthread_mutex_lock(&p->lock);
    while (!p->first && !p->is_ending)
        pthread_cond_wait(&p->work, &p->lock);
    j = p->first;
    if (j) {
        p->first = j->next;
        if (!p->first)
            p->last = &p->first;
        p->depth--;
    }
    pthread_mutex_unlock(&p->lock);
    return j;
}

static void *work(void *arg)
{
    struct worker_pool *p = arg;
    struct job *j;

    pthread_setname_np(pthread_self(), p->name);
    while ((j = take(p))) {
        j->run(j->done.arg);
        finish(p, j);
    }
    return NULL;
}

static int threads_start(struct worker_pool *p, size_t threads)
{
    sigset_t all, before;
    int err = 0;

    /* Signals belong to the loops. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (!err && p->threads < threads) {
        err = pthread_create(&p->id[p->threads], NULL, work, p);
        if (!err)
            p->threads++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -err;
}

int worker_pool_new(struct worker_pool **out, size_t threads, size_t queue_max, const char *name)
{
    struct worker_pool *p;
    int err;

    if (threads == 0 || threads > 256 || queue_max == 0)
        return -EINVAL;
    p = calloc(1, sizeof *p + threads * sizeof *p->id);
    if (!p)
        return -ENOMEM;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    p->last = &p->first;
    p->queue_max = queue_max;
    text_copy(p->name, sizeof p->name, text_of(name));
    err = threads_start(p, threads);
    if (err) {
        worker_pool_free(p);
        return err;
    }
    *out = p;
    return 0;
}

void worker_pool_free(struct worker_pool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->is_ending = true;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    for (size_t i = 0; i < p->threads; i++)
        pthread_join(p->id[i], NULL);
    INVARIANT(p->first == NULL);
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

int worker_submit(struct worker_pool *p, struct loop *l, void (*run)(void *arg), void (*done)(void *arg), void *arg)
{
    struct job *j = malloc(sizeof *j);
    bool is_full;

    if (!j)
        return -ENOMEM;
    *j = (struct job){ .done = { .fn = done, .arg = arg }, .loop = l, .run = run };
    pthread_mutex_lock(&p->lock);
    is_full = p->depth == p->queue_max;
    if (is_full) {
        p->refused++;
    } else {
        loop_hold(l); /* a post will come: the loop does not end before it */
        *p->last = j;
        p->last = &j->next;
        p->depth++;
        pthread_cond_signal(&p->work);
    }
    pthread_mutex_unlock(&p->lock);
    if (!is_full)
        return 0;
    free(j);
    return -ENOBUFS;
}

size_t worker_queue_depth(const struct worker_pool *p)
{
    struct worker_pool *q = (struct worker_pool *)(uintptr_t)p;
    size_t depth;

    pthread_mutex_lock(&q->lock);
    depth = q->depth;
    pthread_mutex_unlock(&q->lock);
    return depth;
}

uint64_t worker_refused(const struct worker_pool *p)
{
    struct worker_pool *q = (struct worker_pool *)(uintptr_t)p;
    uint64_t refused;

    pthread_mutex_lock(&q->lock);
    refused = q->refused;
    pthread_mutex_unlock(&q->lock);
    return refused;
}
