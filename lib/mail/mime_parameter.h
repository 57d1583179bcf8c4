/* SPDX-License-Identifier: ISC */
#ifndef LIB_MAIL_MIME_PARAMETER_H
#define LIB_MAIL_MIME_PARAMETER_H

/*
 * Values of structured MIME fields, "token/token; name=value; ..." (RFC 2045
 * section 5.1), with the continuations and character sets of RFC 2231.
 *
 * Reads what is there: broken parameters are skipped, and tokens may hold
 * what they should not. Time is linear in the text, but for the number of
 * parameters, which is limited.
 */

#include "lib/base/mem.h"

enum {
	MIME_PARAMETERS_MAX =
	    128, /* continuations counted; more are left out */
};

struct mime_parameter {
	struct span name; /* lower case, without the marks of RFC 2231 */
	/* continuations joined; of the extended form UTF-8, else as is */
	struct span value;
	/*
	 * Came in the extended form: as that again in one piece,
	 * "utf-8''na%C3%AFve"; else p NULL.
	 */
	struct span extended;
};

/* Blanks, folds and comments, nested ones too, off the front. */
void mime_skip_space(struct span *s);
/* A token off the front; empty if there is none. */
struct span mime_take_token(struct span *s);
/* This byte, behind blanks, off the front. */
bool mime_take_char(struct span *s, char c);
/*
 * All parameters of "; name=value; ...". The array and its texts are the
 * arena's; *budget bytes at most are used for texts, and are taken off it.
 */
const struct mime_parameter *mime_parameters(struct arena *a, struct span text,
    size_t *count, size_t *budget);

/* Copies, terminated; p NULL when the budget does not allow it. */
struct span mime_copy(struct arena *a, struct span s, size_t *budget);
/* The same in lower case. */
struct span mime_copy_lower(struct arena *a, struct span s, size_t *budget);

#endif
