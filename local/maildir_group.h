/* SPDX-License-Identifier: ISC */
#ifndef LOCAL_MAILDIR_GROUP_H
#define LOCAL_MAILDIR_GROUP_H

/*
 * Copies of one message for the Maildirs of several recipients, made durable
 * together: all are written, then all get their names, then all are flushed,
 * and only then the outcomes are told. So the disk is busy with all of them at
 * once, and a journal is committed once for all.
 */

#include "local/agent.h"

struct maildir_group;

enum { MAILDIR_GROUP_MAX = 50 };

struct maildir_group *maildir_group_new(struct request *r);
/*
 * Whose rights we act with: those of this user and group, until the next call
 * of either. One owner after the same costs nothing.
 */
void maildir_group_act_as(struct maildir_group *g, uid_t uid, gid_t gid);
void maildir_group_act_as_ourselves(struct maildir_group *g);
/*
 * Writes the copy for recipient "index" into "maildir", which belongs to this
 * user and group, as whom we act. OK: the group tells the outcome. Else a
 * verdict with *why, and the caller does.
 */
enum verdict maildir_group_add(struct maildir_group *g, size_t index,
    int maildir, uid_t uid, gid_t gid, const struct deliver_source *s,
    enum deliver_form form, off_t limit, struct why *why);
/* Does this recipient wait? */
bool maildir_group_tells(const struct maildir_group *g, size_t index);
/* Before another for this mailbox: it is full, or has one for it already. */
bool maildir_group_must_flush(const struct maildir_group *g, int maildir);
/* What waits is made durable, and told. We then act as ourselves. */
void maildir_group_flush(struct maildir_group *g);
/* Flushes it first. */
void maildir_group_free(struct maildir_group **g);

#endif
