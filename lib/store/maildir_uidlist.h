/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_MAILDIR_UIDLIST_H
#define LIB_STORE_MAILDIR_UIDLIST_H

/*
 * Dovecot's dovecot-uidlist and dovecot-keywords, read and carried on, so
 * that a site can come from there and go back. What is in these files was
 * written by another program, or by the mailbox's owner: hostile input.
 */

#include "lib/base/buf.h"
#include "lib/store/mail_index.h"

struct uidlist_header {
	uint32_t uidvalidity;
	uint32_t uidnext;
	bool has_id;
	unsigned char id[MAIL_INDEX_ID]; /* MAILBOXID as it was */
};

#define UIDLIST_NAME "dovecot-uidlist"
#define KEYWORDS_NAME "dovecot-keywords"

/* "3 V1275660208 N25022 G3085f0...", or "1 VALIDITY NEXT". */
bool maildir_uidlist_parse_header(struct span line, struct uidlist_header *out);
/*
 * uidnext is above all UIDs of the lines too, those of messages that are gone
 * included: Dovecot appends lines, and leaves the header as it was. False:
 * there is none, or none that we understand.
 */
bool maildir_uidlist_read_header(int directory, struct uidlist_header *out);
/*
 * Its lines stay, under this header; durable when it returns 0. -1 with errno:
 * EEXIST when Dovecot has it locked.
 */
int maildir_uidlist_write_header(int directory,
    const struct uidlist_header *header);

/*
 * UIDs by base names. Only digests of the names are kept, 8 to 16 bytes each:
 * what is found is most likely the name's.
 */
struct uidlist;

struct uidlist *maildir_uidlist_new(size_t names);
void maildir_uidlist_free(struct uidlist **l);
void maildir_uidlist_add(struct uidlist *l, struct span base, uint32_t uid);
/* 0: not there. */
uint32_t maildir_uidlist_find(const struct uidlist *l, struct span base);
/*
 * All of the file (UIDLIST_NAME, or another in that form), in a few pages of
 * memory besides; the header as maildir_uidlist_read_header has it. NULL: no
 * such file.
 */
struct uidlist *maildir_uidlist_read(int directory, const char *name,
    struct uidlist_header *header);

struct uidl_format;

/*
 * The line of a message, with the UIDL it has from us: by the format, NULL:
 * its own name.
 */
void maildir_uidlist_line_of(const struct uidl_format *format, uint32_t uid,
    uint32_t uidvalidity, struct span name, struct buf *out);
/* Not flushed; left out while Dovecot has the file locked. */
void maildir_uidlist_append(int directory, struct span lines);

#endif
