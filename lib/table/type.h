/* SPDX-License-Identifier: ISC */
#ifndef LIB_TABLE_TYPE_H
#define LIB_TABLE_TYPE_H

/*
 * What a table type is, for lib/table alone. One file per type fills a
 * struct table_ops; the rows that give it names are in table.c.
 */

#include "lib/table/table.h"

struct table_ops {
	bool folds; /* keys are compared in lower case */
	bool partial; /* lookups of parts of an address make sense */
	bool server; /* speaks to a server, or is of a loadable module */
	/* neither server nor connection is proven: no tables of rights */
	bool unproven;
	/*
	 * Sets t->state from what stands behind "type:". False, with *error,
	 * for bad syntax only: a missing file is found out at the lookup.
	 */
	bool (*open)(struct table *t, struct span argument, struct buf *error);
	/*
	 * *value is empty. Where "folds" the key is folded and not too long;
	 * it is empty with TABLE_EMPTY_KEYS only.
	 */
	enum table_result (
	    *lookup)(struct table *t, struct span key, struct buf *value);
	/* Asks what cannot be there, as table_try says; NULL: a lookup. */
	enum table_result (*try_out)(struct table *t, struct buf *why);
	/* table_concerns; NULL: any key */
	enum table_result (
	    *concerns)(struct table *t, struct span key, struct buf *why);
	/* table_check; NULL: open has found all that can be wrong */
	enum table_result (*check)(struct table *t, struct settings_told *told);
	/* table_owner; NULL: that of the file which stands behind "type:" */
	uid_t (*owner)(const struct table *t);
	void (*close)(struct table *t);
};

struct table {
	const struct table_ops *ops;
	char *name; /* type:argument */
	char *type;
	unsigned int flags; /* enum table_flag */
	bool whole_keys; /* no parts of addresses, whatever ops say */
	bool down; /* table_server_down, set by the type's lookup */
	unsigned int references;
	void *state; /* the type's own */
	table_ask *ask; /* of table_ask_elsewhere, when it was opened */
	struct buf key; /* the folded key of the lookup under way */
	struct table *next; /* of all that are open */
};

extern const struct table_ops table_cdb_ops; /* table_cdb.c */
extern const struct table_ops table_hash_ops; /* table_cdb.c */
extern const struct table_ops table_text_ops; /* table_text.c */
extern const struct table_ops table_inline_ops; /* table_inline.c */
extern const struct table_ops table_static_ops; /* table_static.c */
extern const struct table_ops table_fail_ops; /* table_static.c */
extern const struct table_ops table_debug_ops; /* table_group.c */
extern const struct table_ops table_environ_ops; /* table_environ.c */
extern const struct table_ops table_internal_ops; /* table_static.c */
extern const struct table_ops table_unix_ops; /* table_unix.c */
extern const struct table_ops table_pcre_ops; /* table_pcre.c */
extern const struct table_ops table_regexp_ops; /* table_regexp.c */
extern const struct table_ops table_cidr_ops; /* table_cidr.c */
extern const struct table_ops table_union_ops; /* table_group.c */
extern const struct table_ops table_pipe_ops; /* table_group.c */
extern const struct table_ops table_random_ops; /* table_group.c */

extern const struct table_ops table_memcache_ops; /* table_memcache.c */
extern const struct table_ops table_remote_ops; /* table_remote.c */
extern const struct table_ops table_socketmap_ops; /* table_socketmap.c */
extern const struct table_ops table_tcp_ops; /* table_tcp.c */

/* table_promises: this process will connect to others than files. */
void table_speaks_to_servers(void);

/*
 * The key as tables compare it: lower case, by Unicode's rules where it is
 * UTF-8, or as "flags" say. The result lives in *out or is the key itself.
 */
struct span table_fold(struct span key, unsigned int flags, struct buf *out);

/* May the text be a key or a value: is it UTF-8, or need it not be? */
bool table_is_text(const struct table *t, struct span text);

#endif
