/* Finds the host in a URL, and looks it up in a list. */
#include "net/http_hosts.h"

#include <string.h>

struct text http_host_of(struct text url)
{
    const size_t skip = text_starts(url, TEXT("https://")) ? 8 : 7;
    struct text rest = text_skip(url, skip);
    size_t n = 0;

    if (!text_starts(url, TEXT("https://")) && !text_starts(url, TEXT("http://")))
        return TEXT_NONE;
    while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?')
        n++;
    rest.n = n;
    for (size_t i = 0; i < n; i++) {
        const char c = rest.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr(".-:[]_", c))))
            return TEXT_NONE;
    }
    return n > 0 ? rest : TEXT_NONE;
}

bool http_host_is_granted(const char *hosts, struct text host)
{
    struct text list = text_of(hosts), one;

    while (text_cut(&list, ',', &one))
        if (text_eq_nocase(text_trim(one), host))
            return true;
    return false;
}
