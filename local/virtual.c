/* SPDX-License-Identifier: ISC */
/*
 * virtual: mailboxes of people who are no users of this machine, by tables.
 *
 * Tables are filled by others (SQL, panels): a path cannot leave
 * virtual_mailbox_base, user and group cannot be less than
 * virtual_minimum_uid.
 */
#include "local/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/mail/mail_address.h"
#include "lib/queue/queue_file.h"
#include "lib/store/beneath.h"
#include "lib/store/maildir_deliver.h"
#include "lib/store/maildir_size.h"
#include "lib/store/mbox_deliver.h"
#include "local/maildir_group.h"

static struct {
	struct table_list *mailboxes;
	struct table_list *uids;
	struct table_list *gids;
	unsigned int locks;
	bool crlf;
} set;

/* The recipients of one request, in whose Maildirs its group writes. */
struct batch {
	struct request *r;
	struct maildir_group *group;
	int base; /* virtual_mailbox_base, once it was needed */
};

struct mailbox {
	const char *path; /* below the base, without a slash at the end */
	bool maildir;
	uid_t uid;
	gid_t gid;
};

static struct table_list *
open_tables(const char *name, const char *specs)
{
	struct buf error = BUF_INIT(4096);
	struct table_list *l =
	    table_list_open_flags(specs, TABLE_NO_SUBSTITUTION, &error);

	if (l == NULL)
		fatal("%s: %.*s", name, SPAN_ARG(span_trim(buf_span(&error))));
	buf_fini(&error);
	return l;
}

void
virtual_set_up(struct agent *a)
{
	const struct local_params *p = &a->own;

	if (!mbox_locks_parse(p->virtual_mailbox_lock, &set.locks))
		fatal("virtual_mailbox_lock: unknown kind of lock: %s",
		    p->virtual_mailbox_lock);
	if (p->virtual_mailbox_limit != 0 &&
	    (a->common.message_size_limit == 0 ||
		p->virtual_mailbox_limit < a->common.message_size_limit))
		fatal("virtual_mailbox_limit is smaller than "
		      "message_size_limit");
	set.crlf = strcasecmp(p->virtual_maildir_form, "crlf") == 0;
	set.mailboxes =
	    open_tables("virtual_mailbox_maps", p->virtual_mailbox_maps);
	set.uids = open_tables("virtual_uid_maps", p->virtual_uid_maps);
	set.gids = open_tables("virtual_gid_maps", p->virtual_gid_maps);
}

static enum table_result
look_up(struct request *r, struct table_list *l, const char *address,
    struct buf *value)
{
	struct span key = span_of(request_quoted(r, address));
	struct buf extension = BUF_INIT(MAIL_ADDRESS_MAX);
	enum table_result t;

	t = table_list_lookup_address(l, key,
	    r->agent->common.recipient_delimiter, false, value, &extension);
	buf_fini(&extension);
	return t;
}

static enum verdict
misconfigured(struct why *why, const char *address, const char *format,
    const char *value)
{
	char text[512];

	snprintf(text, sizeof(text), format, value);
	log_warning("recipient %s: %s", address, text);
	return why_set(why, "4.3.5", "mail system configuration error");
}

/* A user or group number of a table. */
static enum verdict
owner_number(struct request *r, struct table_list *l, const char *name,
    const char *address, uint64_t *id, struct why *why)
{
	struct buf value = BUF_INIT(4096);
	enum table_result t = look_up(r, l, address, &value);
	int64_t least = r->agent->own.virtual_minimum_uid;
	struct span text = span_trim(buf_span(&value));
	enum verdict v = OK;

	if (t == TABLE_NONE)
		v = misconfigured(why, address, "not found in %s", name);
	else if (t != TABLE_FOUND)
		v = agent_table_failed(why, t, name, buf_text(&value));
	/* (uid_t)-1 means "leave it" to chown(2) */
	else if (!span_u64(text, UINT32_MAX - 1, id))
		v = misconfigured(why, address, "bad number in the table: %s",
		    buf_text(&value));
	else if ((int64_t)*id < least)
		v = misconfigured(why, address,
		    "%s is below "
		    "virtual_minimum_uid",
		    buf_text(&value));
	buf_fini(&value);
	return v;
}

/* "example.test/bob/" as the table has it. */
static enum verdict
parse_path(struct request *r, const char *address, struct span value,
    struct mailbox *box, struct why *why)
{
	char *path;

	value = span_trim(value);
	while (value.n > 0 && value.p[0] == '/')
		value = span_skip(value, 1);
	box->maildir = value.n > 0 && value.p[value.n - 1] == '/';
	while (value.n > 0 && value.p[value.n - 1] == '/')
		value.n--;
	path = arena_span(r->arena, value);
	box->path = path;
	if (!beneath_valid(path))
		return misconfigured(why, address, "bad mailbox path: %s",
		    path);
	return OK;
}

static enum verdict
find_mailbox(struct request *r, const char *address, struct mailbox *box,
    struct why *why)
{
	struct buf value = BUF_INIT(8192);
	enum table_result t = look_up(r, set.mailboxes, address, &value);
	uint64_t uid = 0, gid = 0;
	enum verdict v;

	if (t == TABLE_NONE)
		v = why_set(why, "5.1.1", "unknown user: \"%s\"", address);
	else if (t != TABLE_FOUND)
		v = agent_table_failed(why, t, "virtual_mailbox_maps",
		    buf_text(&value));
	else
		v = parse_path(r, address, buf_span(&value), box, why);
	buf_fini(&value);
	if (v == OK)
		v = owner_number(r, set.uids, "virtual_uid_maps", address, &uid,
		    why);
	if (v == OK)
		v = owner_number(r, set.gids, "virtual_gid_maps", address, &gid,
		    why);
	box->uid = r->agent->root ? (uid_t)uid : geteuid();
	box->gid = r->agent->root ? (gid_t)gid : getegid();
	return v;
}

/* As ourselves: an owner need not be able to reach it by its name. */
static bool
has_base(struct batch *b)
{
	if (b->base >= 0)
		return true;
	maildir_group_act_as_ourselves(b->group);
	b->base = open(b->r->agent->own.virtual_mailbox_base,
	    O_PATH | O_DIRECTORY | O_CLOEXEC);
	return b->base >= 0;
}

static void
become_owner(struct batch *b, const struct mailbox *box)
{
	maildir_group_act_as(b->group, box->uid, box->gid);
}

static void
become_ourselves(struct batch *b)
{
	maildir_group_act_as_ourselves(b->group);
}

static enum verdict
no_base(const struct request *r, struct why *why)
{
	return why_errno(why, "4.3.5", "open virtual_mailbox_base %s",
	    r->agent->own.virtual_mailbox_base);
}

/* May the queue file itself become the mailbox's file? */
static bool
may_move(const struct request *r)
{
	return r->m->take && set.crlf && r->m->recipients.count == 1 &&
	    (r->m->flags & QUEUE_HAS_PREFIX) != 0;
}

/* A mailbox that nobody has had mail in: made with the owner's rights. */
static bool
made(struct batch *b, const struct mailbox *box)
{
	int maildir;

	if (!has_base(b))
		return false;
	become_owner(b, box);
	maildir = maildir_open(b->base, box->path, true);
	become_ourselves(b);
	if (maildir < 0)
		return false;
	fd_close(&maildir);
	return true;
}

/* The root of the Maildir, and its owner from now on; or -1, and nobody. */
static int
become_at_root(struct batch *b, const struct maildir_place *to,
    const struct mailbox *box)
{
	int root;

	become_owner(b, box);
	root = openat(to->new, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		become_ourselves(b);
	return root;
}

static enum verdict
take_room(struct batch *b, const struct maildir_place *to,
    const struct mailbox *box, const struct deliver_source *s,
    struct maildir_claim *claim, struct why *why)
{
	int root = become_at_root(b, to, box);
	enum verdict v;

	if (root < 0)
		return OK;
	v = maildir_take_room(root, s->size, s, claim, why);
	become_ourselves(b);
	fd_close(&root);
	return v;
}

/* While who begins to count still waits for the claim. */
static void
give_room_back(struct batch *b, const struct maildir_place *to,
    const struct mailbox *box, struct maildir_claim *claim)
{
	int root = become_at_root(b, to, box);

	if (root < 0)
		return;
	maildir_claim_settle(claim, root, 0, 0);
	become_ourselves(b);
	fd_close(&root);
}

/* False: it is to be copied, unless *v says that it cannot be had. */
static bool
moved(struct batch *b, const struct mailbox *box,
    const struct deliver_source *s, enum verdict *v, struct why *why)
{
	const struct request *r = b->r;
	const char *base = r->agent->own.virtual_mailbox_base;
	const struct maildir_place *to =
	    maildir_place(base, box->path, box->uid);
	char path[QUEUE_PATH_MAX];
	struct maildir_claim claim = { .fd = -1 };
	struct stat st;
	bool counted, there;

	if (to == NULL && errno == ENOENT && made(b, box))
		to = maildir_place(base, box->path, box->uid);
	queue_path(r->m->queue, r->m->queue_id, path);
	if (to == NULL)
		return false;
	counted = maildir_counted(to);
	/* room is taken for what can be moved alone */
	if (counted && !maildir_may_move(to, s, path, s->size, &st))
		return false;
	if (counted)
		*v = take_room(b, to, box, s, &claim, why);
	if (*v != OK)
		return false;
	there = maildir_move(to, s, path, s->size, box->uid, box->gid) ==
	    MAILDIR_MOVED;
	if (!there && claim.fd >= 0)
		give_room_back(b, to, box, &claim);
	maildir_claim_end(&claim);
	return there;
}

static enum verdict
open_failed(struct why *why, const struct mailbox *box)
{
	return why_errno(why, errno == ENOSPC ? "4.3.0" : "4.2.0",
	    "maildir delivery failed: open %s", box->path);
}

/*
 * As the owner, whom we stay for the next: what is missing is made with the
 * owner's rights. One mailbox gets one copy at a time, so that it is known what
 * room it has. OK: the group tells it, when it is durable.
 */
static enum verdict
copy(struct batch *b, size_t index, const struct mailbox *box,
    const struct deliver_source *s, struct why *why)
{
	enum verdict v;
	int maildir;

	if (!has_base(b))
		return no_base(b->r, why);
	become_owner(b, box);
	maildir = maildir_open(b->base, box->path, true);
	if (maildir < 0)
		return open_failed(why, box);
	if (maildir_group_must_flush(b->group, maildir)) {
		maildir_group_flush(b->group);
		become_owner(b, box);
	}
	v = maildir_group_add(b->group, index, maildir, box->uid, box->gid, s,
	    set.crlf ? DELIVER_CRLF : DELIVER_LF,
	    (off_t)b->r->agent->own.virtual_mailbox_limit, why);
	fd_close(&maildir);
	return v;
}

static enum verdict
into_maildir(struct batch *b, size_t index, const struct mailbox *box,
    const struct deliver_source *s, struct why *why)
{
	int64_t limit = b->r->agent->own.virtual_mailbox_limit;
	enum verdict v = OK;

	if (limit > 0 && s->size > limit) {
		errno = EFBIG;
		return why_errno(why, "5.2.2",
		    "maildir delivery failed: error writing message");
	}
	if (may_move(b->r) && moved(b, box, s, &v, why)) {
		b->r->taken = true;
		return why_set(why, "2.0.0", "delivered to maildir");
	}
	return v == OK ? copy(b, index, box, s, why) : v;
}

/* The directory that the mbox file is in, and the file's name there. */
static int
open_parent(int base, const struct mailbox *box, const char **name)
{
	const char *slash = strrchr(box->path, '/');
	char *folder;
	int fd;

	if (slash == NULL) {
		*name = box->path;
		return fcntl(base, F_DUPFD_CLOEXEC, 3);
	}
	*name = slash + 1;
	folder = mem_span_text(
	    (struct span){ box->path, (size_t)(slash - box->path) });
	fd = beneath_open(base, folder, O_PATH | O_DIRECTORY, 0);
	if (fd < 0 && errno == ENOENT && beneath_make(base, folder, 0700) == 0)
		fd = beneath_open(base, folder, O_PATH | O_DIRECTORY, 0);
	free(folder);
	return fd;
}

static enum verdict
into_mbox(struct batch *b, const struct mailbox *box,
    const struct deliver_source *s, struct why *why)
{
	struct request *r = b->r;
	const struct local_params *p = &r->agent->own;
	const struct mbox_options options = {
		.locks = set.locks,
		.attempts = p->deliver_lock_attempts,
		.delay_s = p->deliver_lock_delay,
		.stale_s = p->stale_lock_time,
		.limit = (off_t)p->virtual_mailbox_limit,
		.owner_only = p->strict_mailbox_ownership,
		.owner = box->uid,
		.sender = request_quoted(r, r->sender),
		.subject = "mailbox",
	};
	const char *name;
	enum verdict v;
	int folder;

	if (!has_base(b))
		return no_base(r, why);
	become_owner(b, box);
	folder = open_parent(b->base, box, &name);
	if (folder < 0)
		v = why_errno(why, "4.2.0", "cannot update mailbox %s",
		    box->path);
	else
		v = mbox_deliver(folder, name, box->path, s, &options, why);
	fd_close(&folder);
	if (v == OK)
		why_set(why, "2.0.0", "delivered to mailbox");
	return v;
}

static enum verdict
into_mailbox(struct batch *b, size_t index, const struct mailbox *box,
    struct why *why)
{
	struct request *r = b->r;
	const char *base_name = r->agent->own.virtual_mailbox_base;
	struct deliver_source source;

	if (base_name[0] != '/')
		return misconfigured(why, request_recipient(r, index)->address,
		    "virtual_mailbox_base is not an absolute path: \"%s\"",
		    base_name);
	request_source(r, index, &source);
	return box->maildir ? into_maildir(b, index, box, &source, why) :
			      into_mbox(b, box, &source, why);
}

/* Whose mailbox; OK and no path: nothing is to be done. */
static enum verdict
find(struct request *r, size_t index, struct mailbox *box, struct why *why)
{
	const char *address = request_recipient(r, index)->address;
	enum verdict v;

	if (request_loops(r, address))
		return why_set(why, "5.4.6", "mail forwarding loop for %s",
		    address);
	v = find_mailbox(r, address, box, why);
	if (v == OK && r->verify) {
		box->path = NULL;
		why_set(why, "2.0.0", "delivers to %s",
		    box->maildir ? "maildir" : "mailbox");
	}
	return v;
}

/* Tables are ours to open: all are asked before anything is written. */
static void
find_all(struct batch *b, struct mailbox *boxes)
{
	for (size_t i = 0; i < b->r->m->recipients.count; i++) {
		struct why why = { 0 };
		enum verdict v = find(b->r, i, &boxes[i], &why);

		if (v != OK)
			boxes[i].path = NULL;
		if (boxes[i].path == NULL)
			request_outcome(b->r, i, v, "delivered", &why);
	}
}

static void
deliver_all(struct batch *b, const struct mailbox *boxes)
{
	for (size_t i = 0; i < b->r->m->recipients.count; i++) {
		struct why why = { 0 };
		enum verdict v;

		if (boxes[i].path == NULL)
			continue;
		v = into_mailbox(b, i, &boxes[i], &why);
		if (maildir_group_tells(b->group, i))
			continue;
		become_ourselves(b);
		request_outcome(b->r, i, v, "delivered", &why);
	}
}

void
virtual_deliver(struct request *r)
{
	struct batch b = { .r = r, .group = maildir_group_new(r), .base = -1 };
	size_t count = r->m->recipients.count;
	struct mailbox *boxes = arena_alloc(r->arena, count * sizeof(*boxes));

	find_all(&b, boxes);
	deliver_all(&b, boxes);
	maildir_group_free(&b.group);
	fd_close(&b.base);
}
