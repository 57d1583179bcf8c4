/* SPDX-License-Identifier: ISC */
/*
 * pop3d-session: the POP3 server's session stage.
 *
 * SECURITY. The parent is root; what it does, and what its children give up,
 * is in lib/login/session_parent.c and session_child.c. Here: where a user's
 * process lives. For a Maildir that is the mailbox itself. For an mbox it has
 * no directory at all, but the open file that its keeper (mbox_keeper.c)
 * passes to it; the parent opens the journal, a file of its own, and passes it
 * on unread.
 *
 * One process: two parents would each keep a process for a user. That would
 * do no harm (mailboxes are locked), but waste.
 */
#include "pop3d/session.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/login/mbox_keeper.h"
#include "lib/sandbox/sandbox.h"
#include "lib/store/mail_account_location.h"
#include "pop3d/unique_ids.h"

enum { LINGER_MS = 2000 /* without a connection */ };

static struct session_settings settings;
static struct mbox_keeping keeping;
/* of a user's process */
static bool has_mbox;
static struct mbox_access *mbox;
static const char *mail;
static bool mail_exists;

static pid_t
start(const struct session_owner *owner, int *ours, pid_t *companion)
{
	int fds[SESSION_FDS] = { -1, -1, -1 };
	char *path = mail_location_mbox(owner->mail);
	pid_t pid = -1;

	has_mbox = path != NULL;
	if (path == NULL ||
	    mbox_keeper_start(&keeping, owner, path, fds, companion))
		pid = session_fork(owner, fds, ours);
	free(path);
	fd_close(&fds[MBOX_KEEPER]);
	fd_close(&fds[MBOX_JOURNAL]);
	return pid;
}

/* UIDs are the account's business; else INBOX is all there is. */
static bool
confine(const char *location, char **path, char **inside, struct why *why)
{
	return unique_ids_want_account() ?
	    mail_location_confine(location, path, inside, why) :
	    mail_location_confine_inbox(location, path, inside, why);
}

/*
 * With the mailbox as root directory, a taken-over process cannot get at
 * those of others who share the system user. Links out of a Maildir do not
 * work for the same reason. Without root the promise below says the same. A
 * mailbox that is not there yet is an empty one. An mbox file comes from its
 * keeper.
 */
static void
enter(const struct session_owner *owner)
{
	char *path = NULL, *inside = NULL;
	struct why why;

	if (has_mbox) {
		path = mem_text("empty");
		mbox = mbox_keeper_access(&keeping);
	} else if (!confine(owner->mail, &path, &inside, &why)) {
		log_warning("user=<%s>: %s", owner->user, why.text);
		exit(EXIT_FAILURE);
	}
	mail_exists = !has_mbox && (access(path, F_OK) == 0 || errno != ENOENT);
	mail = mail_exists ? inside : "maildir:none";
	if (mail_exists)
		session_enter(&settings.stage, owner, path);
	else if (chdir("empty") == -1)
		fatal("empty: %m");
	session_become(&settings.stage, owner);
	free(path);
}

static void
serve(struct session_client *c)
{
	struct pop3_client client = {
		.settings = &settings,
		.mail = mail,
		.mail_exists = mail_exists,
		.mbox = mbox,
		.user = c->user,
		.id = c->id,
		.client = c->client,
		.method = c->method,
		.tls = c->tls,
		.behind = c->behind,
		.io = c->io,
	};

	dialogue_run(&client);
}

static void
refuse(struct session_client *c)
{
	stream_text(c->io,
	    "-ERR [SYS/TEMP] Too many sessions of this user\r\n");
}

static void
before(const struct service *s)
{
	mbox_keeper_setup(&keeping, &settings.stage, s->conf);
	unique_ids_setup(s);
}

static struct session_settings settings = {
	.stage = {
		.service = "pop3",
		.program = "pop3d-session",
		.tag = "pop3d",
		.promises = "io mailbox",
		.no_session = "-ERR [SYS/TEMP] Cannot open the mailbox now,"
			      " try again later\r\n",
		.linger_ms = LINGER_MS,
		.start = start,
		.enter = enter,
		.serve = serve,
		.refuse = refuse,
		.leave = unique_ids_end,
	},
};

int
main(int argc, char **argv)
{
	static const struct service_params params[] = {
		{ &pop3d_param_group, &settings.pop3 },
		{ NULL, NULL },
	};

	return session_main(&settings.stage, params, before, argc, argv);
}
