/* Log lines: an event, a module and fields, as key=value on one line of stderr.
 *   log_warn(log, "queue_full", kv_str("call", id), kv_int("dropped", 31));
 * Thread: any; one write(2) a line. Values are quoted and escaped, so hostile text cannot forge a line. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_OFF };

struct log_sink {
    int fd;                 /* where lines go */
    enum log_level level;   /* less is not formatted at all */
    bool journal;           /* no time stamp: journald adds its own */
};

struct log {
    const struct log_sink *sink; /* outlives every log made from it */
    const char *module;          /* static text */
};

enum kv_kind { KV_TEXT, KV_INT, KV_ERR, KV_SECRET };

struct kv {
    const char *key; /* static text; NULL ends a list */
    enum kv_kind kind;
    struct text text;
    int64_t number;
};

static inline struct kv kv_text(const char *key, struct text v) { return (struct kv){ .key = key, .kind = KV_TEXT, .text = v }; }
static inline struct kv kv_str(const char *key, const char *v) { return kv_text(key, text_of(v)); }
static inline struct kv kv_int(const char *key, int64_t v) { return (struct kv){ .key = key, .kind = KV_INT, .number = v }; }
static inline struct kv kv_err(int err) { return (struct kv){ .key = "error", .kind = KV_ERR, .number = err }; }
/* Prints as ***: a secret has no way into a line. */
static inline struct kv kv_secret(const char *key) { return (struct kv){ .key = key, .kind = KV_SECRET }; }

struct log log_for(const struct log *parent, const char *module);
void log_write(const struct log *log, enum log_level level, const char *event, const struct kv *fields);
static inline bool log_on(const struct log *log, enum log_level level) { return level >= log->sink->level; }
/* "debug" "info" "warn" "error" "off". 0 or -EINVAL. */
int log_level_parse(struct text t, enum log_level *out) MUST_USE;

#define LOG_AT(log_, level_, event_, ...)                                                         \
    do {                                                                                          \
        if (log_on((log_), (level_)))                                                             \
            log_write((log_), (level_), (event_), (const struct kv[]){ __VA_ARGS__ __VA_OPT__(, ) { .key = NULL } }); \
    } while (0)
#define log_debug(log_, event_, ...) LOG_AT(log_, LOG_DEBUG, event_ __VA_OPT__(, ) __VA_ARGS__)
#define log_info(log_, event_, ...) LOG_AT(log_, LOG_INFO, event_ __VA_OPT__(, ) __VA_ARGS__)
#define log_warn(log_, event_, ...) LOG_AT(log_, LOG_WARN, event_ __VA_OPT__(, ) __VA_ARGS__)
#define log_error(log_, event_, ...) LOG_AT(log_, LOG_ERROR, event_ __VA_OPT__(, ) __VA_ARGS__)
