/* Decides byte by byte what of a line may be shown. */
#include "audit/mask.h"

#include <ctype.h>
#include <string.h>

#include "audit/known.h"

enum { KEY_MAX = 64, TOKEN_MIN = 20, TOKEN_TURNS = 6, PIN_MIN = 3, DIRECTIVE_MAX = 20 };

struct view {
    struct text line;
    unsigned char *mask;
};

/* ---- words ---- */

/* is_end: a letter behind it makes it another word ("pin" is one, "ping" is not). */
static const struct secret_word {
    const char *word;
    bool is_end;
} secret_words[] = {
    { "secret", false },  { "passw", false },   { "passcode", false }, { "passphrase", false }, { "passkey", false }, { "pass", true },
    { "passes", true },   { "pwd", false },     { "pw", true },        { "credential", false }, { "token", false },   { "apikey", false },
    { "api_key", false }, { "api-key", false }, { "key", true },       { "bearer", false },     { "auth", true },     { "authorization", false },
    { "private", false }, { "pin", true },      { "pins", true },      { "pincode", false },    { "pinnumber", false }, { "signature", false },
    { "cookie", false },  { "unlock", false },  { "kennwort", false }, { "clave", false },      { "contrasen", false }, { "motdepasse", false },
};

/* Keys whose values are names, numbers, addresses, choices. A value is searched for secrets all the same. */
static const char *const harmless_keys[] = {
    "enabled", "webenabled", "bindaddr", "bindport", "port", "tlsenable", "tlsbindaddr", "tlscertfile", "tlscafile", "tlscapath", "tlscipher",
    "tlsdisablev1", "tlsdisablev11", "tlsdisablev12", "tlsclientmethod", "type", "context", "transport", "disallow", "allow", "deny", "permit", "acl",
    "contactdeny", "contactpermit", "contactacl", "host", "bind", "protocol", "local_net", "external_media_address", "external_signaling_address",
    "match", "identify_by", "endpoint", "aors", "auth", "outbound_auth", "auth_type", "from_domain", "from_user", "direct_media", "rtp_symmetric",
    "force_rport", "rewrite_contact", "media_encryption", "allow_subscribe", "allow_transfer", "max_contacts", "qualify_frequency", "remove_existing",
    "read", "write", "eventfilter", "displayconnects", "timestampevents", "allowmultiplelogin", "writetimeout", "authtimeout", "authlimit",
    "brokeneventsaction", "channelvars", "debug", "httptimeout", "disabledevents", "hasmanager", "managerread", "managerwrite", "hassip", "hasiax",
    "allowed_origins", "pretty", "read_only", "password_format", "auth_realm", "websocket_write_timeout", "enablestatic", "enable_static",
    "enable_status", "sessionlimit", "session_inactivity", "session_keep_alive", "prefix", "servername", "redirect", "static", "writeprotect",
    "autofallthrough", "clearglobalvars", "extenpatternmatchnew", "userscontext", "priorityjumping", "overrideswitch", "live_dangerously",
    "execincludes", "runuser", "rungroup", "verbose", "maxcalls", "maxload", "systemname", "lockmode", "highpriority", "transmit_silence",
    "astetcdir", "astmoddir", "astvarlibdir", "astdbdir", "astkeydir", "astdatadir", "astagidir", "astspooldir", "astrundir", "astlogdir",
    "astsbindir", "rtpstart", "rtpend", "strictrtp", "probation", "icesupport", "stunaddr", "turnaddr", "rtpchecksums", "dtmftimeout",
    "autoload", "load", "noload", "require", "preload", "preload-require", "strategy", "timeout", "retry", "weight", "wrapuptime", "maxlen",
    "announce", "joinempty", "leavewhenempty", "ringinuse", "musicclass", "member", "servicelevel", "autopause", "persistentmembers", "autofill",
    "shared_lastcall", "monitor-type", "enable", "unanswered", "congestion", "batch", "size", "scheduleronly", "safeshutdown", "apps", "events",
    "dateformat", "connection_type", "uri", "subscribe_all", "reconnect_interval", "reconnect_attempts", "connection_timeout", "requirecalltoken",
    "calltokenoptional", "maxcallnumbers", "parkext", "parkpos", "parkinghints", "comebacktoorigin", "featuremap", "blindxfer", "atxfer",
    "disconnect", "automixmon", "dialplan_context", "register_context", "mwi_context", "endpoint_identifier_order", "default_outbound_endpoint",
    "allow_overlap", "trust_id_inbound", "trust_id_outbound", "send_pai", "send_rpid", "dtmf_mode", "ice_support", "use_avpf", "webrtc", "language",
    "console", "messages", "full", "security", "syslog.local0", "rotatestrategy", "queue_log", "use_callids", "appendhostname", "anonymous",
};

/* Applications and functions whose arguments are codes that somebody dials. */
static const char *const code_apps[] = { "Authenticate", "VMAuthenticate", "DISA", "SendDTMF", "MeetMe", "AgentLogin", "SIPAddHeader" };
static const char *const plan_keys[] = { "exten", "same", "include", "ignorepat", "switch", "lswitch", "eswitch", "hint" };

static char at(struct text t, size_t i)
{
    return i < t.n ? t.p[i] : '\0';
}

static bool is_word_at(struct text t, size_t i, const struct secret_word *w)
{
    const size_t n = strlen(w->word);

    if (t.n - i < n || !text_eq_nocase(text_make(t.p + i, n), text_of(w->word)))
        return false;
    return !w->is_end || !isalpha((unsigned char)at(t, i + n));
}

bool mask_speaks_of_secrets(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        for (size_t k = 0; k < sizeof secret_words / sizeof *secret_words; k++)
            if (is_word_at(t, i, secret_words + k))
                return true;
    return false;
}

static bool is_among(struct text t, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (text_eq_nocase(t, text_of(list[i])))
            return true;
    return false;
}

#define AMONG(t, list) is_among((t), (list), sizeof(list) / sizeof *(list))

/* ---- marking ---- */

static void mark(struct view *v, struct text part, enum mask how)
{
    if (part.n)
        memset(v->mask + (part.p - v->line.p), (int)how, part.n);
}

/* Behind "${", "$[" or "$(" at i: the place behind its end. */
static size_t skip_braces(struct text t, size_t i)
{
    int depth = 0;

    for (; i < t.n; i++) {
        if (t.p[i] == '{' || t.p[i] == '[')
            depth++;
        else if ((t.p[i] == '}' || t.p[i] == ']') && --depth <= 0)
            return i + 1;
    }
    return t.n;
}

/* user:password@host and scheme://user:password@host; the colon of "sip:" is none of them. */
static void mask_user_parts(struct view *v, struct text t)
{
    size_t begin = 0, colon = SIZE_MAX;

    for (size_t i = 0; i < t.n; i++) {
        const char c = t.p[i];

        if (c == '$' && (at(t, i + 1) == '{' || at(t, i + 1) == '[')) {
            i = skip_braces(t, i + 1) - 1;
        } else if (strchr(" \t,(&|\"'<", c)) {
            begin = i + 1;
            colon = SIZE_MAX;
        } else if (c == ':' && colon == SIZE_MAX) {
            const struct text word = text_make(t.p + begin, i - begin);

            if (text_starts(text_skip(t, i + 1), TEXT("//")))
                begin = i + 3;
            else if (text_ends(word, TEXT("sip")) || text_ends(word, TEXT("sips")) || text_ends(word, TEXT("tel")))
                begin = i + 1;
            else
                colon = i;
        } else if (c == '@' && colon != SIZE_MAX) {
            mark(v, text_make(t.p + colon + 1, i - colon - 1), MASK_HIDDEN);
        }
    }
}

/* What follows "?" in an address, to its end. */
static void mask_queries(struct view *v, struct text t)
{
    struct text rest = t;
    ptrdiff_t found;

    while ((found = text_find_text(rest, TEXT("://"))) >= 0) {
        size_t i = (size_t)found, from = SIZE_MAX;

        for (; i < rest.n && !strchr(" \t,\"'|", rest.p[i]); i++)
            if (rest.p[i] == '?' && from == SIZE_MAX)
                from = i + 1;
        if (from != SIZE_MAX)
            mark(v, text_make(rest.p + from, i - from), MASK_HIDDEN);
        rest = text_skip(rest, i);
    }
}

static int kind_of(char c)
{
    return isdigit((unsigned char)c) ? 1 : islower((unsigned char)c) ? 2 : isupper((unsigned char)c) ? 3 : 0;
}

/* Letters and digits in a muddle: made by a machine. */
static bool is_token(struct text t)
{
    int last = 0, turns = 0, digits = 0;

    for (size_t i = 0; i < t.n; i++) {
        const int kind = kind_of(t.p[i]);

        digits += kind == 1;
        turns += kind && last && kind != last;
        last = kind ? kind : last;
    }
    return t.n >= TOKEN_MIN && digits >= 2 && turns >= TOKEN_TURNS;
}

static void mask_tokens(struct view *v, struct text t)
{
    for (size_t i = 0, n; i < t.n; i += n + 1) {
        for (n = 0; i + n < t.n && (isalnum((unsigned char)t.p[i + n]) || strchr("+/=_-", t.p[i + n])); n++)
            ;
        if (is_token(text_make(t.p + i, n)))
            mark(v, text_make(t.p + i, n), MASK_HIDDEN);
    }
}

/* Digits that are compared with: homemade codes. */
static void mask_compared_digits(struct view *v, struct text t)
{
    for (size_t i = 0; i + 1 < t.n; i++) {
        size_t end, n;

        if (t.p[i] != '$' || t.p[i + 1] != '[')
            continue;
        end = skip_braces(t, i + 1);
        for (; i < end; i += n + 1) {
            for (n = 0; i + n < end && isdigit((unsigned char)t.p[i + n]); n++)
                ;
            if (n >= PIN_MIN)
                mark(v, text_make(t.p + i, n), MASK_HIDDEN);
        }
        i = end - 1;
    }
}

static void mask_usual(struct view *v, struct text t)
{
    mask_user_parts(v, t);
    mask_queries(v, t);
    mask_tokens(v, t);
}

/* ---- kinds of lines ---- */

static bool runs_shell(struct text t)
{
    return text_find_text(t, TEXT("System(")) >= 0 || text_find_text(t, TEXT("SHELL(")) >= 0 || text_starts_nocase(t, TEXT("system"));
}

/* An option of a command that gives a password or a user: mysql -psecret, curl -u a:b. */
static bool has_login_option(struct text t)
{
    return text_find_text(t, TEXT(" -p")) >= 0 || text_find_text(t, TEXT(" -u")) >= 0 || text_find_text(t, TEXT(" --")) >= 0 ||
           text_find_text(t, TEXT(" -H")) >= 0 || text_find_text(t, TEXT(" -k")) >= 0 || text_find_text(t, TEXT(" -a")) >= 0;
}

/* Does one of the applications stand anywhere in it, embedded ones too: ExecIf($[...]?Authenticate(1234)). */
static bool runs_code_app(struct text t)
{
    for (size_t k = 0; k < sizeof code_apps / sizeof *code_apps; k++)
        for (size_t i = 0; i + strlen(code_apps[k]) <= t.n; i++)
            if (text_eq_nocase(text_make(t.p + i, strlen(code_apps[k])), text_of(code_apps[k])))
                return true;
    return false;
}

/* "Application(arguments)": arguments that speak of secrets are hidden whole, and so are those of an application that nobody knows. */
static void mask_call(struct view *v, struct text call)
{
    const ptrdiff_t open = text_find(call, '(');
    struct text args = text_skip(call, open < 0 ? call.n : (size_t)open + 1);

    if (text_ends(args, TEXT(")")))
        args.n--;
    if (!known_app_of(text_trim(open < 0 ? call : text_head(call, (size_t)open))) || mask_speaks_of_secrets(args) || runs_code_app(call) || (runs_shell(call) && has_login_option(args))) {
        mark(v, args, MASK_HIDDEN);
        return;
    }
    mask_usual(v, args);
    mask_compared_digits(v, args);
}

/* What follows the nth comma, trimmed. */
static struct text behind_commas(struct text t, unsigned n)
{
    for (size_t i = 0; n && i < t.n; i++)
        if (t.p[i] == ',' && --n == 0)
            return text_trim(text_skip(t, i + 1));
    return n ? text_skip(t, t.n) : t;
}

static void mask_plan(struct view *v, struct text key, struct text value)
{
    if (text_eq_nocase(key, TEXT("exten")))
        mask_call(v, behind_commas(value, 2));
    else if (text_eq_nocase(key, TEXT("same")))
        mask_call(v, behind_commas(value, 1));
    else if (text_find(value, '=') >= 0)
        mark(v, value, MASK_HIDDEN); /* no name has one: a generator put settings of an account there (seen) */
    else
        mask_usual(v, value);
}

static bool is_key(struct text t)
{
    if (!t.n || t.n > KEY_MAX)
        return false;
    for (size_t i = 0; i < t.n; i++)
        if (!isalnum((unsigned char)t.p[i]) && !strchr("_-.+:", t.p[i]))
            return false;
    return true;
}

static bool mask_setting(struct view *v, struct text words)
{
    const ptrdiff_t equals = text_find(words, '=');
    struct text key, value;

    if (equals < 0)
        return false;
    key = text_trim(text_head(words, (size_t)equals));
    if (text_ends(key, TEXT("+")))
        key = text_trim(text_head(key, key.n - 1));
    value = text_skip(words, (size_t)equals + 1);
    if (value.n && value.p[0] == '>')
        value = text_skip(value, 1);
    value = text_trim(value);
    if (!is_key(key))
        return false;
    if (AMONG(key, plan_keys))
        mask_plan(v, key, value);
    else if (!AMONG(key, harmless_keys) || mask_speaks_of_secrets(value))
        mark(v, value, MASK_HIDDEN);
    else
        mask_usual(v, value);
    return true;
}

/* A word of small letters, "includeifexists", that speaks of no secret. */
static bool is_directive_name(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if (!islower((unsigned char)t.p[i]))
            return false;
    return t.n > 0 && t.n <= DIRECTIVE_MAX && !mask_speaks_of_secrets(t);
}

/* #exec is followed by a command line. */
static bool mask_directive(struct view *v, struct text words)
{
    struct text rest = words, name;

    text_cut(&rest, ' ', &name);
    if (rest.p && is_directive_name(text_skip(name, 1)) &&
        !(text_eq(name, TEXT("#include")) || text_eq(name, TEXT("#tryinclude")) || text_eq(name, TEXT("#exec")))) {
        mark(v, text_trim(rest), MASK_HIDDEN); /* no directive of Asterisk's: its name says what somebody took for one */
        return true;
    }
    if (!rest.p || !(text_eq(name, TEXT("#include")) || text_eq(name, TEXT("#tryinclude")) || text_eq(name, TEXT("#exec"))))
        return false;
    rest = text_trim(rest);
    if (text_eq(name, TEXT("#exec"))) {
        struct text program;

        text_cut(&rest, ' ', &program);
        mark(v, rest.p ? rest : TEXT_NONE, MASK_HIDDEN);
        rest = program;
    }
    mask_usual(v, rest);
    return true;
}

static bool mask_header(struct view *v, struct text words)
{
    const ptrdiff_t close = text_find(words, ']');

    struct text behind;

    if (close < 0)
        return false;
    behind = text_skip(words, (size_t)close + 1);
    if (text_starts(behind, TEXT("(")))
        behind = text_skip(behind, (size_t)(text_find(behind, ')') + 1));
    if (text_find(text_head(words, (size_t)close), '=') >= 0)
        mark(v, text_skip(text_head(words, (size_t)close), 1), MASK_HIDDEN);
    else
        mask_usual(v, text_head(words, (size_t)close));
    mark(v, text_trim(behind), MASK_HIDDEN);
    return true;
}

/* AEL and Lua: statements, not settings. Asterisk's own quotes and comments do not hold there. */
static bool mask_program(struct view *v, struct text words)
{
    if (mask_speaks_of_secrets(words) || runs_code_app(words) || (runs_shell(words) && has_login_option(words)))
        return false;
    mask_usual(v, words);
    mask_compared_digits(v, words);
    return true;
}

/* The word that ends before the "(" at i; empty: none. */
static struct text word_before(struct text t, size_t i)
{
    size_t from = i;

    while (from > 0 && (isalnum((unsigned char)t.p[from - 1]) || t.p[from - 1] == '_'))
        from--;
    return text_make(t.p + from, i - from);
}

/* Arguments of an application that nobody knows: what a misspelt Authenticate asks for, say. Functions stand in ${}, macros behind "&". */
static void mask_unknown_calls(struct view *v, struct text t)
{
    static const char *const words[] = { "if", "while", "for", "switch", "random", "ifTime", "hint", "Goto" };
    size_t depth = 0;

    for (size_t i = 0; i < t.n; i++) {
        const struct text name = t.p[i] == '(' && depth == 0 ? word_before(t, i) : TEXT_NONE;

        depth += strchr("([{", t.p[i]) && t.p[i] && (t.p[i] != '{' || (i > 0 && t.p[i - 1] == '$'));
        depth -= depth > 0 && strchr(")]}", t.p[i]) && t.p[i];
        if (name.n && !known_app_of(name) && !AMONG(name, words) && !(name.p > t.p && name.p[-1] == '&'))
            mark(v, text_trim(text_skip(t, i + 1)), MASK_HIDDEN);
    }
}

static bool mask_ael(struct view *v, struct text words)
{
    if (text_find_text(words, TEXT("*/")) >= 0 || !mask_program(v, words)) /* what stands before it is comment */
        return false;
    mask_unknown_calls(v, words);
    return true;
}

/* In Lua applications are fields of "app". */
static bool mask_lua(struct view *v, struct text words)
{
    if (text_find_text(words, TEXT("]]")) >= 0 || text_find_text(words, TEXT("]=")) >= 0 || !mask_program(v, words)) /* the end of a text or a comment of many lines */
        return false;
    for (size_t i = 0; i + 4 < words.n; i++) {
        const struct text rest = text_skip(words, i);
        size_t n = 4;

        if (!text_starts(rest, TEXT("app.")) || (i > 0 && (isalnum((unsigned char)words.p[i - 1]) || words.p[i - 1] == '_')))
            continue;
        while (n < rest.n && (isalnum((unsigned char)rest.p[n]) || rest.p[n] == '_'))
            n++;
        if (!known_app_of(text_make(rest.p + 4, n - 4)))
            mark(v, text_trim(text_skip(rest, n)), MASK_HIDDEN);
    }
    return true;
}

/* ---- a line ---- */

static struct text without_comment(struct view *v, const char *comment)
{
    const size_t n = strlen(comment);

    for (size_t i = 0; i + n <= v->line.n; i++)
        if (memcmp(v->line.p + i, comment, n) == 0 && (i == 0 || v->line.p[i - 1] != '\\')) {
            mark(v, text_skip(v->line, i), MASK_GONE);
            return text_trim(text_head(v->line, i));
        }
    return text_trim(v->line);
}

bool mask_line(const char *file, struct text line, unsigned char out[CONF_LINE_MAX])
{
    struct view v = { .line = line, .mask = out };
    const struct text path = text_of(file ? file : ""), name = text_skip(path, (size_t)(text_rfind(path, '/') + 1));
    struct text words;

    if (!line.p || line.n > CONF_LINE_MAX)
        return false;
    memset(out, MASK_SHOWN, line.n);
    if (text_find_text(name, TEXT(".ael")) >= 0) { /* and extensions.ael.inc, apps.ael2 */
        const struct text code = without_comment(&v, "//"), before = without_comment(&v, "/*");

        return mask_ael(&v, before.n < code.n ? before : code);
    }
    if (text_ends(name, TEXT(".lua")))
        return mask_lua(&v, without_comment(&v, "--"));
    if (text_find_text(line, TEXT("--;")) >= 0 || text_find(line, '\0') >= 0)
        return false;              /* the end of a comment of many lines: what stands before it is comment */
    words = without_comment(&v, ";");
    if (!words.n)
        return true;
    if (words.p[0] == '[')
        return mask_header(&v, words);
    return words.p[0] == '#' ? mask_directive(&v, words) : mask_setting(&v, words);
}
