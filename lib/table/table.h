/* SPDX-License-Identifier: ISC */
#ifndef LIB_TABLE_TABLE_H
#define LIB_TABLE_TABLE_H

/*
 * Lookup tables, type:name as in Postfix. The answer is one of four; "try
 * again" and "broken" are never taken for "not found".
 *
 * A table on disk is looked at again well within a second; a changed one is
 * opened anew without a reload, a vanished or unreadable one is TABLE_AGAIN. A
 * text that was written to in this very moment may be half of one: the old
 * content serves until it has rested.
 */

#include <sys/types.h>

#include "lib/base/buf.h"
#include "lib/base/span.h"

enum table_result {
	TABLE_FOUND,
	TABLE_NONE,
	TABLE_AGAIN, /* the backend is down, try later */
	TABLE_BROKEN, /* the table or the key is wrong; a person must mend it */
};

struct table;

enum {
	TABLE_KEY_MAX = 4096, /* longer keys are never found, but by patterns */
	TABLE_VALUE_MAX = 1 << 20,
};

/*
 * Prepares one table "type:name" (a bare "/file" is the business of match
 * lists). Opening the backend may happen at the first
 * lookup. NULL, with *error filled, for an unknown type or bad syntax.
 */
struct table *table_open(struct span spec, struct buf *error);

enum table_flag {
	TABLE_KEEP_CASE = 1, /* keys are not folded (postmap -f) */
	/*
	 * Results of patterns hold nothing of the key: where results name
	 * commands and files (alias_maps, virtual mailboxes), so that a
	 * stranger's address cannot.
	 */
	TABLE_NO_SUBSTITUTION = 2,
	/*
	 * The text source of hash: and its like is in aliases(5) syntax. When
	 * this is not given, it is when most of its lines look like it.
	 */
	TABLE_ALIASES = 4,
	/*
	 * Bytes, not UTF-8: of ASCII letters alone is the case folded. Without
	 * this, what is not UTF-8 is never found, and never a result.
	 */
	TABLE_ASCII = 8,
	TABLE_EMPTY_KEYS = 16, /* an empty key is a question too */
	/* Values of texthash: name files; the result is base64 of those. */
	TABLE_CONTENTS = 32,
};
struct table *
table_open_flags(struct span spec, unsigned int flags, struct buf *error);
/*
 * smtputf8_enable, for the whole process: without it all tables that are
 * opened from now on are TABLE_ASCII.
 */
void table_utf8(bool on);
/* For postconf -m, and to tell a table from an address with colons. */
bool table_type_known(struct span name);
/* Does the type speak to a server, or come as a loadable module? */
bool table_type_remote(struct span name);
void table_types(void (*visit)(void *with, const char *name), void *with);
void table_free(struct table **t);
const char *table_name(const struct table *t);

/*
 * *value is set to the found value, or says why for AGAIN and BROKEN. Keys
 * are folded to lower case for fixed-string types, as Postfix does. "partial
 * keys" (user without domain, parent domains) are the caller's business;
 * regexp, pcre and cidr tables say false to table_takes_partial.
 */
enum table_result
table_lookup(struct table *t, struct span key, struct buf *value);
bool table_takes_partial(const struct table *t);
/*
 * Who answered the last lookup: the owner of the file that was read, as it was
 * then (of a database, of a table's settings where the table itself is no
 * file). Root where there is none to be found.
 */
uid_t table_owner(const struct table *t);
/*
 * Was the last lookup's AGAIN for want of a server: no connection, or one that
 * brought no answer? False where a server answered, whatever it said.
 */
bool table_server_down(const struct table *t);
/*
 * Without asking a server: would it have to be asked for this key? FOUND if so,
 * NONE if the table's settings say that it is not there; AGAIN and BROKEN with
 * *why, as of those.
 */
enum table_result
table_concerns(struct table *t, struct span key, struct buf *why);
/*
 * Asks for a key that is nowhere, to see whether the backend is there and
 * understands the question: TABLE_NONE, or AGAIN and BROKEN with *why.
 */
enum table_result table_try(struct table *t, struct buf *why);
/*
 * Without asking a server: are the table's own settings right? AGAIN and
 * BROKEN with the reason in told->errors (table_settings.h), NONE maybe with
 * the rest of it.
 */
struct settings_told;
enum table_result table_check(struct table *t, struct settings_told *told);
/*
 * A table changed and cannot be read with the rights that are left. The old
 * content is still served; a program that was started with more rights gives
 * no answer by it and ends when this is true: its successor reads the new one.
 */
bool table_restart_wanted(void);

/*
 * Where a table "ldap:name" that is no file finds its settings name_this and
 * name_that. Before tables are opened; it has to live as long as they do.
 */
struct conf;
void table_main_settings(struct conf *c);
/*
 * From now on tables of servers and of loadable modules are not opened in
 * this process: each of their lookups is a call of this, which asks the
 * lookup service.
 */
typedef enum table_result
table_ask(const char *table, struct span key, struct buf *value);
void table_ask_elsewhere(table_ask *ask);
/*
 * What the tables opened so far need beyond reading files: more promises
 * (lib/sandbox/sandbox.h), or "".
 */
const char *table_promises(void);
/*
 * This program asks for users of the system itself: what that needs, where
 * nsswitch.conf(5) names a source that connects, counts there as well.
 */
void table_needs_accounts(void);

/* Several tables in a row: "hash:/a, pcre:/b". The first that finds wins. */
struct table_list;

struct table_list *table_list_open(const char *specs, struct buf *error);
struct table_list *
table_list_open_flags(const char *specs, unsigned int flags, struct buf *error);
void table_list_free(struct table_list **l);
enum table_result
table_list_lookup(struct table_list *l, struct span key, struct buf *value);
/* The same for a part of an address or name: no pattern tables. */
enum table_result table_list_lookup_partial(struct table_list *l,
    struct span key, struct buf *value);
bool table_list_empty(const struct table_list *l); /* NULL is empty */

/*
 * A list of names, patterns and tables, as mydestination or mynetworks
 * (match lists): words, .domain, !negation, /file, type:table, networks.
 */
struct match_list;

enum match_kind { MATCH_TEXT, MATCH_DOMAIN, MATCH_DOMAIN_PARENTS, MATCH_HOST };

struct match_list *
match_list_open(const char *patterns, enum match_kind kind, struct buf *error);
void match_list_free(struct match_list **l);
enum table_result
match_list_match(struct match_list *l, struct span name, struct buf *why);
/* MATCH_HOST: name ("unknown" if none) and address of a client. */
enum table_result match_list_match_host(struct match_list *l, struct span name,
    struct span address, struct buf *why);

/*
 * Length of a local part less its extension: what is before the first of
 * the delimiters. owner-list and list-request have none where the delimiter
 * is "-", MAILER-DAEMON and double-bounce never.
 */
size_t table_extension(struct span user, const char *delimiter);
/* owner_request_special, for the whole process: yes unless said otherwise. */
void table_owner_request_special(bool on);
/*
 * The keys under which an address may stand in a table, in Postfix's order:
 * user+ext@domain, user@domain, user+ext, user (for local domains), @domain.
 * Those behind the first are parts of it. They point into the address and
 * into *text.
 */
struct table_key {
	struct span key;
	size_t left_out; /* bytes of extension that are not in it */
};
enum { TABLE_ADDRESS_KEYS = 5 };
size_t table_address_keys(struct span address, const char *delimiter,
    bool local_domain, struct table_key keys[TABLE_ADDRESS_KEYS],
    struct buf *text);
/*
 * Address lookups by these keys. For canonical, virtual.
 * Patterns are shown the first alone. The address is in the quoted form that
 * messages have. *extension: "+ext" when it was left out of the key that was
 * found, for propagation; empty for @domain.
 */
enum table_result table_list_lookup_address(struct table_list *l,
    struct span address, const char *delimiter, bool local_domain,
    struct buf *value, struct buf *extension);

/*
 * Builds PATH.cdb from its source text, for type hash, btree, cdb and their
 * like (postmap, postalias).
 */
struct table_build {
	const char *type; /* "hash", "cdb"...; see table_can_build */
	const char *path; /* source, and name of the database less ".cdb" */
	bool from_input; /* entries come from standard input, not from path */
	bool alias; /* aliases(5) syntax */
	bool fold; /* keys to lower case */
	bool ascii; /* ASCII letters only */
	bool add; /* to what the database holds */
	bool replace; /* of equal keys the last counts, without a warning */
	bool quiet; /* of equal keys the first counts, without a warning */
	bool null_bytes; /* keys and values end in a null byte */
	bool plain_mode; /* 0644, not the mode of the source */
	bool contents; /* values name files, and become what those hold */
};

bool table_can_build(const char *type);
/* What stands behind the source's name in that of its database: ".cdb". */
const char *table_suffix(const char *type);
/*
 * Temporary file, fsync, rename: a reader sees the old or the new one. False
 * with "path: why". Root writes only into folders of its own or of the
 * source's owner.
 */
bool table_build(const struct table_build *b, struct buf *error);
/*
 * Writes the database anew without these keys; *deleted says how many there
 * were. Nothing is written if there were none.
 */
bool table_build_delete(const struct table_build *b, const struct span *keys,
    size_t count, size_t *deleted, struct buf *error);
/*
 * Calls for each entry of the database, in no order that means anything; of
 * the source, for type texthash.
 */
bool table_build_each(const struct table_build *b,
    void (*visit)(void *with, struct span key, struct span value), void *with,
    struct buf *error);

#endif
