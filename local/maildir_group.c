/* SPDX-License-Identifier: ISC */
#include "local/maildir_group.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "lib/base/ensure.h"
#include "lib/base/mem.h"
#include "lib/sandbox/identity.h"
#include "lib/store/maildir_deliver.h"

/*
 * So many on one device are flushed by syncfs(2), which writes what others
 * have left to write there, too: fewer are not worth that.
 */
enum { WORTH_THE_DEVICE = 8 };

struct member {
	struct maildir_copy copy;
	size_t index; /* the recipient's */
	uid_t uid;
	gid_t gid;
	enum verdict v;
	bool device_tried; /* to flush all of it, once: an error is told once */
	bool flushed;
	bool believed; /* that it was: see maildir_copy_device_lives */
	struct why why;
};

struct maildir_group {
	struct request *r;
	size_t count;
	bool acting; /* with the rights of these */
	uid_t uid;
	gid_t gid;
	struct member *all[MAILDIR_GROUP_MAX];
};

struct maildir_group *
maildir_group_new(struct request *r)
{
	struct maildir_group *g = mem_new(sizeof(*g));

	g->r = r;
	return g;
}

/* Most often one user owns them all. */
void
maildir_group_act_as(struct maildir_group *g, uid_t uid, gid_t gid)
{
	if (g->acting && g->uid == uid && g->gid == gid)
		return;
	maildir_group_act_as_ourselves(g);
	identity_become(NULL, uid, gid);
	g->acting = true;
	g->uid = uid;
	g->gid = gid;
}

void
maildir_group_act_as_ourselves(struct maildir_group *g)
{
	if (g->acting)
		identity_restore();
	g->acting = false;
}

bool
maildir_group_tells(const struct maildir_group *g, size_t index)
{
	return g->count > 0 && g->all[g->count - 1]->index == index;
}

bool
maildir_group_must_flush(const struct maildir_group *g, int maildir)
{
	struct stat st;

	if (g->count == 0)
		return false;
	if (g->count == MAILDIR_GROUP_MAX || fstat(maildir, &st) != 0)
		return true;
	for (size_t i = 0; i < g->count; i++)
		if (g->all[i]->copy.mailbox == st.st_ino &&
		    g->all[i]->copy.device == st.st_dev)
			return true;
	return false;
}

enum verdict
maildir_group_add(struct maildir_group *g, size_t index, int maildir, uid_t uid,
    gid_t gid, const struct deliver_source *s, enum deliver_form form,
    off_t limit, struct why *why)
{
	struct member *m = mem_new(sizeof(*m));
	enum verdict v;

	ensure(g->count < MAILDIR_GROUP_MAX);
	m->index = index;
	m->uid = uid;
	m->gid = gid;
	v = maildir_copy_write(&m->copy, maildir, s, form, limit, why);
	if (v == OK)
		g->all[g->count++] = m;
	else
		free(m);
	return v;
}

static void
enter_all(struct maildir_group *g)
{
	for (size_t i = 0; i < g->count; i++) {
		struct member *m = g->all[i];

		maildir_group_act_as(g, m->uid, m->gid);
		m->v = maildir_copy_enter(&m->copy, &m->why);
	}
}

/* All of this one's device, if they are many. */
static void
flush_device(struct maildir_group *g, const struct member *first)
{
	size_t n = 0;
	bool flushed;

	for (size_t i = 0; i < g->count; i++)
		n += g->all[i]->v == OK &&
		    g->all[i]->copy.device == first->copy.device;
	if (n >= WORTH_THE_DEVICE)
		maildir_group_act_as(g, first->uid, first->gid);
	flushed =
	    n >= WORTH_THE_DEVICE && maildir_copy_flush_device(&first->copy);
	for (size_t i = 0; i < g->count; i++)
		if (g->all[i]->copy.device == first->copy.device) {
			g->all[i]->device_tried = true;
			g->all[i]->flushed = flushed;
			g->all[i]->believed = flushed;
		}
}

static void
flush(struct maildir_group *g, struct member *m)
{
	if (!m->device_tried)
		flush_device(g, m);
	if (!m->flushed && maildir_copy_flush(&m->copy) != 0)
		m->v = maildir_copy_failed(&m->why);
	m->flushed = true;
}

/* One that was given up may have said so to one of them, or to none. */
static void
ask_device(struct maildir_group *g, const struct member *first)
{
	bool lives;
	int error;

	maildir_group_act_as(g, first->uid, first->gid);
	lives = maildir_copy_device_lives(&first->copy);
	error = errno;
	for (size_t i = 0; i < g->count; i++) {
		struct member *m = g->all[i];

		if (m->copy.device != first->copy.device)
			continue;
		m->believed = true;
		errno = error;
		if (!lives && m->v == OK)
			m->v = maildir_copy_failed(&m->why);
	}
}

static void
flush_all(struct maildir_group *g)
{
	for (size_t i = 0; i < g->count; i++)
		if (g->all[i]->v == OK)
			flush(g, g->all[i]);
	for (size_t i = 0; i < g->count; i++)
		if (g->all[i]->v == OK && !g->all[i]->believed)
			ask_device(g, g->all[i]);
}

static void
end_all(struct maildir_group *g)
{
	for (size_t i = 0; i < g->count; i++) {
		struct member *m = g->all[i];

		if (m->v != OK)
			maildir_group_act_as(g, m->uid, m->gid);
		maildir_copy_end(&m->copy, m->v == OK);
	}
	maildir_group_act_as_ourselves(g);
}

static void
tell_all(struct maildir_group *g)
{
	for (size_t i = 0; i < g->count; i++) {
		struct member *m = g->all[i];

		if (m->v == OK)
			why_set(&m->why, "2.0.0", "delivered to maildir");
		request_outcome(g->r, m->index, m->v, "delivered", &m->why);
		free(m);
	}
	g->count = 0;
}

void
maildir_group_flush(struct maildir_group *g)
{
	enter_all(g);
	flush_all(g);
	end_all(g);
	tell_all(g);
}

void
maildir_group_free(struct maildir_group **gp)
{
	struct maildir_group *g = *gp;

	*gp = NULL;
	if (g == NULL)
		return;
	maildir_group_flush(g);
	free(g);
}
