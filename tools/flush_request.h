/* SPDX-License-Identifier: ISC */
#ifndef TOOLS_FLUSH_REQUEST_H
#define TOOLS_FLUSH_REQUEST_H

/*
 * Asks qmgr to try deferred mail now: that message, mail for that site, or,
 * with two empty texts, all. Done when qmgr has it noted; one that ends before
 * it read the question (reload, a crash) is followed by another, which is
 * asked again. 0, or -1 with errno: ECONNREFUSED or ENOENT where no mail system
 * runs, ETIMEDOUT where one does not answer within a minute.
 */
int flush_request(const char *id, const char *site);

#endif
