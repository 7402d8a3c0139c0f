/* Inside the doctor's questions: one node's conversations on one loop. */
#pragma once

#include "app/doctor/asked.h"
#include "net/dialer.h"
#include "pbx/ami_client.h"

struct asking;

enum ask_kind { ASK_INFO, ASK_MODULES, ASK_APP, ASK_WRITE, ASK_HTTP_KINDS };

/* One login under way. */
struct asking_ami {
    struct asking *home;
    struct doctor_ami *out;
    struct ami_client *client;
    unsigned waiting;           /* answers that are due */
    size_t module;              /* the one whose answer is awaited */
    unsigned pings;             /* sent */
    int64_t ping_us;            /* when, by the steady clock */
    int64_t ping_wall_us;
    bool is_closing;
};

/* One request under way. */
struct asking_http {
    struct asking *home;
    struct http_request *request;
    enum ask_kind kind;
};

struct asking {
    struct doctor_asked *out;
    struct loop *loop;
    struct dialer *dialer, *ami_dialer;
    struct timer *time_up;
    const struct log *log;
    const char *const *modules;
    struct asking_ami ami[DOCTOR_LOGINS];
    struct asking_http http[ASK_HTTP_KINDS];
    unsigned open;              /* conversations that are not over */
};

void asking_over(struct asking *a);

/* Logs in and asks; asking_over when it is logged off. 0, or what ami_open gave (then nothing was begun). */
int asking_ami_begin(struct asking *a, struct asking_ami *s, const char *user, const char *secret) MUST_USE;
void asking_ami_end(struct asking_ami *s);  /* time is up */

/* Asks the four things; asking_over for each. */
int asking_ari_begin(struct asking *a) MUST_USE;
void asking_ari_end(struct asking *a);
