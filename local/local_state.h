/* SPDX-License-Identifier: ISC */
#ifndef LOCAL_LOCAL_STATE_H
#define LOCAL_LOCAL_STATE_H

/*
 * The local service: what it opened at its start, and the plan it makes for
 * each recipient. A plan is made whole before anything is done, so that a
 * table that is down or a list that cannot be read delivers to nobody twice.
 */

#include "lib/conf/master_cf.h"
#include "lib/mail/rewrite.h"
#include "lib/table/table.h"
#include "local/agent.h"
#include "local/person.h"

struct local_state {
	struct table **aliases; /* alias_maps */
	size_t alias_count;
	struct table_list *mailbox_transport_maps;
	struct table_list *mailbox_command_maps;
	struct table_list *fallback_transport_maps;
	struct match_list *destination; /* mydestination */
	const char *propagate; /* propagate_unmatched_extensions */
	struct rewrite_rules rules;
	unsigned int locks;
	const struct person *default_person; /* default_privs */
	struct master_cf *services; /* NULL: could not be read */
};

enum action_kind {
	ACTION_MAILBOX,
	ACTION_COMMAND,
	ACTION_FILE,
	ACTION_FORWARD, /* a new message to this address */
	ACTION_TRANSPORT, /* another delivery service: transport:nexthop */
};

struct action {
	enum action_kind kind;
	const char *text; /* command, path, address or transport */
	const struct person *person; /* whose; never root but for mailboxes */
	const char *sender;
	struct action *next;
};

/* What has an end, lest files that name each other keep us for ever. */
enum counted {
	COUNT_DESTINATIONS,
	COUNT_ENTRIES, /* of lists, each time they are come to */
	COUNT_FILES, /* included, each time one is read */
	COUNT_BYTES, /* of text of included files */
	COUNT_KINDS,
};

struct plan {
	struct local_state *state;
	struct request *r;
	const struct msg_deliver_recipient *to;
	struct why *why;
	struct action *first, **last;
	size_t count;
	size_t forwards;
	size_t counts[COUNT_KINDS];
	size_t users_counts[COUNT_KINDS]; /* those that users' files caused */
	/* of the recipient, unquoted form */
	const char *local; /* before the "@" */
	const char *user; /* the same without its extension */
	const char *extension; /* NULL: none */
	const char *domain;
	const char *sender;
	bool owner; /* the sender is an owner-NAME */
};

/* Fills p->first; OK, or why the recipient gets nothing now. */
enum verdict plan_make(struct plan *p);
/*
 * The destinations of an alias, NULL when it is none; and the owner of the
 * table that has it, whose rights its commands and files have.
 */
enum verdict plan_find_alias(struct plan *p, const char *name,
    const char **value, uid_t *owner);
/* The sender of what this alias sends on: owner-NAME, if there is one. */
enum verdict plan_take_owner(struct plan *p, const char *name);
/* Does all of it; a verdict, and what to say in *p->why. */
enum verdict plan_perform(struct plan *p);

/*
 * ~/.forward: *text is set when one is there. *for_extension: its name holds
 * the recipient's extension.
 */
enum verdict forward_file_read(struct plan *p, const struct person *person,
    const char **text, bool *for_extension);
/* :include:; *person may become the file's owner, *users: that is not root. */
enum verdict include_file_read(struct plan *p, const char *path,
    const struct person **person, bool *users, const char **text);
/*
 * So much more of that; "users": by a file that is not root's. NULL, or what is
 * wrong: "more than 1000 included files".
 */
const char *plan_count(struct plan *p, enum counted kind, size_t n, bool users);
/* Templates with $user, $home and so on; "allowed": characters of values. */
bool plan_expand(struct plan *p, const struct person *person,
    const char *template, const char *allowed, struct buf *out);
/* The user, extension and so on for commands. */
char **plan_environment(struct plan *p, const struct person *person);

/* mailbox_command and |command; where and as whom. */
enum verdict deliver_command(struct plan *p, const struct action *a,
    const char *command, const struct person *person, bool header);
enum verdict deliver_mailbox(struct plan *p, const struct action *a);
enum verdict deliver_file(struct plan *p, const struct action *a);
/* One new message for all ACTION_FORWARD. */
enum verdict deliver_forwards(struct plan *p);
enum verdict deliver_transport(struct plan *p, const struct action *a);

#endif
