/* Cuts a form's body at its boundary, and reads the head of each part. */
#include "sim/form.h"

#include <errno.h>

enum { BOUNDARY_MAX = 70 };        /* RFC 2046, 5.1.1 */

/* The value of `name=` behind a semicolon, quoted or not. */
static struct text parameter(struct text line, struct text name)
{
    struct text piece;

    while (text_cut(&line, ';', &piece)) {
        piece = text_trim(piece);
        if (!text_starts_nocase(piece, name) || piece.n == name.n || piece.p[name.n] != '=')
            continue;
        piece = text_skip(piece, name.n + 1);
        if (piece.n >= 2 && piece.p[0] == '"' && piece.p[piece.n - 1] == '"')
            piece = text_make(piece.p + 1, piece.n - 2);
        return piece;
    }
    return TEXT_NONE;
}

struct text form_boundary(struct text content_type)
{
    const struct text b = parameter(content_type, TEXT("boundary"));

    return text_starts_nocase(content_type, TEXT("multipart/form-data")) && b.n > 0 && b.n <= BOUNDARY_MAX ? b : TEXT_NONE;
}

/* Where "--boundary" begins, or -1. */
static ptrdiff_t mark_find(struct text in, struct text boundary)
{
    for (size_t from = 0;;) {
        const ptrdiff_t at = text_find_text(text_skip(in, from), boundary);

        if (at < 0)
            return -1;
        from += (size_t)at;
        if (from >= 2 && in.p[from - 1] == '-' && in.p[from - 2] == '-')
            return (ptrdiff_t)from - 2;
        from++;
    }
}

static int head_read(struct text head, struct form_part *out)
{
    struct text line;

    while (text_cut(&head, '\n', &line)) {
        if (!text_starts_nocase(line, TEXT("Content-Disposition:")))
            continue;
        out->name = parameter(text_trim(line), TEXT("name"));
        out->file_name = parameter(text_trim(line), TEXT("filename"));
    }
    return out->name.p ? 0 : -EBADMSG;
}

int form_next(struct text *rest, struct text boundary, struct form_part *out)
{
    ptrdiff_t end;

    *out = (struct form_part){ .name = TEXT_NONE };
    if (mark_find(*rest, boundary) != 0)
        return -EBADMSG;
    struct text part = text_skip(*rest, boundary.n + 2);

    if (text_starts(part, TEXT("--")))
        return 0;
    if (!text_starts(part, TEXT("\r\n")))
        return -EBADMSG;
    end = mark_find(part, boundary);
    if (end < 4 || part.p[end - 2] != '\r' || part.p[end - 1] != '\n')
        return -EBADMSG;
    *rest = text_skip(part, (size_t)end);
    part = text_head(part, (size_t)end - 2);
    end = text_find_text(part, TEXT("\r\n\r\n"));
    if (end < 0)
        return -EBADMSG;
    out->body = text_skip(part, (size_t)end + 4);
    return head_read(text_head(part, (size_t)end), out) ? -EBADMSG : 1;
}
