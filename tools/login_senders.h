/* SPDX-License-Identifier: ISC */
#ifndef TOOLS_LOGIN_SENDERS_H
#define TOOLS_LOGIN_SENDERS_H

/*
 * local_login_sender_maps: under which addresses a user of this machine may
 * send. For set-gid commands: the tables are read before rights are dropped.
 */

#include <stdbool.h>

/*
 * Who calls, as tables have it: the login name, or uid:NUMBER where there is
 * none. Valid until the next call.
 */
const char *login_name(void);
/*
 * The patterns of the caller: "*", "@domain", addresses; "" for none. Never
 * returns when a table cannot be asked.
 */
char *login_senders(const char *tables);
/*
 * May such a caller send as this? "empty": the word that stands for the null
 * sender. Extensions behind one of the delimiters are not looked at.
 */
bool login_sender_allowed(const char *patterns, const char *sender,
    const char *empty, const char *delimiters);

#endif
