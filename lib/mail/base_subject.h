/* SPDX-License-Identifier: ISC */
#ifndef LIB_MAIL_BASE_SUBJECT_H
#define LIB_MAIL_BASE_SUBJECT_H

/*
 * What a subject is without "Re:", "Fwd:", "[list]", "(fwd)": RFC 5256
 * section 2.1, to the letter, in linear time.
 */

#include "lib/base/buf.h"

/*
 * Adds the base subject of a decoded subject (UTF-8) to *out. True when it
 * is a reply or a forward: when "re:" and its like, a "(fwd)" at the end, or
 * "[fwd: ...]" were removed (section 3, REFERENCES).
 */
bool base_subject(struct span subject, struct buf *out);

#endif
