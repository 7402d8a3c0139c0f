/* Words that are tried first, and passwords that are short. */
#include "audit/secrets.h"

enum { LENGTH_GOOD = 12, DIGITS_GOOD = 20 };

/* From Asterisk's samples, FreePBX's old defaults and what scanners try. */
static const char *const known[] = {
    "mysecret", "amp111", "amp109", "password", "passw0rd", "secret", "secret5", "asterisk", "admin", "manager", "changeme", "change_me",
    "elastix456", "mark", "test", "demo", "1234", "12345", "123456", "12345678", "123456789", "qwerty", "letmein", "root", "default",
    "kensentme", "peekaboo", "your_password", "yourpassword", "yoursecret", "supersecret", "ari", "ami", "pbx", "voip",
};

static bool is_digits(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if (t.p[i] < '0' || t.p[i] > '9')
            return false;
    return true;
}

static bool is_one_letter(struct text t)
{
    for (size_t i = 1; i < t.n; i++)
        if (t.p[i] != t.p[0])
            return false;
    return true;
}

const char *secret_weakness(struct text secret, struct text user, bool *is_known)
{
    *is_known = true;
    if (secret.n == 0)
        return "is empty";
    if (text_eq_nocase(secret, user))
        return "is the user's name";
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (text_eq_nocase(secret, text_of(known[i])))
            return "is a word of a sample or of every list of passwords";
    *is_known = false;
    if (is_one_letter(secret))
        return "is one letter, repeated";
    if (secret.n < LENGTH_GOOD)
        return "has fewer than 12 characters";
    if (is_digits(secret) && secret.n < DIGITS_GOOD)
        return "has digits only";
    return NULL;
}
