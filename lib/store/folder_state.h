/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_FOLDER_STATE_H
#define LIB_STORE_FOLDER_STATE_H

/*
 * "posthaste-folder", the small file in each folder that says what must not
 * be lost and is in no file name: UIDVALIDITY, a bound for UIDs, MAILBOXID,
 * and the keywords beyond the 26 that file names have letters for. Lines of
 * text:
 *
 *	posthaste-folder 1
 *	uidvalidity 1700000000
 *	bound 2001
 *	from 1001
 *	id 0123456789abcdef0123456789abcdef
 *	keyword 26 $Name
 *	set 26 1:5,9 .
 *	clear 26 3 .
 *
 * It is written anew (tmp, fsync, rename) when the bound moves; keywords are
 * appended as they are set, and put together then. A last line without an end
 * was cut off by a crash and does not count. Lines of another kind are
 * skipped: they are of a later version.
 */

#include "lib/store/mail_index.h"

enum {
	FOLDER_UID_BLOCK = 1000, /* UIDs reserved with one flush */
	FOLDER_KEYWORD_LETTERS = 26, /* the first keywords */
	FOLDER_KEYWORDS_MORE = 38, /* and those of this file */
};

struct folder_keyword {
	char *name; /* NULL: none */
	struct uid_set uids;
};

struct folder_state {
	uint32_t uidvalidity;
	uint32_t bound; /* no UID from here on was given */
	uint32_t from; /* the index's UIDNEXT when it was set; 0: not known */
	unsigned char id[MAIL_INDEX_ID];
	struct folder_keyword more[FOLDER_KEYWORDS_MORE];
	bool loaded;
};

/* True: *out is the text's; false: it is no state file, or a damaged one. */
bool folder_state_parse(struct span text, struct folder_state *out);
void folder_state_fini(struct folder_state *s);

/*
 * Reads it below the folder's directory. 0; 1: there is none; 2: it is
 * damaged; -1 with errno.
 */
int folder_state_read(int directory, struct folder_state *out);
/*
 * What can be read in a damaged one, line by line: its id (true: there is
 * one), numbers (0: none), keywords; where it is not "there", in the last one
 * that was set aside. *out is to be freed in any case.
 */
bool folder_state_salvage(int directory, bool there, struct folder_state *out);
/*
 * A damaged one gets a second name, with a line in the log that says what
 * becomes of it. It keeps the first until folder_state_write takes that: a
 * folder without the file would be one that never had it.
 */
void folder_state_set_aside(int directory, const char *what);
/* Durable when it returns 0. */
int folder_state_write(int directory, const struct folder_state *s);
/*
 * Sets or clears one of its keywords (bit 26 and up), also in the file;
 * durable with the next folder_state_flush. 0 or -1 with errno.
 */
int folder_state_mark(int directory, struct folder_state *s, unsigned int bit,
    const struct uid_set *uids, bool on);
/* Names a keyword (bit 26 and up): in the file, not flushed. */
int folder_state_name(int directory, struct folder_state *s, unsigned int bit,
    struct span name);
int folder_state_flush(int directory);
/* Bits 26 and up of a message. */
uint64_t folder_state_keywords(const struct folder_state *s, uint32_t uid);
/* A new folder: an id of its own. */
void folder_state_new(struct folder_state *s, uint32_t uidvalidity);

#define FOLDER_STATE_NAME "posthaste-folder"

#endif
