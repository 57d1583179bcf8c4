/* SPDX-License-Identifier: ISC */
#ifndef LIB_TABLE_ALIAS_TEXT_H
#define LIB_TABLE_ALIAS_TEXT_H

/*
 * The two sides of an aliases(5) line as a table holds them: cut into the
 * tokens of RFC 5322 and put together again, so that however a line was
 * written, what is found is written in one way.
 */

#include "lib/base/buf.h"

/*
 * The parts in front of and behind the first colon that is in no quotes,
 * comment or address literal; false if there is none.
 */
bool alias_text_split(struct span line, struct span *name, struct span *value);

/*
 * Commas are followed by a blank, words separated by one, quotes and
 * brackets closed, backslashes outside quotes turned into quotes.
 */
void alias_text_value(struct span text, struct buf *out);

enum alias_name { ALIAS_NAME_FINE, ALIAS_NAME_NONE, ALIAS_NAME_REMOTE };

/*
 * A name as it is looked up, without quotes. NONE: it is empty or a list;
 * REMOTE: a domain belongs to it.
 */
enum alias_name alias_text_name(struct span text, struct buf *out);

#endif
