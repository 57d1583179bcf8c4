/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_MBOX_NOTES_H
#define LIB_STORE_MBOX_NOTES_H

/*
 * The header fields in which a message of an mbox keeps its UID, flags and
 * keywords, read and written: X-UID, Status, X-Status, X-Keywords, and in the
 * first message of all X-IMAPbase, for the mailbox. As UW-IMAP has them, and
 * Dovecot, alpine, mutt know them. Pure.
 *
 * Those that we write stand together, with blanks in them, so that most
 * changes can be made in place.
 */

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/store/mbox_scan.h"

/* One field of a header, if it is a note; its value ends in the arena. */
void mbox_notes_take(struct mbox_notes *n, struct arena *names,
    struct span name, struct span value);

/* What is to be written for a message. */
struct mbox_noting {
	uint32_t uid; /* 0: none, of the message that is no mail */
	unsigned int flags; /* enum mbox_note_flag */
	const char *keywords; /* with blanks in between; "" for none */
	const char *base; /* of X-IMAPbase, see mbox_notes_base; or NULL */
	bool internal; /* the base is X-IMAP's */
};

/* Lines for a message that has none, with room for later. */
void mbox_notes_write(const struct mbox_noting *n, struct buf *out);
/*
 * Into lines that a message has. They keep their lengths, so that of a write
 * that is cut short whole lines remain, in which the old and the new mix; and
 * X-UID's stays as it is. False: it cannot be done so, and what is in "lines"
 * is of no use.
 */
bool mbox_notes_fit(const struct mbox_noting *n, char *lines, size_t size);

/* "1700000000 0000000017 $Forwarded Junk" */
void mbox_notes_base(uint32_t uidvalidity, uint32_t last_uid,
    const char *const *keywords, struct buf *out);

/* "R", "AF": of enum mail_flag and back. */
unsigned int mbox_notes_flags(uint32_t mail_flags);
uint32_t mbox_notes_mail_flags(unsigned int note_flags);

#endif
