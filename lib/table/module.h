/* SPDX-License-Identifier: ISC */
#ifndef LIB_TABLE_MODULE_H
#define LIB_TABLE_MODULE_H

/*
 * What a loadable table type is: table_TYPE.so in the daemon directory, with
 * one symbol, "table_module". It knows its client library and nothing else:
 * names of settings, how to connect, how to quote, how to ask. All that tables
 * have in common (the file with the settings, % expansion, hosts in a row, the
 * patience with dead ones, limits) stays in the program, which is why a module
 * uses no symbol of ours: it hears and says all through struct module_call.
 *
 * Nothing here waits longer than module_call.left_ms() says.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Another number: the module is for another release, and refused. */
enum { TABLE_MODULE_ABI = 2 };
#define TABLE_MODULE_SYMBOL "table_module"

enum module_kind {
	MODULE_TEXT,
	MODULE_COUNT, /* from min to max */
	MODULE_LIMIT, /* a count of which more than max is taken as max */
	MODULE_TIME, /* seconds; s m h d w; a limit */
	MODULE_BOOL, /* yes or no */
	MODULE_WORD, /* one of the words in "words" */
};

struct module_setting {
	const char *name;
	enum module_kind kind;
	const char *fallback;
	int64_t min, max;
	const char *words;
};

enum module_result {
	MODULE_OK, /* for ask: value() was called for what there is */
	MODULE_DOWN, /* the server cannot be had: try another, or later */
	MODULE_LATER, /* it is there, but not now; the connection is fine */
	MODULE_WRONG, /* it refuses: a person must mend a setting */
	/*
	 * For ask: more has come than an answer may be. The other servers have
	 * the same and are not asked, none is left alone, and the connection,
	 * where the rest of it still comes, is closed.
	 */
	MODULE_TOO_MUCH,
};

/* Which part of the question a text is quoted for. */
enum module_place { MODULE_QUERY, MODULE_BASE };

struct module_call {
	/* Settings that the module has named; never NULL. */
	const char *(*setting)(const struct module_call *c, const char *name);
	int64_t (*number)(const struct module_call *c, const char *name);
	/* Time that is left, at least 1; bounds whatever waits. */
	int (*left_ms)(const struct module_call *c);
	/*
	 * One result. With_format: through result_format; else it is taken as
	 * it is. False: enough, the answer will be an error.
	 */
	bool (*value)(struct module_call *c, const char *text, size_t n,
	    bool with_format);
	/* Why not, for the log. The last one counts. */
	void (*fail)(struct module_call *c, const char *format, ...)
	    __attribute__((format(printf, 2, 3)));
	void (*debug)(struct module_call *c, const char *format, ...)
	    __attribute__((format(printf, 2, 3)));
};

struct module_question {
	const char *query;
	size_t query_n;
	const char *base; /* ldap: search_base, expanded; or "" */
};

struct table_module {
	unsigned int abi; /* TABLE_MODULE_ABI */
	const char *type;
	/* name NULL at the end; hosts, query... are named by the program */
	const struct module_setting *settings;
	/* Setting with the servers, separated by blanks; NULL: none, one. */
	const char *hosts;
	/* SQL: "query" may be made of table, select_field, where_field. */
	bool sql;
	/* Setting that is the question: "query", "query_filter". */
	const char *query;
	/* Another setting with % in it, or NULL: "search_base". */
	const char *base;
	/* Once, before rights are dropped: libraries load what they need. */
	void (*prepare)(void);
	/* MODULE_WRONG: settings that cannot be. NULL: nothing to check. */
	enum module_result (*check)(struct module_call *c);
	/* *connection is set on MODULE_OK alone. */
	enum module_result (*connect)(struct module_call *c, const char *host,
	    void **connection);
	/*
	 * Quotes for a place within the question. The length; never more than
	 * room, which is 4 * n + 1 or more. SIZE_MAX: this text can be in no
	 * table.
	 */
	size_t (*quote)(void *connection, enum module_place place, char *to,
	    size_t room, const char *from, size_t n);
	enum module_result (*ask)(struct module_call *c, void *connection,
	    const struct module_question *q);
	void (*close)(void *connection);
};

#endif
