/* One job: reach a NATS server and its stream, on a thread that can be given up. */
#include "sink/nats_link.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define SYSTEM_CA "/etc/ssl/certs/ca-certificates.crt"

enum {
    WRITE_MS = 2000,                /* how long a server may take no byte */
    FDS_MAX = 65536,
    OLDER_MAX = 64,
    REAP_MS = 50,
    DUPLICATES_S = 600,             /* the window in which the server itself leaves out what it has */
};

/* One try to connect, on a thread. The sink frees it when it waited for the end, a reaper when it did not. */
struct attempt {
    pthread_mutex_t lock;
    pthread_cond_t news;
    bool is_done;
    bool is_abandoned;              /* the thread is to free it */
    struct nats_plan plan;
    struct nats_link *link;         /* on success */
    uint64_t older[OLDER_MAX];      /* sockets to that port that were open before, by inode */
    size_t older_count;
    char why[SINK_WHY];
};

void nats_link_close(struct nats_link *l)
{
    if (!l)
        return;
    natsSubscription_Destroy(l->acks);
    natsConnection_Destroy(l->conn);
    sink_seen_free(&l->seen);
    free(l);
}

static void attempt_free(struct attempt *a)
{
    nats_link_close(a->link);
    pthread_cond_destroy(&a->news);
    pthread_mutex_destroy(&a->lock);
    explicit_bzero(a->plan.secret, sizeof a->plan.secret);
    free(a);
}

/* ---- on the thread ---- */

static natsStatus set_tls(natsOptions *o, const struct nats_plan *p)
{
    natsStatus s = natsOptions_SetSecure(o, true);

    if (s == NATS_OK && p->is_insecure)
        return natsOptions_SkipServerVerification(o, true);
    if (s == NATS_OK)
        s = natsOptions_LoadCATrustedCertificates(o, p->has_ca ? p->ca : SYSTEM_CA);
    return s == NATS_OK ? natsOptions_SetExpectedHostname(o, p->host) : s;  /* without it any name would do */
}

static natsStatus set_options(natsOptions *o, const struct nats_plan *p)
{
    natsStatus s = natsOptions_SetURL(o, p->url);

    if (s == NATS_OK)
        s = natsOptions_SetTimeout(o, p->timeout_ms);
    if (s == NATS_OK)
        s = natsOptions_SetAllowReconnect(o, false);    /* the sink comes back itself, and repeats what was not acknowledged */
    if (s == NATS_OK)
        s = natsOptions_SetWriteDeadline(o, WRITE_MS);
    if (s == NATS_OK)
        s = natsOptions_SetName(o, "sidetone");
    if (s == NATS_OK && p->has_secret && p->has_user)
        s = natsOptions_SetUserInfo(o, p->user, p->secret);
    else if (s == NATS_OK && p->has_secret)
        s = natsOptions_SetToken(o, p->secret);
    return s == NATS_OK && p->is_tls ? set_tls(o, p) : s;
}

static int explain(struct attempt *a, const char *what, natsStatus s)
{
    const char *more = nats_GetLastError(NULL);

    snprintf(a->why, sizeof a->why, "NATS: %s: %s", what, more && more[0] ? more : natsStatus_GetText(s));
    return -EAGAIN;
}

static int connect_to(struct attempt *a, struct nats_link *l)
{
    natsOptions *o = NULL;
    natsInbox *inbox = NULL;
    char wild[80];
    natsStatus s = natsOptions_Create(&o);

    if (s == NATS_OK)
        s = set_options(o, &a->plan);
    if (s == NATS_OK)
        s = natsConnection_Connect(&l->conn, o);
    natsOptions_Destroy(o);
    if (s != NATS_OK)
        return explain(a, "cannot connect", s);
    s = natsInbox_Create(&inbox);
    if (s == NATS_OK)
        snprintf(l->inbox, sizeof l->inbox, "%s", inbox);
    natsInbox_Destroy(inbox);
    snprintf(wild, sizeof wild, "%s.*", l->inbox);
    if (s == NATS_OK)
        s = natsConnection_SubscribeSync(&l->acks, l->conn, wild);
    return s == NATS_OK ? 0 : explain(a, "cannot subscribe", s);
}

/* The stream as it stands; made when there is none: kept on disk, and full means refused, never that old messages go. */
static int ensure_stream(struct attempt *a, jsCtx *js, uint64_t *first, uint64_t *last)
{
    char subject[160];
    const char *subjects[1] = { subject };
    jsStreamInfo *info = NULL;
    jsStreamConfig want;
    jsErrCode code = 0;
    natsStatus s = js_GetStreamInfo(&info, js, a->plan.stream, NULL, &code);

    if (s != NATS_OK && code == JSStreamNotFoundErr) {
        snprintf(subject, sizeof subject, "%s.>", a->plan.subject);
        jsStreamConfig_Init(&want);
        want.Name = a->plan.stream;
        want.Subjects = subjects;
        want.SubjectsLen = 1;
        want.Discard = js_DiscardNew;
        want.Duplicates = DUPLICATES_S * INT64_C(1000000000);
        s = js_AddStream(&info, js, &want, NULL, &code);
    }
    if (s != NATS_OK)
        return explain(a, "the stream cannot be had", s);
    *first = info->State.FirstSeq;
    *last = info->State.LastSeq;
    jsStreamInfo_Destroy(info);
    return 0;
}

/* One message's key into the set. The sequence it has in the stream. */
static int learn_one(struct nats_link *l, natsMsg *m, uint64_t *sequence)
{
    jsMsgMetaData *meta = NULL;
    const char *key = NULL;
    int err = 0;

    if (natsMsg_GetMetaData(&meta, m) == NATS_OK)
        *sequence = meta->Sequence.Stream;
    jsMsgMetaData_Destroy(meta);
    if (natsMsgHeader_Get(m, "Nats-Msg-Id", &key) == NATS_OK)
        err = sink_seen_add_key(&l->seen, text_of(key));
    return err;
}

/* What the last messages are: a row whose acknowledgement got lost is known by its key even when the server's own window has passed.
 * A user who may not read keeps the window alone. */
static void learn_tail(struct attempt *a, struct nats_link *l, jsCtx *js, uint64_t first, uint64_t last)
{
    const int64_t until = clock_mono_us() + a->plan.timeout_ms * 1000;
    natsSubscription *sub = NULL;
    char subject[160];
    jsSubOptions o;
    uint64_t at = 0;
    int err = 0;

    if (last == 0 || last < first)
        return;
    jsSubOptions_Init(&o);
    o.Ordered = true;
    o.Stream = a->plan.stream;
    o.Config.HeadersOnly = true;
    o.Config.DeliverPolicy = js_DeliverByStartSequence;
    o.Config.OptStartSeq = last - first >= NATS_TAIL ? last - NATS_TAIL + 1 : first;
    snprintf(subject, sizeof subject, "%s.>", a->plan.subject);
    if (js_SubscribeSync(&sub, js, subject, NULL, &o, NULL) != NATS_OK)
        return;
    while (at < last && !err && clock_mono_us() < until) {
        natsMsg *m = NULL;

        if (natsSubscription_NextMsg(&m, sub, 500) != NATS_OK)
            break;              /* other subjects may hold the stream's last sequence */
        err = learn_one(l, m, &at);
        natsMsg_Destroy(m);
    }
    natsSubscription_Unsubscribe(sub);
    natsSubscription_Destroy(sub);
}

static int link_make(struct attempt *a, struct nats_link *l)
{
    uint64_t first = 0, last = 0;
    jsOptions o;
    jsCtx *js = NULL;
    natsStatus s;
    int err = connect_to(a, l);

    if (err)
        return err;
    jsOptions_Init(&o);
    o.Wait = a->plan.timeout_ms;
    s = natsConnection_JetStream(&js, l->conn, &o);
    err = s == NATS_OK ? ensure_stream(a, js, &first, &last) : explain(a, "JetStream", s);
    if (!err)
        learn_tail(a, l, js, first, last);
    jsCtx_Destroy(js);
    return err;
}

static void *run(void *arg)
{
    struct attempt *a = arg;
    struct nats_link *l = calloc(1, sizeof *l);
    bool is_mine;

    if (l && link_make(a, l)) {
        nats_link_close(l);
        l = NULL;
    }
    nats_ReleaseThreadMemory();
    pthread_mutex_lock(&a->lock);
    a->link = l;
    a->is_done = true;
    is_mine = a->is_abandoned;
    pthread_cond_signal(&a->news);
    pthread_mutex_unlock(&a->lock);
    if (is_mine)
        attempt_free(a);
    return NULL;
}

/* ---- on the sink's thread ---- */

static int detached(void *(*fn)(void *arg), void *arg)
{
    pthread_attr_t how;
    pthread_t thread;
    int err;

    pthread_attr_init(&how);
    pthread_attr_setdetachstate(&how, PTHREAD_CREATE_DETACHED);
    err = pthread_create(&thread, &how, fn, arg);
    pthread_attr_destroy(&how);
    return -err;
}

/* The inode of a TCP socket that is connected to this port; 0: it is none. A descriptor's number would be taken again by the next one. */
static uint64_t socket_to(int fd, uint16_t port)
{
    struct sockaddr_storage peer;
    socklen_t n = sizeof peer;
    struct stat st;
    uint16_t there;

    if (getpeername(fd, (struct sockaddr *)&peer, &n) != 0)
        return 0;
    there = peer.ss_family == AF_INET ? ((struct sockaddr_in *)&peer)->sin_port
          : peer.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&peer)->sin6_port : 0;
    return ntohs(there) == port && fstat(fd, &st) == 0 ? st.st_ino : 0;
}

static int fd_limit(void)
{
    const long most = sysconf(_SC_OPEN_MAX);

    return most > 0 && most < FDS_MAX ? (int)most : FDS_MAX;
}

static bool was_before(const struct attempt *a, uint64_t inode)
{
    for (size_t i = 0; i < a->older_count; i++)
        if (a->older[i] == inode)
            return true;
    return false;
}

/* libnats 3.4.1 reads the answer to CONNECT without regard to its deadline: before a server that says nothing there it spins on recv and poll
 * until the connection ends (seen). It shows no descriptor, so the connection to cut is found by what it is: a TCP socket to the server's port
 * that was not there before. Another sink that connects to the same port in the same seconds may be met, and comes back. The clean way would
 * be a library that keeps its deadline. */
static void cut(const struct attempt *a)
{
    for (int fd = 0; fd < fd_limit(); fd++) {
        const uint64_t inode = socket_to(fd, a->plan.port);

        if (inode && !was_before(a, inode))
            shutdown(fd, SHUT_RDWR);
    }
}

/* Owns an attempt that was given up, to its end. The connection may come into being only now, so it is looked for again and again. */
static void *reap(void *arg)
{
    struct attempt *a = arg;
    bool is_done = false;

    while (!is_done) {
        cut(a);
        poll(NULL, 0, REAP_MS);
        pthread_mutex_lock(&a->lock);
        is_done = a->is_done;
        pthread_mutex_unlock(&a->lock);
    }
    attempt_free(a);
    return NULL;
}

/* Without a thread for it the attempt's own frees it: cut once, it may spin until the server ends the connection. */
static void give_up(struct attempt *a)
{
    bool is_mine;

    if (detached(reap, a) == 0)
        return;
    pthread_mutex_lock(&a->lock);
    cut(a);
    is_mine = a->is_done;
    a->is_abandoned = true;
    pthread_mutex_unlock(&a->lock);
    if (is_mine)
        attempt_free(a);
}

static void note_older(struct attempt *a)
{
    for (int fd = 0; fd < fd_limit() && a->older_count < OLDER_MAX; fd++) {
        const uint64_t inode = socket_to(fd, a->plan.port);

        if (inode)
            a->older[a->older_count++] = inode;
    }
}

static struct attempt *attempt_new(const struct nats_plan *plan)
{
    struct attempt *a = calloc(1, sizeof *a);
    pthread_condattr_t monotonic;

    if (!a)
        return NULL;
    a->plan = *plan;
    note_older(a);
    pthread_mutex_init(&a->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&a->news, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (detached(run, a) == 0)
        return a;
    attempt_free(a);
    return NULL;
}

int nats_link_open(struct nats_link **out, const struct nats_plan *plan, const struct sink_patience *patience, int64_t deadline_us, char *why,
                   size_t why_size)
{
    struct attempt *a = attempt_new(plan);
    bool is_done;
    int ms = 0, err;

    if (!a) {
        snprintf(why, why_size, "NATS: memory is short");
        return -EAGAIN;
    }
    pthread_mutex_lock(&a->lock);
    while (!a->is_done && (ms = sink_slice_ms(patience, deadline_us)) > 0) {
        const int64_t us = clock_mono_us() + ms * 1000;
        const struct timespec until = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };

        pthread_cond_timedwait(&a->news, &a->lock, &until);
    }
    is_done = a->is_done;
    pthread_mutex_unlock(&a->lock);
    if (!is_done) {
        snprintf(why, why_size, "NATS: %s: no answer in time", plan->host);
        give_up(a);
        return -EAGAIN;
    }
    err = a->link ? 0 : -EAGAIN;
    *out = a->link;
    a->link = NULL;
    if (err)
        snprintf(why, why_size, "%s", a->why[0] ? a->why : "NATS: memory is short");
    attempt_free(a);
    return err;
}
