/* SPDX-License-Identifier: ISC */
#ifndef LIB_TABLE_WORDS_H
#define LIB_TABLE_WORDS_H

/*
 * Words of a list setting, separated by commas and blanks; what is between
 * { and } belongs together, wherever in a word that is.
 */

#include "lib/base/buf.h"

/* False at the end. Braces stay: "inline:{a=b, c=d}" is one word. */
bool words_next(struct span *rest, struct span *word);
/* What is between the { that begins and the } that ends the text. */
bool words_unbrace(struct span text, struct span *inner);
/*
 * The same for what must begin and end with the two that belong to each
 * other; false with what is wrong in *error.
 */
bool words_braced(struct span text, struct span *inner, struct buf *error);

#endif
