/* SPDX-License-Identifier: ISC */
#ifndef TOOLS_TABLE_TOOL_H
#define TOOLS_TABLE_TOOL_H

/* What postmap, postalias and newaliases have in common. */

#include "lib/conf/conf.h"
#include "lib/table/table.h"

enum table_tool_kind { TABLE_TOOL_MAP, TABLE_TOOL_ALIAS };

/* As in Postfix: 1 for "not found" and for every failure. */
enum { TABLE_TOOL_NONE = 1 };

/* What the command line asks for. */
struct table_wishes {
	enum table_tool_kind kind;
	const char *config; /* -c */
	const char *query; /* -q */
	const char *remove; /* -d */
	bool sequence; /* -s */
	bool keep_root; /* -o */
	bool contents; /* -F */
	bool json; /* -j */
	bool headers; /* -h: standard input is a message */
	bool bodies; /* -b */
	bool mime; /* -m */
	bool force_utf8; /* -U */
	struct table_build build; /* path and type differ for each table */
};

/*
 * The settings, from -c, MAIL_CONFIG or the built-in place. A main.cf with
 * mistakes is used as far as it goes: tables must be mendable then, too.
 */
struct conf *table_tool_settings(const char *directory);
/*
 * Builds one table; as root with the rights of the source's owner, unless
 * keep_root. False with why in *error.
 */
bool table_tool_build(const struct table_build *b, bool keep_root,
    struct buf *error);
/* Each does what is asked for with "type:name" tables: exit status. */
int table_tool_query(const struct table_wishes *w, char **specs, size_t count);
int table_tool_remove(const struct table_wishes *w, char **specs, size_t count);
int table_tool_list(const struct table_wishes *w, char **specs, size_t count);
int table_tool_make(const struct table_wishes *w, char **specs, size_t count);
/* A line of standard input without its end; false at the end. */
bool table_tool_line(char **line, size_t *room, struct span *text);
/* One line of output; -F: the value is base64, and false when it is not. */
bool table_tool_print(const struct table_wishes *w, struct span key,
    struct span value);
/* Everything is written, or the program ends. */
void table_tool_flush(void);
/* The whole of postmap's and postalias's main. */
int table_tool_main(int argc, char **argv, enum table_tool_kind kind);

#endif
