/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_SEARCH_H
#define IMAPD_SEARCH_H

/*
 * What SEARCH, SORT, THREAD and ESEARCH have in common: a request, and
 * finding.
 */

#include "imapd/search_return.h"
#include "imapd/search_run.h"

/* Rows of verbs.def. */
imap_command_function imap_search, imap_sort, imap_thread, imap_multisearch,
    imap_cancelupdate;

struct search_request {
	struct imap_session *session;
	const struct imap_command *command;
	const struct imap_arg *args; /* what is not yet read */
	size_t count;
	bool uid; /* answers are UIDs */
	struct search_return wants;
	struct span charset;
	const struct imap_arg *keys; /* what the program is made of, */
	int64_t now; /* and when */
	struct search_program *program;
};

/*
 * Each takes its part off the arguments; false when it has answered BAD or
 * NO. search_end releases all; also after a failure.
 */
bool search_begin(struct imap_session *s, const struct imap_command *c,
    struct search_request *r);
bool search_take_return(struct imap_session *s, struct search_request *r);
/* The argument is a charset. */
bool search_take_charset(struct imap_session *s, struct search_request *r);
/* The rest. */
bool search_take_keys(struct imap_session *s, struct search_request *r);
/* An optional CHARSET, and keys. */
bool search_take_program(struct imap_session *s, struct search_request *r);
void search_end(struct search_request *r);

/*
 * Finds in the selected mailbox. "most", "backward" as in search_scope.
 * False: has answered.
 */
bool search_find(struct imap_session *s, struct search_request *r,
    bool backward, uint64_t most, struct uid_set *found);
/* Keeps the answer as "$" (RFC 5182, RFC 9394 section 3.2). */
void search_save(struct imap_session *s, const struct search_request *r,
    const struct uid_set *found);
/*
 * " MIN 1 COUNT 5 ALL 1:5" and what else was asked for, to the end of the
 * line. "known": the found ones as the client knows them.
 */
void search_write_items(struct imap_session *s, const struct search_request *r,
    struct mailbox *m, const struct uid_set *found,
    const struct uid_set *known);
/* The highest modification sequence of these; 0: none is there. */
uint64_t search_modseq(struct mailbox *m, const struct uid_set *uids);
/* For search_scope, with the request. */
bool search_progress(void *with, uint64_t done, uint64_t of);

#endif
