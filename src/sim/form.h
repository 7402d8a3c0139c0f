/* Reads multipart/form-data, as files are sent to a service. Pure; texts are borrowed from the body. */
#pragma once

#include "base/text.h"

struct form_part {
    struct text name, file_name, body; /* file_name absent: a plain field */
};

/* Of a Content-Type. Absent: it is no such form. */
struct text form_boundary(struct text content_type);
/* The next part of *rest (at first: the whole body): 1; 0: that was all; -EBADMSG. */
int form_next(struct text *rest, struct text boundary, struct form_part *out) MUST_USE;
