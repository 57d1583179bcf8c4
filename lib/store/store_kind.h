/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_STORE_KIND_H
#define LIB_STORE_STORE_KIND_H

/*
 * What a kind of mailbox does for store.h; for lib/store only. Its own struct
 * begins with a struct store.
 */

#include "lib/store/store.h"

struct store_kind {
	void (*close)(struct store *s);
	size_t (*count)(const struct store *s);
	const char *(*unique)(const struct store *s, size_t i);
	enum store_result (
	    *size)(struct store *s, size_t i, uint64_t *size, struct why *why);
	enum store_result (*fetch)(struct store *s, size_t i,
	    struct store_blob *out, struct why *why);
	enum store_result (*add_flags)(struct store *s, size_t i,
	    unsigned int flags, struct why *why);
	enum store_result (
	    *expunge)(struct store *s, size_t i, struct why *why);
	enum store_result (*commit)(struct store *s, struct why *why);
};

struct store {
	const struct store_kind *kind;
};

/* A text that is not a file as it is. */
struct store_text {
	/* As store_blob_read. */
	int64_t (*read)(struct store_text *t, void *to, size_t n);
	void (*close)(struct store_text *t);
};

/* "maildir:"; "lists": where dovecot-uidlist is, NULL: in it. */
enum store_result
maildir_store_open(const char *path, const char *lists, bool exclusive,
    const struct store_ids *ids, struct store **out, struct why *why);

#endif
