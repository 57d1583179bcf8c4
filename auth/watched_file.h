/* SPDX-License-Identifier: ISC */
#ifndef AUTH_WATCHED_FILE_H
#define AUTH_WATCHED_FILE_H

/*
 * A file of secrets that is held in memory and read anew when it has changed.
 * A new version that cannot be read leaves the one in memory as it is; a file
 * that cannot be looked at is "unreadable", which is a temporary failure to
 * whoever asks, and never the same as an empty one. With "must_stay" neither is
 * one that has no byte left, while somebody changes it in place.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include "lib/base/buf.h"

struct watched_file {
	char *path;
	const char *what; /* "accounts": for the log */
	int64_t interval_ms; /* not looked at more often; 0: each time */
	bool may_be_missing; /* that is an empty file */
	bool must_stay; /* one that has become empty is unreadable */
	/* its own */
	int64_t looked;
	struct stat seen; /* of the version in memory; st_ino 0: none */
	bool readable;
};

enum watched { WATCHED_SAME, WATCHED_CHANGED, WATCHED_UNREADABLE };

void
watched_file_init(struct watched_file *w, const char *path, const char *what);
void watched_file_fini(struct watched_file *w);
/* CHANGED: *text has all of it, and the caller has to take it. */
enum watched watched_file_look(struct watched_file *w, struct buf *text);
/* The text was taken: wipes it, and frees the buffer. */
void watched_file_wipe(struct buf *text);

#endif
