/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_FOLDER_NAME_H
#define LIB_STORE_FOLDER_NAME_H

/*
 * Names of folders, and of their directories below the account's root. The
 * only place where a client's text becomes a path (rows 116 and 150 of what
 * broke elsewhere). Pure: no file is touched.
 *
 * A client's name is UTF-8, its levels between the account's separator. On
 * disk, as Dovecot and Courier have it:
 *
 *	Maildir++	".Sent.2024": one directory of the root, '.' between
 *levels LAYOUT=fs	"Sent/2024": directories in directories
 *
 * each level in modified UTF-7 (RFC 3501 section 5.1.3), or in UTF-8 where the
 * location says ":UTF-8". What would mean something there is written as
 * Dovecot's listescape plugin has it, backslash and two hexadecimal digits: a
 * '.' of a level under Maildir++ is "\2e", '/' is "\2f", '~' at the beginning
 * "\7e"; under fs '.' at the beginning of a level, and the first letter of a
 * level that is a file of the mailbox ("cur", "subscriptions",
 * "dovecot-uidlist"). A backslash that would look like such is "\5c". Dovecot
 * serves all of these, without that plugin under the escaped name. (Courier's
 * way, "&AC4-", is no name to Dovecot.)
 *
 * Where folders are mbox files no name is the mailbox's own, but one that ends
 * in ".lock" would be another one's lock: "\2elock".
 *
 * Directories that other programs made and that are not written so are known
 * by their raw text, so that no folder is hidden.
 */

#include "lib/base/buf.h"

enum {
	FOLDER_NAME_MAX = 1000, /* bytes of a client's name */
	FOLDER_LEVEL_MAX = 255, /* bytes of a directory's name (NAME_MAX) */
	FOLDER_LEVELS_MAX = 32,
	FOLDER_PATH_MAX = 3072, /* below the root */
};

struct folder_naming {
	char separator; /* of the client: '/' or '.' */
	bool fs; /* LAYOUT=fs */
	bool utf8; /* no modified UTF-7 */
	bool mbox; /* with fs: folders are files */
};

/* Ways to write one name, in the order in which a reader tries them. */
enum folder_form {
	FOLDER_FORM_OURS, /* for everything new */
	FOLDER_FORM_ESCAPED, /* listescape: every backslash is escaped */
	FOLDER_FORM_RAW, /* as it is */
	FOLDER_FORMS,
};

/*
 * The name as it is kept: valid UTF-8 in NFC, no control characters (C0, C1,
 * U+2028, U+2029), no empty levels, none that is "." or "..", within the
 * limits; a first level INBOX in capitals, whatever its case. One separator
 * at its end is dropped. False: this can be no name. *out is reset first.
 */
bool folder_name_clean(const struct folder_naming *n, struct span name,
    struct buf *out);
/* The same, without NFC: for folders that others made. */
bool folder_name_check(const struct folder_naming *n, struct span name,
    struct buf *out);
/*
 * The directory of a checked name, relative to the root; false: it cannot be
 * written so. Never absolute, no part of it "" or "." or ".."; under Maildir++
 * one part that begins with '.' and a letter. "INBOX" alone has no directory
 * by this rule: false. *out is reset first.
 */
bool folder_name_path(const struct folder_naming *n, struct span name,
    enum folder_form form, struct buf *out);
/*
 * The name of a directory below the root, so that folder_name_path of it in
 * one of the forms is that directory again. False: no folder can be called
 * so. *out is reset first.
 */
bool folder_name_of(const struct folder_naming *n, struct span path,
    struct buf *out);

/* Is "name" below "parent" ("a/b" below "a")? */
bool folder_name_below(const struct folder_naming *n, struct span name,
    struct span parent);
/* The name without its last level; empty: it has but one. */
struct span folder_name_parent(const struct folder_naming *n, struct span name);

/* Modified UTF-7: every valid UTF-8 can be written; false: not valid. */
bool folder_name_to_utf7(struct span utf8, struct buf *out);
/* False for what is not the one way to write it. */
bool folder_name_from_utf7(struct span utf7, struct buf *out);

#endif
