/* SPDX-License-Identifier: ISC */
#ifndef TOOLS_AUTHORISE_H
#define TOOLS_AUTHORISE_H

/* authorized_mailq_users and its like. */

/*
 * Ends the command with a message unless the real user, "unknown" where the
 * system has no name, is in the list of names and tables. "what" is the deed:
 * "view the mail queue".
 */
void authorise(const char *setting, const char *allowed, const char *what);

#endif
