/* SPDX-License-Identifier: ISC */
#ifndef TOOLS_POSTMAILBOX_H
#define TOOLS_POSTMAILBOX_H

/* The parts of postmailbox(1). */

#include <stdbool.h>
#include <stdint.h>

#include "lib/store/uidl_format.h"

/* Whose mail it is, and where. */
struct postmailbox {
	const char *location;
	char separator;
	bool has_owner; /* else that of the directory */
	uint64_t uid, gid;
	struct uidl_format uidl; /* text NULL, or "": ids are names */
};

/*
 * Finds the account in the settings' sources; fatal when there is none. Reads
 * main.cf of this directory (NULL: the usual one).
 */
void postmailbox_account(const char *config, const char *user,
    struct postmailbox *out);
/* Each: what the program exits with. 0: all is well; 1: something is not. */
int postmailbox_check(const struct postmailbox *p);
int postmailbox_rebuild(const struct postmailbox *p);

/*
 * An mbox file, from its start, and our state file of that folder (NULL: there
 * is none): tells what is in it; what is wrong goes to "problem".
 */
struct folder_state;

struct postmailbox_mbox {
	uint64_t messages, bytes;
};

typedef void postmailbox_problem(const char *text);
void postmailbox_mbox_check(int fd, const struct folder_state *state,
    postmailbox_problem *problem, struct postmailbox_mbox *out);

#endif
