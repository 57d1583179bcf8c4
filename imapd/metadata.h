/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_METADATA_H
#define IMAPD_METADATA_H

/*
 * GETMETADATA and SETMETADATA (RFC 5464), and the same for LIST (RFC 9590).
 *
 * Entries of the server ("" as mailbox) are the user's own: /private can be
 * written, /shared is nobody's to write here. Entries of mailboxes are stored
 * with the mailbox; /private/specialuse is its special use (RFC 6154 section
 * 5.4).
 */

#include "lib/base/mem.h"

#include "imapd/session.h"

imap_command_function getmetadata_command, setmetadata_command;

enum { METADATA_ENTRY_MAX = 255, METADATA_WANTED_MAX = 100 };

/* Which entries, and what came of it. */
struct metadata_wanted {
	const char *entries[METADATA_WANTED_MAX]; /* the arena's */
	size_t count;
	unsigned int depth; /* levels below; UINT_MAX: all */
	uint64_t max_size; /* longer values are left out, UINT64_MAX: none */
	uint64_t longest; /* of those that were left out, 0: none were */
};

/* An entry, or a list of them. False: they are none; nothing was answered. */
bool metadata_wanted_read(const struct imap_arg *a, struct arena *arena,
    struct metadata_wanted *w);
/*
 * "* METADATA name (entry value ...)" and CRLF to "out". Entries without a
 * value are NIL, but with a depth left out.
 */
enum mail_result metadata_write(struct imap_session *s, struct span folder,
    struct metadata_wanted *w, struct buf *out, struct why *why);

#endif
