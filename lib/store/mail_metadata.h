/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_MAIL_METADATA_H
#define LIB_STORE_MAIL_METADATA_H

/*
 * "posthaste-metadata": annotations of folders (RFC 5464) and special uses
 * (RFC 6154, as "/private/specialuse"), of the whole account in one small
 * file, because every LIST wants them. For lib/store.
 *
 * After the line "posthaste-metadata 1" each line is an entry: folder, name of
 * the entry, value, between tabs; bytes below space, DEL, '%' and bytes above
 * as "%XX". Folder "" is the server. Names of entries are lower case.
 */

#include "lib/store/mail_account.h"

enum {
	METADATA_VALUE_MAX = 65536,
	METADATA_NAME_MAX = 255,
	METADATA_ENTRIES_MAX = 1000, /* of a folder */
	METADATA_TOTAL_MAX = 8 << 20, /* bytes of the file */
};

#define METADATA_SPECIAL_USE "/private/specialuse"

struct mail_metadata;

struct mail_metadata *mail_metadata_new(void);
void mail_metadata_free(struct mail_metadata **m);
/* Reads it again, if it changed. A damaged line is left out and told. */
enum mail_result
mail_metadata_read(struct mail_metadata *m, int directory, struct why *why);
/* In memory; p NULL removes. MAIL_OK or MAIL_LIMIT. */
enum mail_result mail_metadata_put(struct mail_metadata *m, const char *folder,
    const char *entry, struct span value, struct why *why);
/* All of a folder's; true if there was anything. */
bool mail_metadata_forget(struct mail_metadata *m, const char *folder);
/* Of the folder, and of those below it; true if there was anything. */
bool mail_metadata_rename(struct mail_metadata *m, const char *from,
    const char *to, char separator);
/* Durably; what cannot be written is read again from the disk next. */
enum mail_result
mail_metadata_write(struct mail_metadata *m, int directory, struct why *why);
/* p NULL: none. Until the next change. */
struct span mail_metadata_get(const struct mail_metadata *m, const char *folder,
    const char *entry);
/* In no order; the visit changes nothing. */
void mail_metadata_walk(const struct mail_metadata *m, const char *folder,
    mail_metadata_visit *visit, void *with);
/* enum special_use */
unsigned int
mail_metadata_special(const struct mail_metadata *m, const char *folder);
/* The folder with this use, or NULL. */
const char *
mail_metadata_special_owner(const struct mail_metadata *m, unsigned int use);

/* "\Sent \Junk" and back; unknown words are left out. */
unsigned int special_use_parse(struct span text);
void special_use_text(unsigned int use, struct buf *out);

#endif
