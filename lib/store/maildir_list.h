/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_MAILDIR_LIST_H
#define LIB_STORE_MAILDIR_LIST_H

/*
 * What is in a Maildir, without opening a message: names, sizes in names,
 * and what the files of other programs beside them tell (dovecot-uidlist).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/mem.h"
#include "lib/base/span.h"
#include "lib/store/store.h"

/* A file in new or cur. Texts live in the list's arena. */
struct maildir_message {
	const char *name; /* file name now */
	const char *unique; /* for UIDL */
	size_t base; /* length of the name without flags and UID */
	size_t stem; /* of the name without flags */
	uint64_t uid; /* of dovecot-uidlist; 0: not there */
	uint64_t named_uid; /* of the name, or 0 */
	struct span guid; /* of dovecot-uidlist, or empty */
	bool imported; /* unique is of dovecot-uidlist */
	uint64_t seconds; /* the name's first number */
	uint64_t stored; /* S=, or UINT64_MAX */
	uint64_t size; /* with CRLF: W=, noted, or UINT64_MAX */
	bool in_new;
	bool measured; /* size is not in the name: worth noting */
};

struct maildir_list {
	struct arena *memory;
	const struct store_ids *ids; /* while it is read, or NULL */
	struct maildir_message *messages;
	size_t count;
	size_t room;
	bool took; /* something from new to cur */
};

/* Largest numbers of a name's ,S= and ,W= fields that are believed. */
enum { MAILDIR_SIZE_MAX_BITS = 40 };

/* Parts of a file name; false for what is no message (dot files). */
bool maildir_name_parse(struct span name, struct maildir_message *out);
/*
 * What the message is known by: the name without flags, and without the
 * ",U=123" at its end, which gives its UID (0: it has none).
 */
struct span maildir_name_base(struct span name, uint64_t *uid);
/* Is the flag letter in the name? */
bool maildir_name_has(const char *name, char flag);
/* The name with the flags (letters, any order) added, sorted; ":2," too. */
void maildir_name_with(const char *name, size_t stem, const char *flags,
    char out[256]);

/*
 * Moves what is in new to cur, and lists cur; dovecot-uidlist is in "lists". 0,
 * or -1 with errno; ENOENT when there is no Maildir. "ids": of store.h.
 */
int maildir_list_read(int maildir, int lists, const struct store_ids *ids,
    struct maildir_list *out);
void maildir_list_free(struct maildir_list *l);
/*
 * Finds the message's file again after another program has renamed it.
 * False when it is gone.
 */
bool maildir_list_find_again(int maildir, struct maildir_list *l,
    struct maildir_message *m);

/* Lines of dovecot-uidlist (versions 1 and 3) and of our own notes. */
struct maildir_note {
	struct span base;
	uint64_t uid;
	struct span pop3_name; /* a UIDL from before a migration, or empty */
	struct span guid; /* or empty */
	uint64_t size; /* or UINT64_MAX */
};

/* Header of a uidlist; false: not one we know. */
bool maildir_uidlist_header(struct span line, uint64_t *validity);
bool maildir_uidlist_line(struct span line, struct maildir_note *out);
/* "SIZE BASE" of posthaste-sizes. */
bool maildir_sizes_line(struct span line, struct maildir_note *out);

#endif
