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

/* Names of files, with what they are sorted by. */
struct scan_name {
	uint64_t seconds; /* of the name */
	uint32_t uid; /* or 0 */
	uint32_t at; /* in text */
	uint16_t n;
	bool in_new;
	bool listed; /* its UID is dovecot-uidlist's */
};

struct scan_names {
	struct buf text;
	struct scan_name *names;
	size_t count;
	size_t room;
};

void scan_names_init(struct scan_names *s);
void scan_names_fini(struct scan_names *s);
void scan_names_reset(struct scan_names *s);
void scan_names_add(struct scan_names *s, const struct maildir_file *file,
    uint32_t uid, bool in_new, bool listed);
struct span
scan_name_text(const struct scan_names *s, const struct scan_name *n);
void scan_names_by_uid(struct scan_names *s);
/* As they came in: by the time in the name, then by name. */
void scan_names_by_time(struct scan_names *s);

/* A row made of a file's name. */
void
scan_message(const struct mailbox_folder *f, const struct maildir_file *file,
    uint32_t uid, bool listed, struct mail_index_message *out);

#endif
