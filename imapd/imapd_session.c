/* SPDX-License-Identifier: ISC */
/*
 * imapd-session: the IMAP server's session stage.
 *
 * SECURITY. The parent is root; what it does, and what its children give up,
 * is in lib/login/session_parent.c and session_child.c. Here: where a user's
 * process lives, which is the mailbox itself, and what it does there; and the
 * directories outside of it that it is given while it is still root: those of
 * accounts that share something with the user, and of public folders. An mbox
 * in a spool directory, where it has no rights, comes open from its keeper.
 *
 * One process: two parents would each keep a process for a user, which the
 * store allows, but two indexes open cost more than one.
 */
#include "imapd/session.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "imapd/namespaces.h"
#include "lib/base/mem.h"
#include "lib/base/fdio.h"
#include "lib/log/log.h"
#include "lib/login/mbox_keeper.h"
#include "lib/login/session_shares.h"
#include "lib/login/session_stage.h"
#include "lib/mail/charset.h"
#include "lib/store/mail_account_location.h"
#include "lib/store/special_folders.h"
#include "lib/store/uidl_format.h"

#define PARAM_GROUP store
#define PARAM_DEF "lib/store/params.def"
#include "lib/conf/param.h"

enum { LINGER_MS = 10000 }; /* without a connection */

static struct session_stage stage;
static struct imapd_params settings;
static struct store_params store;
static struct uidl_format uidl;
static struct special_folder special[SPECIAL_FOLDERS_MAX + 1];
static struct mbox_keeping keeping;

/* For the process that is being forked: who shares with its user. */
static struct session_share *shares;
static size_t share_count;

/* Of a user's process. */
static struct mail_account *account; /* NULL: not open (yet) */
static char *location;
static uint64_t quota_bytes, quota_messages;
static bool entered;
static bool told_shares; /* to the parent */
static bool has_mbox;
static struct mail_mbox_settings mbox;

static pid_t
start(const struct session_owner *owner, int *ours, pid_t *companion)
{
	int fds[SESSION_FDS] = { -1, -1, -1 };
	char *path = mail_location_mbox(owner->mail);
	pid_t pid = -1;

	has_mbox = path != NULL;
	if (stage.sharing)
		shares = session_shares_of(owner->user, &share_count);
	if (path == NULL ||
	    mbox_keeper_start(&keeping, owner, path, fds, companion))
		pid = session_fork(owner, fds, ours);
	free(path);
	fd_close(&fds[MBOX_KEEPER]);
	fd_close(&fds[MBOX_JOURNAL]);
	free(shares);
	shares = NULL;
	share_count = 0;
	return pid;
}

/*
 * Of an mbox that is all of an account, index and lists are in a directory of
 * ours. Its INBOX comes from its keeper.
 */
static bool
enter_place(const struct session_owner *owner, const char *path)
{
	char *file;
	int fd = -1, error;
	bool in;

	if (has_mbox)
		mbox.inbox = mbox_keeper_access(&keeping);
	if (path != NULL) {
		if (!session_make(&stage, owner, path))
			return false;
		session_enter(&stage, owner, path);
		return true;
	}
	mbox.alone = true;
	file = mail_location_mbox(owner->mail);
	if (file != NULL)
		fd = mbox_keeper_directory(&keeping, owner, file);
	in = fd != -1 && fchdir(fd) == 0;
	error = errno;
	free(file);
	fd_close(&fd);
	errno = error;
	return in;
}

/* Of somebody else ("of"), or public ("tree"). */
static void
give(const struct session_owner *user, const struct session_owner *of,
    const char *tree)
{
	struct mail_given g = { .owner = tree == NULL ? of->user : NULL,
		.tree = tree,
		.directory = -1,
		.quota_bytes = of->quota_bytes,
		.quota_messages = of->quota_messages };
	char *path = NULL, *inside = NULL;
	struct why why;

	if (strncmp(of->mail, "mbox:", 5) == 0)
		why_set(&why, "5.2.0", "mbox files are their owner's alone");
	else if (mail_location_confine(of->mail, &path, &inside, &why))
		g.directory = session_open_other(&stage, user, of, path, &why);
	g.location = inside;
	if (g.directory == -1)
		log_warning("user=<%s>: %s of %s cannot be offered: %s",
		    user->user, tree == NULL ? "mail" : "public folders",
		    tree == NULL ? of->user : tree, why.text);
	else /* one that is there already stays open, as the rules name it */
		(void)namespaces_give(user->user, &g);
	free(path);
	free(inside);
}

/*
 * Whatever of others' mail the process will ever reach: still as root, with
 * its own mail as working directory.
 */
static void
give_all(const struct session_owner *user)
{
	const char *tree, *at;

	for (size_t i = 0; i < share_count; i++) {
		const struct session_owner of = {
			.user = shares[i].user,
			.mail = shares[i].mail,
			.uid = shares[i].uid,
			.gid = shares[i].gid,
			.quota_bytes = shares[i].quota_bytes,
			.quota_messages = shares[i].quota_messages,
		};

		give(user, &of, NULL);
	}
	for (size_t i = 0; namespaces_public(i, &tree, &at); i++) {
		struct session_owner of = *user;

		of.mail = at;
		of.quota_bytes = of.quota_messages = 0;
		give(user, &of, tree);
	}
}

/*
 * With the mailbox as root directory, a taken-over process cannot get at
 * those of others who share the system user. A mailbox that is not there yet
 * is made.
 */
static void
enter(const struct session_owner *owner)
{
	char *path = NULL;
	struct why why;

	quota_bytes = owner->quota_bytes;
	quota_messages = owner->quota_messages;
	if (!mail_location_confine(owner->mail, &path, &location, &why))
		log_warning("user=<%s>: %s", owner->user, why.text);
	else if (!enter_place(owner, path))
		log_warning("user=<%s>: %s: %m", owner->user,
		    path == NULL ? owner->mail : path);
	else
		entered = true;
	if (entered)
		give_all(owner);
	else if (chdir("empty") == -1)
		fatal("empty: %m");
	session_become(&stage, owner);
	free(path);
}

/* Once for all connections; tried again by the next when it failed. */
static bool
open_account(const struct session_client *c)
{
	const struct mail_account_settings wanted = {
		.location = location,
		.separator = store.mail_hierarchy_separator[0],
		.shared = settings.mail_shared_prefix,
		.special = special,
		.quota_bytes = quota_bytes,
		.quota_messages = quota_messages,
		.flush_flags = store.mail_flags_flush,
		.mbox = mbox,
		.uidl = uidl.text[0] == '\0' ? NULL : &uidl,
	};
	struct why why;

	if (account != NULL)
		return true;
	if (!entered)
		return false;
	if (mail_account_open(&wanted, &account, &why) == MAIL_OK) {
		namespaces_open_as(&wanted);
		return true;
	}
	account = NULL;
	log_warning("user=<%s>, session=%s: the mailbox cannot be opened: %s",
	    c->user, c->id, why.text);
	return false;
}

static void
log_login(const struct session_client *c)
{
	log_info("login user=<%s>%s, client=%s, method=%s, tls=%s, session=%s",
	    c->user, c->behind, c->client, c->method,
	    c->tls[0] == '\0' ? "none" : c->tls, c->id);
}

static void
converse(struct session_client *c)
{
	struct imap_session s = {
		.common = &stage.settings.common,
		.params = &settings,
		.io = c->io,
		.account = account,
		.user = c->user,
		.id = c->id,
		.client = c->client,
		.state = IMAP_AUTHENTICATED,
		.connection = c,
	};

	if (c->state.n == 0)
		log_login(c);
	if (!told_shares)
		namespaces_tell_shares(&s);
	told_shares = true;
	stream_timeout(c->io, settings.imap_timeout * 1000);
	s.reader = imap_reader_new(c->io, &imap_limits_session);
	imap_session_run(&s, c->tag);
	imap_reader_free(&s.reader);
	if (c->parked)
		return;
	log_info("logout user=<%s>%s, client=%s, session=%s, in=%" PRIu64
		 ", out=%" PRIu64 "%s%s%s",
	    c->user, c->behind, c->client, c->id,
	    s.received_before + stream_received(c->io),
	    s.sent_before + stream_sent(c->io),
	    s.end == NULL ? "" : ", reason=(", s.end == NULL ? "" : s.end,
	    s.end == NULL ? "" : ")");
}

static void
no(struct session_client *c, const char *text)
{
	if (c->state.n == 0)
		stream_printf(c->io, "%s NO %s\r\n",
		    c->tag[0] == '\0' ? "*" : c->tag, text);
	stream_text(c->io, "* BYE Try again later\r\n");
}

static void
serve(struct session_client *c)
{
	if (open_account(c))
		converse(c);
	else
		no(c, "[UNAVAILABLE] The mailbox cannot be opened now");
	stream_flush(c->io);
}

static void
refuse(struct session_client *c)
{
	no(c, "[LIMIT] Too many sessions of this user");
}

static void
leave(void)
{
	namespaces_close();
	mail_account_close(&account);
}

static void
before(const struct service *s)
{
	const struct namespace_texts shared = { settings.mail_shared_prefix,
		settings.mail_public_folders, settings.mail_public_owners };
	const char *setting;
	struct why why;

	if (!special_folders_parse(store.mail_special_folders, special, &why))
		fatal("mail_special_folders: %s", why.text);
	/* what POP3 has told of a message is kept for Dovecot */
	if (!uidl_format_parse(conf_value(s->conf, "pop3_uidl_format"), &uidl,
		&why))
		fatal("%s", why.text);
	if (!namespaces_configure(&shared, store.mail_hierarchy_separator[0],
		&setting, &why))
		fatal("%s: %s", setting, why.text);
	stage.sharing = namespaces_sharing();
	if (namespaces_of_others())
		service_promise_too("shares");
	charset_prepare(); /* a child may not load code */
	tzset();
	mail_account_prepare();
	mbox_keeper_setup(&keeping, &stage, s->conf);
	mbox.locks = keeping.locks;
	mbox.stale_s = keeping.stale_s;
}

static struct session_stage stage = {
	.service = "imap",
	.program = "imapd-session",
	.tag = "imapd",
	.promises = "io mailbox threads",
	.no_session = "NO [UNAVAILABLE] Cannot open the mailbox now, try again"
		      " later\r\n* BYE Try again later\r\n",
	.linger_ms = LINGER_MS,
	.start = start,
	.enter = enter,
	.serve = serve,
	.refuse = refuse,
	.leave = leave,
	.still_here = "* OK Still here\r\n",
	.bye_timeout = "* BYE Disconnected for inactivity\r\n",
	.bye_stop = "* BYE The server stops\r\n",
	.bye_broken = "* BYE Try again later\r\n",
	.bye_changed = "* BYE The account has changed: log in again\r\n",
};

int
main(int argc, char **argv)
{
	static const struct service_params params[] = {
		{ &imapd_param_group, &settings },
		{ &store_param_group, &store },
		{ NULL, NULL },
	};

	return session_main(&stage, params, before, argc, argv);
}
