/* Judges close codes, refusals and lost connections of Deepgram. */
#include "ai/deepgram_verdict.h"

#include <errno.h>

static struct deepgram_verdict verdict_http(int status)
{
    switch (status) {
    case 401:
    case 403:
        return (struct deepgram_verdict){ PROVIDER_AUTH, false };
    case 402:
        return (struct deepgram_verdict){ PROVIDER_QUOTA, false };
    case 429:
        return (struct deepgram_verdict){ PROVIDER_RATE, true };
    default:
        return status >= 500 ? (struct deepgram_verdict){ PROVIDER_SERVER, true } : (struct deepgram_verdict){ PROVIDER_CONFIG, false };
    }
}

static struct deepgram_verdict verdict_close(int status, struct text detail)
{
    switch (status) {
    case 1008:
        if (text_find_text(detail, TEXT("DATA-0001")) >= 0) /* speech: too many characters in the time window */
            return (struct deepgram_verdict){ PROVIDER_RATE, true };
        return (struct deepgram_verdict){ PROVIDER_CONFIG, false };
    case 1003:                     /* MESSAGE-0000, DATA-0000, BIG-0000: what we send is not what it takes */
    case 1009:
        return (struct deepgram_verdict){ PROVIDER_CONFIG, false };
    case 1011:
        return (struct deepgram_verdict){ text_find_text(detail, TEXT("NET-0003")) >= 0 ? PROVIDER_EXPIRED : PROVIDER_SERVER, true };
    case 1000:
    case 1001:
    case 1005:
    case 1006:
    case 1015:
        return (struct deepgram_verdict){ PROVIDER_NET, true };
    default:
        return (struct deepgram_verdict){ PROVIDER_SERVER, status == 1012 || status == 1013 };
    }
}

struct deepgram_verdict deepgram_verdict_of(int err, int status, struct text detail)
{
    if (status >= 1000)
        return verdict_close(status, detail);
    if (status > 0)
        return verdict_http(status);
    return (struct deepgram_verdict){ PROVIDER_NET, err != -EKEYREJECTED && err != -EINVAL && err != -ENOENT };
}
