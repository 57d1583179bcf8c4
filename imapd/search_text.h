/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_SEARCH_TEXT_H
#define IMAPD_SEARCH_TEXT_H

/*
 * Looks for texts in a message as it is read: BODY in what its text parts
 * say, TEXT there and in all its header fields, those of parts and of
 * messages within it included; decoded, in one case of letters. The end of a
 * line counts as a blank, so that words are found where they were wrapped.
 *
 * One pass, in memory that goes with the longest text looked for, not with
 * the message. It ends as soon as all is found; a message that is not large
 * is read to its end the first time, for its signature (search_words.h).
 *
 * SECURITY: reads what the world sent, through lib/mail's decoders.
 */

#include "imapd/search_key.h"
#include "imapd/search_message.h"
#include "imapd/search_words.h"

struct search_reader;

struct search_reader *search_reader_new(const struct search_program *p);
void search_reader_free(struct search_reader **r); /* NULL is fine */
/*
 * Answers for all BODY and TEXT keys whose answer is unknown: answers[leaf].
 * "signature": that of the message is not known yet; it is left in *out then.
 * "pause", called now and then, may wait; false from it ends the search.
 */
enum mail_result search_reader_read(struct search_reader *r,
    struct search_message *m, signed char *answers, bool signature,
    struct buf *out, bool (*pause)(void *with), void *with, struct why *why);

/*
 * The same for a whole small message that needs no decoder which threads would
 * have to share (ASCII text, header fields in ASCII or encoded UTF-8): an
 * answer for each leaf, SEARCH_UNKNOWN for those that are no texts, and then
 * the signature. 0: it has to be read by search_reader_read. For
 * lib/store/read_ahead.h; the reader is "with", and one thread's alone.
 */
size_t
search_reader_ahead(void *with, struct span message, char *to, size_t room);

#endif
