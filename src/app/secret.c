/* Looks a secret up where its reference says, keeps it out of everything else. */
#include "app/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct secret_bytes {
    size_t n;
    char file[4096];                 /* "": it came from elsewhere */
    char p[SECRET_MAX + 1];
};

static const struct {
    struct text prefix;
    enum secret_form form;
} forms[] = {
    { { "@env:", 5 }, SECRET_ENV },
    { { "@file:", 6 }, SECRET_FILE },
    { { "@credential:", 12 }, SECRET_CREDENTIAL },
};

/* Names of the environment and of credentials; strict, so that a literal that only looks like a reference is not repeated. */
static bool is_name(struct text t, bool is_credential)
{
    if (!t.n || t.n > 128 || t.p[0] == '.' || (!is_credential && t.p[0] >= '0' && t.p[0] <= '9'))
        return false;
    for (size_t i = 0; i < t.n; i++) {
        const char c = t.p[i];
        const bool is_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';

        if (!is_word && !(is_credential && (c == '-' || c == '.')))
            return false;
    }
    return true;
}

enum secret_form secret_form(struct text reference, struct text *name)
{
    *name = TEXT_NONE;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        const enum secret_form form = forms[i].form;
        struct text rest;

        if (!text_starts(reference, forms[i].prefix))
            continue;
        rest = text_skip(reference, forms[i].prefix.n);
        if (form == SECRET_FILE ? !rest.n || !text_is_one_line(rest) : !is_name(rest, form == SECRET_CREDENTIAL))
            return SECRET_LITERAL;
        *name = rest;
        return form;
    }
    return SECRET_LITERAL;
}

/* One line of text: a trailing line end is what editors leave, the rest counts. Spaces may belong to it. */
static int keep(struct secret *out, struct text value, const char *where, struct secret_answer *answer)
{
    struct secret_bytes *b;

    while (value.n && (value.p[value.n - 1] == '\n' || value.p[value.n - 1] == '\r'))
        value.n--;
    if (!value.n || value.n > SECRET_MAX || !text_is_one_line(value)) {
        snprintf(answer->problem, sizeof answer->problem, "%s: expected one line of 1 to %d bytes, came %s", where, (int)SECRET_MAX,
                 !value.n ? "nothing" : value.n > SECRET_MAX ? "more" : "something else");
        return -EINVAL;
    }
    b = malloc(sizeof *b);
    if (!b)
        return -ENOMEM;
    b->n = value.n;
    b->file[0] = '\0';
    memcpy(b->p, value.p, value.n);
    b->p[value.n] = '\0';
    out->bytes = b;
    return 0;
}

static int resolve_env(struct secret *out, struct text name, struct secret_answer *answer)
{
    char key[160], where[200];
    const char *value;

    text_copy(key, sizeof key, name);
    snprintf(where, sizeof where, "environment variable %s", key);
    value = getenv(key);
    if (!value) {
        snprintf(answer->problem, sizeof answer->problem, "%s is not set", where);
        return -ENOENT;
    }
    return keep(out, text_of(value), where, answer);
}

static int read_all(int fd, char *bytes, size_t size, size_t *n)
{
    ssize_t got;

    for (*n = 0; *n < size; *n += (size_t)got) {
        got = read(fd, bytes + *n, size - *n);
        if (got < 0 && errno == EINTR)
            got = 0;
        else if (got < 0)
            return -errno;
        else if (got == 0)
            break;
    }
    return 0;
}

static int read_secret(struct secret *out, int fd, const char *path, struct secret_answer *answer)
{
    char bytes[SECRET_MAX + 3]; /* room for a CRLF, and one byte that tells "too long" */
    size_t n;
    int err = read_all(fd, bytes, sizeof bytes, &n);

    if (err)
        snprintf(answer->problem, sizeof answer->problem, "%.300s: %s", path, err_text(err));
    else
        err = keep(out, text_make(bytes, n), path, answer);
    explicit_bzero(bytes, sizeof bytes);
    return err;
}

/* O_NONBLOCK: a FIFO in the file's place must not hold us up. */
static int resolve_path(struct secret *out, const char *path, struct secret_answer *answer)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    int err;

    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        err = fd < 0 ? -errno : -EINVAL;
        snprintf(answer->problem, sizeof answer->problem, "%.300s: %s", path, fd < 0 ? err_text(err) : "not a regular file");
    } else {
        err = read_secret(out, fd, path, answer);
        if (!err && (st.st_mode & S_IROTH)) {
            snprintf(answer->problem, sizeof answer->problem, "%.300s: everyone may read this file; chmod o-r it", path);
            answer->is_warning = true;
        }
    }
    if (fd >= 0)
        close(fd);
    return err;
}

static int resolve_in(struct secret *out, const char *directory, struct text name, struct secret_answer *answer)
{
    char path[4096];
    int n;

    if (name.p[0] == '/')
        n = snprintf(path, sizeof path, "%.*s", TEXT_ARG(name));
    else
        n = snprintf(path, sizeof path, "%s/%.*s", directory, TEXT_ARG(name));
    if (n < 0 || (size_t)n >= sizeof path) {
        snprintf(answer->problem, sizeof answer->problem, "the path is too long");
        return -ENAMETOOLONG;
    }
    return resolve_path(out, path, answer);
}

static int resolve_file(struct secret *out, const char *directory, struct text name, struct secret_answer *answer)
{
    const int err = resolve_in(out, directory, name, answer);

    if (!err && name.p[0] == '/')
        text_copy(out->bytes->file, sizeof out->bytes->file, name);
    else if (!err && snprintf(out->bytes->file, sizeof out->bytes->file, "%s/%.*s", directory, TEXT_ARG(name)) >= (int)sizeof out->bytes->file)
        out->bytes->file[0] = '\0';
    return err;
}

int secret_resolve(struct secret *out, struct text reference, const struct secret_source *source, struct secret_answer *answer)
{
    struct text name;

    *answer = (struct secret_answer){ .problem = "" };
    switch (secret_form(reference, &name)) {
    case SECRET_ENV:
        return resolve_env(out, name, answer);
    case SECRET_FILE:
        return resolve_file(out, source->directory, name, answer);
    case SECRET_CREDENTIAL:
        if (source->credentials)
            return resolve_in(out, source->credentials, name, answer);
        snprintf(answer->problem, sizeof answer->problem, "@credential: needs systemd (CREDENTIALS_DIRECTORY is not set)");
        return -ENOENT;
    case SECRET_LITERAL:
        break;
    }
    snprintf(answer->problem, sizeof answer->problem,
             "expected @env:NAME, @file:PATH or @credential:NAME, came another text (not repeated here)");
    return -EINVAL;
}

void secret_free(struct secret *s)
{
    if (s->bytes)
        explicit_bzero(s->bytes, sizeof *s->bytes);
    free(s->bytes);
    s->bytes = NULL;
}

bool secret_is_set(const struct secret *s)
{
    return s->bytes != NULL;
}

const char *secret_reveal(const struct secret *s)
{
    return s->bytes ? s->bytes->p : NULL;
}

int secret_from(struct secret *out, struct text value)
{
    struct secret_answer answer;

    return keep(out, value, "the value", &answer);
}

const char *secret_file(const struct secret *s)
{
    return s->bytes && s->bytes->file[0] ? s->bytes->file : NULL;
}

int secret_read_again(const void *of, char *out, size_t size)
{
    const char *file = secret_file(of);
    struct secret_answer answer = { .problem = "" };
    struct secret now = { NULL };
    int err = file ? resolve_path(&now, file, &answer) : -ENOENT;

    if (!err && now.bytes->n >= size)
        err = -EMSGSIZE;
    if (!err)
        text_copy(out, size, text_make(now.bytes->p, now.bytes->n));
    secret_free(&now);
    return err;
}
