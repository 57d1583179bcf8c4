/* SPDX-License-Identifier: ISC */
#ifndef LIB_CONF_MASTER_CF_H
#define LIB_CONF_MASTER_CF_H

/*
 * master.cf: which services run, in Postfix's syntax: eight columns,
 * continuation lines, { } arguments, "-o name=value" and "-o { name = value }".
 */

#include "lib/conf/conf.h"

/* The letters that flags= of a pipe service may have. */
#define MASTER_PIPE_FLAGS "BDFORXhqu.>"

enum service_type {
	SERVICE_INET,
	SERVICE_UNIX, /* private: private/NAME, else public/NAME */
	SERVICE_FIFO, /* as unix */
	SERVICE_PASS, /* as unix: connections arrive as descriptors */
	SERVICE_UNIX_DGRAM,
};

struct master_entry {
	char *name; /* as written: "smtp", "127.0.0.1:2525", "pickup" */
	enum service_type type;
	bool private_service;
	bool unprivileged; /* column "unpriv" */
	bool chroot;
	int64_t wakeup_s; /* 0: never */
	bool wakeup_if_used; /* "60?" */
	int64_t maxproc; /* 0: no limit; the default is default_process_limit */
	char *command; /* program: "smtpd" */
	char **arguments; /* NULL at the end, without the command */
	char **overrides; /* "name=value" of each -o, NULL at the end */
	int line;
	bool disabled; /* by master_service_disable */
};

struct master_cf {
	struct master_entry *entries;
	size_t count;
};

/*
 * Reads DIR/master.cf. NULL when it cannot be opened; errors as conf_read.
 * Later entries replace earlier ones of the same name and type.
 */
struct master_cf *master_cf_read(const char *directory, struct conf *c,
    struct buf *errors, struct buf *warnings);
/* The same from a text; "file" is its name in messages. */
struct master_cf *master_cf_parse(struct span text, const char *file,
    struct conf *c, struct buf *errors, struct buf *warnings);
void master_cf_free(struct master_cf **m);
/* Tells conf_check of the services, and which names their words use. */
void master_cf_mention(const struct master_cf *m, struct conf *c);
const char *service_type_name(enum service_type t);

#endif
