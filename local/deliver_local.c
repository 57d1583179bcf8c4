/* SPDX-License-Identifier: ISC */
/*
 * Mailboxes, files and commands of users.
 *
 * SECURITY: each is done with the rights of the user it is for; the name of
 * a file or command comes from the machine's own tables and users, never
 * from the message.
 */
#include "local/local_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/store/maildir_deliver.h"
#include "lib/store/mbox_deliver.h"
#include "local/command.h"
#include "lib/sandbox/identity.h"

static bool
delivered_header(const struct plan *p, const char *where)
{
	struct span rest = span_of(p->r->agent->own.prepend_delivered_header);
	struct span item;

	while (conf_list_next(&rest, &item))
		if (span_is_nocase(item, where))
			return true;
	return false;
}

static void
source_for(struct plan *p, bool delivered, struct deliver_source *s)
{
	request_content(p->r, s);
	s->headers = request_headers(p->r, p->to->original,
	    delivered ? p->to->address : NULL, true);
}

enum verdict
deliver_command(struct plan *p, const struct action *a, const char *command,
    const struct person *person, bool header)
{
	const struct local_params *own = &p->r->agent->own;
	struct buf output = BUF_INIT(COMMAND_OUTPUT_MAX + 1);
	struct buf directory = BUF_INIT(4096);
	struct deliver_source source;
	struct command c = {
		.text = command,
		.shell = own->local_command_shell,
		.environment = plan_environment(p, person),
		.user = person->name,
		.uid = person->uid,
		.gid = person->gid,
		.root = p->r->agent->root,
		.directory = "/",
		.file_limit = (off_t)own->mailbox_size_limit,
		.limit_s = own->command_time_limit,
		.source = &source,
		.line_end = "\n",
		.before = request_from_line(p->r, "\n"),
	};
	enum verdict v;

	(void)a;
	source_for(p, !header || delivered_header(p, "command"), &source);
	if (own->command_execution_directory[0] != '\0' &&
	    plan_expand(p, person, own->command_execution_directory,
		own->execution_directory_expansion_filter, &directory))
		c.directory = buf_text(&directory);
	v = command_run(&c, &output, p->why);
	if (v == OK)
		why_set(p->why, "2.0.0", "delivered to command: %s", command);
	buf_fini(&output);
	buf_fini(&directory);
	return v;
}

static const struct mbox_options *
options_for(struct plan *p, const struct person *person, const char *subject,
    struct mbox_options *o)
{
	const struct local_params *own = &p->r->agent->own;

	*o = (struct mbox_options){
		.locks = p->state->locks,
		.attempts = own->deliver_lock_attempts,
		.delay_s = own->deliver_lock_delay,
		.stale_s = own->stale_lock_time,
		.limit = (off_t)own->mailbox_size_limit,
		.owner = p->r->agent->root ? person->uid : getuid(),
		.sender = request_quoted(p->r, p->r->sender),
		.subject = subject,
	};
	return o;
}

/* The directory of a path, and the name in it. */
static int
open_parent(const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash == path ?
	    mem_text("/") :
	    mem_span_text((struct span){ path, (size_t)(slash - path) });
	int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);

	*name = slash + 1;
	free(folder);
	return fd;
}

static enum verdict
into_mbox(struct plan *p, const char *path, const struct mbox_options *o)
{
	struct deliver_source source;
	const char *name;
	int folder = open_parent(path, &name);
	enum verdict v;

	source_for(p,
	    strcmp(o->subject, "mailbox") == 0 || delivered_header(p, "file"),
	    &source);
	if (folder < 0)
		return why_errno(p->why, "4.2.0", "cannot update %s %s",
		    o->subject, path);
	v = mbox_deliver(folder, name, path, &source, o, p->why);
	fd_close(&folder);
	return v;
}

/* Acting as the user already, so links of theirs may lead anywhere. */
static enum verdict
into_maildir(struct plan *p, const char *path)
{
	struct deliver_source source;
	int maildir = maildir_open_path(path);
	enum verdict v;

	source_for(p, true, &source);
	if (maildir < 0)
		return why_errno(p->why, "4.2.0",
		    "maildir delivery failed: open %s", path);
	v = maildir_copy(maildir, &source, DELIVER_LF,
	    (off_t)p->r->agent->own.mailbox_size_limit, p->why);
	fd_close(&maildir);
	return v;
}

static bool
ends_in_slash(const char *path)
{
	size_t n = strlen(path);

	return n > 0 && path[n - 1] == '/';
}

/*
 * The group that may make lock files and mailboxes in the spool directory:
 * its own, where the group may write there and not everybody.
 */
static gid_t
spool_group(const struct person *person, const char *spool)
{
	struct stat st;

	if (stat(spool, &st) == 0 && (st.st_mode & S_IWGRP) != 0 &&
	    (st.st_mode & S_IWOTH) == 0)
		return st.st_gid;
	return person->gid;
}

/* A spool where only root may make files: it makes the user's, empty. */
static void
make_spool_file(const struct person *person, const char *path)
{
	int fd = open(path,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd >= 0 && fchown(fd, person->uid, person->gid) != 0)
		unlink(path);
	fd_close(&fd);
}

static enum verdict
into_spool(struct plan *p, const struct person *person)
{
	const struct local_params *own = &p->r->agent->own;
	const char *spool = own->mail_spool_directory;
	struct mbox_options o;
	char *path;
	enum verdict v;

	if (strchr(person->name, '/') != NULL || person->name[0] == '.')
		return why_set(p->why, "5.2.0", "bad mailbox name");
	path = arena_printf(p->r->arena, "%s%s%s", spool,
	    ends_in_slash(spool) ? "" : "/", person->name);
	options_for(p, person, "mailbox", &o);
	o.owner_only = own->strict_mailbox_ownership;
	identity_become(person->name, person->uid, spool_group(person, spool));
	if (ends_in_slash(spool))
		v = into_maildir(p, path);
	else
		v = into_mbox(p, path, &o);
	identity_restore();
	if (v == LATER && p->why->error == EACCES && !ends_in_slash(spool) &&
	    p->r->agent->root && access(path, F_OK) != 0) {
		make_spool_file(person, path);
		identity_become(person->name, person->uid,
		    spool_group(person, spool));
		v = into_mbox(p, path, &o);
		identity_restore();
	}
	if (v == OK)
		why_set(p->why, "2.0.0", "delivered to %s",
		    ends_in_slash(spool) ? "maildir" : "mailbox");
	return v;
}

static enum verdict
into_home(struct plan *p, const struct person *person)
{
	const struct local_params *own = &p->r->agent->own;
	struct mbox_options o;
	bool maildir = ends_in_slash(own->home_mailbox);
	const char *path =
	    arena_printf(p->r->arena, "%s/%s", person->home, own->home_mailbox);
	enum verdict v;

	options_for(p, person, "mailbox", &o);
	o.owner_only = own->strict_mailbox_ownership;
	identity_become(person->name, person->uid, person->gid);
	v = maildir ? into_maildir(p, path) : into_mbox(p, path, &o);
	identity_restore();
	if (v == OK)
		why_set(p->why, "2.0.0", "delivered to %s",
		    maildir ? "maildir" : "mailbox");
	return v;
}

/* mailbox_command_maps, else mailbox_command; *command NULL: none. */
static enum verdict
find_command(struct plan *p, const struct person *person, const char **command)
{
	const char *fixed = p->r->agent->own.mailbox_command;
	struct buf value = BUF_INIT(65536);
	enum table_result t = TABLE_NONE;
	enum verdict v = OK;

	*command = fixed[0] != '\0' ? fixed : NULL;
	if (!table_list_empty(p->state->mailbox_command_maps))
		t = table_list_lookup(p->state->mailbox_command_maps,
		    span_of(person->name), &value);
	if (t == TABLE_FOUND)
		*command = arena_text(p->r->arena, buf_text(&value));
	else if (t != TABLE_NONE)
		v = agent_table_failed(p->why, t, "mailbox_command_maps",
		    buf_text(&value));
	buf_fini(&value);
	return v;
}

enum verdict
deliver_mailbox(struct plan *p, const struct action *a)
{
	const char *command;
	enum verdict v = find_command(p, a->person, &command);

	if (v != OK)
		return v;
	if (command != NULL)
		/* a command is never root's */
		return deliver_command(p, a, command,
		    a->person->uid != 0 ? a->person : p->state->default_person,
		    false);
	if (p->r->agent->own.home_mailbox[0] != '\0')
		return into_home(p, a->person);
	return into_spool(p, a->person);
}

enum verdict
deliver_file(struct plan *p, const struct action *a)
{
	struct mbox_options o;
	enum verdict v;

	options_for(p, a->person, "file", &o);
	o.any_type = true;
	identity_become(a->person->name, a->person->uid, a->person->gid);
	v = ends_in_slash(a->text) ? into_maildir(p, a->text) :
				     into_mbox(p, a->text, &o);
	identity_restore();
	if (v == OK)
		why_set(p->why, "2.0.0", "delivered to %s: %s",
		    ends_in_slash(a->text) ? "maildir" : "file", a->text);
	return v;
}
