/* SPDX-License-Identifier: ISC */
#ifndef LIB_SERVICE_ASK_SERVER_H
#define LIB_SERVICE_ASK_SERVER_H

/*
 * Tables of servers are asked in other processes (lookup-server,
 * lookup-smtp-server, lookup-auth-server), each of which waits for one answer
 * at a time. Here only the task waits that has the question.
 *
 * A table has at most a few of those processes at a time, so that a server that
 * hangs leaves the others to other tables; what exceeds that waits for its
 * turn. Where no server could be had, and none answered another question in the
 * meantime, and that took long, the table is left alone for ten times as long:
 * until then the answer is the last one, at once, and then one question tries.
 * Who could not have a turn in time, as long as
 * answers take, is told at once. A server that says "try again" is there. Keys
 * of domains that the table is not about need no server, and wait for none.
 */

/*
 * Once, before tables are opened. The name is static. A question takes so many
 * seconds at most.
 */
void ask_server_open(const char *name, int most_s);

#endif
