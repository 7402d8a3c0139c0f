/* Brings calls from other threads onto the loop. */
#include "net/loop.h"

#include <stdlib.h>

#include "net/loop_internal.h"

bool loop_post_node(struct loop *l, struct loop_post_node *n)
{
    /* Owed first: the loop must not end between the push and the waking. */
    atomic_fetch_add(&l->owed, 1);
    if (!ring_push(l->posts, n)) {
        atomic_fetch_sub(&l->owed, 1); /* no waking needed: a full ring has one coming */
        return false;
    }
    uv_async_send(&l->wake);
    return true;
}

int loop_post(struct loop *l, void (*fn)(void *arg), void *arg)
{
    struct loop_post_node *n = malloc(sizeof *n);

    if (!n)
        return -ENOMEM;
    *n = (struct loop_post_node){ .fn = fn, .arg = arg };
    if (loop_post_node(l, n))
        return 0;
    free(n);
    return -ENOBUFS;
}

void loop_post_late(struct loop *l, struct loop_post_node *n)
{
    atomic_fetch_add(&l->owed, 1);
    n->next = atomic_load(&l->late);
    while (!atomic_compare_exchange_weak(&l->late, &n->next, n)) {
    }
    uv_async_send(&l->wake);
}

void loop_hold(struct loop *l)
{
    atomic_fetch_add(&l->owed, 1);
}

void loop_release(struct loop *l)
{
    /* The waking comes second: after it the loop may be gone, but for the promise of the caller that it is not. */
    atomic_fetch_sub(&l->owed, 1);
    uv_async_send(&l->wake);
}

static void run(struct loop *l, struct loop_post_node *n)
{
    const int64_t entered_us = loop_enter();

    n->fn(n->arg);
    free(n);
    atomic_fetch_sub(&l->owed, 1);
    loop_leave(l, "post", entered_us);
}

static void late_run(struct loop *l)
{
    struct loop_post_node *n = atomic_exchange(&l->late, NULL);
    struct loop_post_node *oldest = NULL;

    while (n) {
        struct loop_post_node *next = n->next;

        n->next = oldest;
        oldest = n;
        n = next;
    }
    while ((n = oldest)) {
        oldest = n->next;
        run(l, n);
    }
}

void loop_posts_run(struct loop *l)
{
    struct loop_post_node *n = NULL;

    /* At most one ring full a turn: a call that posts itself does not keep the sockets waiting. */
    for (size_t left = ring_capacity(l->posts); left > 0; left--) {
        n = ring_pop(l->posts);
        if (!n)
            break;
        run(l, n);
    }
    if (n)
        uv_async_send(&l->wake);
    late_run(l);
}

void loop_posts_settle(struct loop *l)
{
    if (atomic_load(&l->owed) > 0)
        uv_ref((uv_handle_t *)&l->wake);
    else
        uv_unref((uv_handle_t *)&l->wake);
}
