/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_MAILBOX_SCAN_H
#define LIB_STORE_MAILBOX_SCAN_H

/*
 * What a look at the disk collects: names with UIDs, in batches, and which
 * UIDs were seen.
 */

#include "lib/store/mailbox_internal.h"

/* Bits by UID; memory goes with the UIDs that are near each other. */
struct uid_bits {
	uint64_t **chunks;
	size_t count;
};

bool uid_bits_has(const struct uid_bits *b, uint32_t uid);
void uid_bits_set(struct uid_bits *b, uint32_t uid);
void uid_bits_clear_all(struct uid_bits *b);
void uid_bits_set_of(const struct uid_bits *b, struct uid_set *out);

/*
 * Names of files, 8 bytes of memory each: the names themselves lie in a file
 * without a name where there are many.
 */
struct scan_name {
	uint32_t key; /* UID, or seconds of the name */
	uint32_t at; /* of the text: a mark, the name, NUL */
};

enum scan_mark {
	SCAN_IN_CUR = '.',
	SCAN_IN_NEW = 'n',
	SCAN_LISTED = 'l',
	SCAN_OWN_LIST = 'o'
};

struct scan_names {
	int directory; /* where that file may be made */
	int spilled; /* it; or -1 */
	const char *map; /* of it */
	size_t map_size;
	struct buf text; /* behind what is in it */
	struct scan_name *names;
	size_t count;
	size_t room;
};

void scan_names_init(struct scan_names *s, int directory);
void scan_names_fini(struct scan_names *s);
void scan_names_reset(struct scan_names *s);
void scan_names_add(struct scan_names *s, struct span name, uint32_t key,
    enum scan_mark mark);
/* By the time that its name begins with. */
void scan_names_add_file(struct scan_names *s, const struct maildir_file *file,
    enum scan_mark mark);
/* By key, and among equals by name. Nothing may be added any more. */
void scan_names_sort(struct scan_names *s);
/* Terminated. */
const char *
scan_name_text(const struct scan_names *s, size_t i, enum scan_mark *mark);
/* The time that a name begins with. */
uint32_t scan_name_seconds(struct span name);

/* A row made of a file's name. */
void
scan_message(const struct mailbox_folder *f, const struct maildir_file *file,
    uint32_t uid, uint32_t listed, struct mail_index_message *out);

#endif
