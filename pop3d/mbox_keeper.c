/* SPDX-License-Identifier: ISC */
/*
 * SECURITY. Begins as root in a copy of the parent, becomes the mailbox's
 * owner with the mailbox's directory as its root, and hears nothing but
 * single bytes from the owner's session process. In /var/mail it has the
 * group that makes lock files there, by which mailboxes of others may be
 * readable: that is why the process that reads mail and talks to a client is
 * another one. Hostile: whatever lies under the mailbox's name.
 */
#include "pop3d/mbox_keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/sandbox/sandbox.h"
#include "lib/store/mbox_lock.h"
#include "lib/task/task.h"

enum {
	OWN_FD = 3,
	LOG_FD = 4,
	KEY_BYTES = 16,
	ANSWER_S = 30,
};

/* What is asked. */
enum { ASK_OPEN = 'O', ASK_UNLOCK = 'U' };

struct keeper {
	const char *user;
	const char *name; /* in the directory, which is "." */
	const char *path; /* for the log */
	bool owner_only;
	uid_t owner;
	unsigned int locks;
	int64_t stale_s;
	int lock;
};

char *
mbox_path(const char *mail)
{
	struct span s = span_of(mail), option, path;

	if (!span_starts(s, "mbox:"))
		return NULL;
	s = span_skip(s, 5);
	if (!span_cut(&s, ":", false, &path))
		return NULL;
	while (span_cut(&s, ":", false, &option))
		if (span_starts(option, "INBOX="))
			path = span_skip(option, 6);
	if (path.n < 2 || path.p[0] != '/' || path.p[path.n - 1] == '/')
		return NULL;
	return mem_span_text(path);
}

/* The journal. */

static int
open_folder(const char *data_directory)
{
	char *path = mem_printf("%s/mbox", data_directory);
	struct stat st;
	int fd;

	(void)mkdir(path, 0700);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd != -1 &&
	    (fstat(fd, &st) == -1 || st.st_uid != geteuid() ||
		(st.st_mode & 022) != 0)) {
		errno = EPERM;
		fd_close(&fd);
	}
	free(path);
	return fd;
}

static void
journal_name(const struct session_owner *owner, const char *path,
    char out[2 * KEY_BYTES + 32])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	int n = snprintf(out, 32, "%llu-", (unsigned long long)owner->uid);

	ensure(EVP_Digest(path, strlen(path), digest, NULL, EVP_sha256(),
		   NULL) == 1);
	for (size_t i = 0; i < KEY_BYTES; i++)
		snprintf(out + (size_t)n + 2 * i, 3, "%02x", digest[i]);
}

int
mbox_journal_open(const struct session_settings *settings,
    const struct session_owner *owner, const char *path)
{
	char name[2 * KEY_BYTES + 32];
	int folder =
		open_folder(settings->stage.settings.common.data_directory),
	    fd = -1;
	struct stat st;

	journal_name(owner, path, name);
	if (folder != -1)
		fd = openat(folder, name,
		    O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
		    0600);
	if (fd != -1 &&
	    (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode) || st.st_nlink != 1 ||
		st.st_uid != geteuid())) {
		errno = EPERM;
		fd_close(&fd);
	}
	if (fd == -1)
		log_warning("user=<%s>: journal %s/mbox/%s: %m", owner->user,
		    settings->stage.settings.common.data_directory, name);
	fd_close(&folder);
	return fd;
}

/* The keeper's side. */

/*
 * The group that may make lock files in a spool directory: root's directory,
 * where its group may write and not everybody.
 */
static gid_t
group_for(const struct session_owner *owner)
{
	struct stat st;

	if (stat(".", &st) == 0 && st.st_uid == 0 &&
	    (st.st_mode & S_IWGRP) != 0 && (st.st_mode & S_IWOTH) == 0)
		return st.st_gid;
	return (gid_t)owner->gid;
}

static bool
is_mailbox(const struct keeper *k, int fd)
{
	struct stat st;
	const char *what = NULL;

	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode))
		what = "is not a regular file";
	else if (st.st_nlink != 1)
		what = "has more than one link";
	else if (k->owner_only && st.st_uid != k->owner)
		what = "is not owned by the user";
	if (what == NULL)
		return true;
	log_warning("user=<%s>: %s %s", k->user, k->path, what);
	errno = EPERM;
	return false;
}

static int
dot_lock(struct keeper *k)
{
	if ((k->locks & MBOX_DOTLOCK) == 0)
		return 0;
	k->lock = mbox_dotlock_take(AT_FDCWD, k->name, k->stale_s);
	if (k->lock != -1)
		return 0;
	if (errno == EEXIST) {
		errno = EAGAIN;
		return -1;
	}
	/* as for deliveries: then nobody locks this way here */
	return k->locks != MBOX_DOTLOCK && (errno == EACCES || errno == EPERM) ?
	    0 :
	    -1;
}

static void
give_back(struct keeper *k)
{
	mbox_dotlock_give_back(AT_FDCWD, k->name, &k->lock);
}

/* The file, locked; or -1 with errno. */
static int
open_locked(struct keeper *k)
{
	struct stat st;
	int fd, error;

	/* no mailbox: then no lock file is made for it either */
	if (fstatat(AT_FDCWD, k->name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return -1;
	if (dot_lock(k) == -1)
		return -1;
	fd = open(k->name,
	    O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd != -1 && is_mailbox(k, fd))
		return fd;
	error = errno;
	fd_close(&fd);
	give_back(k);
	errno = error;
	return -1;
}

/* errno of the opening, and the file if that is 0. */
static bool
answer(int socket, int error, int fd)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec part = { .iov_base = &error, .iov_len = sizeof(error) };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1 };
	struct cmsghdr *c;

	memset(&control, 0, sizeof(control));
	if (fd != -1) {
		m.msg_control = control.room;
		m.msg_controllen = sizeof(control.room);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	return sendmsg(socket, &m, MSG_NOSIGNAL) == (ssize_t)sizeof(error);
}

static bool
serve_open(struct keeper *k)
{
	int fd, error;
	bool good;

	give_back(k);
	errno = 0;
	fd = open_locked(k);
	error = fd == -1 ? errno : 0;
	if (error != 0 && error != EAGAIN && error != ENOENT &&
	    error != EPERM) {
		errno = error;
		log_warning("user=<%s>: %s: %m", k->user, k->path);
	}
	good = answer(OWN_FD, error, fd);
	fd_close(&fd);
	return good;
}

static bool
serve_unlock(struct keeper *k)
{
	give_back(k);
	return answer(OWN_FD, 0, -1);
}

static void
serve(struct keeper *k)
{
	char ask;
	ssize_t n;
	bool good = true;

	while (good && (n = read(OWN_FD, &ask, 1)) != 0) {
		if (n == -1)
			good = errno == EINTR;
		else if (ask == ASK_OPEN)
			good = serve_open(k);
		else
			good = serve_unlock(k);
	}
	give_back(k);
}

static void
confine(const struct session_settings *settings,
    const struct session_owner *owner, const char *path, int fd)
{
	pid_t parent = getppid();
	char *folder = mem_text(path), *tag;
	gid_t group;

	if (dup2(fd, OWN_FD) == -1 || fd_cloexec(OWN_FD, true) == -1 ||
	    close_range(LOG_FD + 1, ~0U, 0) == -1)
		fatal("descriptors: %m");
	tag =
	    mem_printf("%s/pop3d", settings->stage.settings.common.syslog_name);
	log_open(tag, LOG_FD);
	free(tag);
	prctl(PR_SET_NAME, "pop3d-mbox", 0, 0, 0);
	*strrchr(folder, '/') = '\0';
	session_enter(&settings->stage, owner,
	    folder[0] == '\0' ? "/" : folder);
	free(folder);
	if (settings->stage.separated) {
		group = group_for(owner);
		sandbox_root(".");
		sandbox_become((uid_t)owner->uid, group);
	}
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
	if (getppid() != parent)
		exit(EXIT_SUCCESS);
	sandbox_apply(settings->stage.filter);
}

void
mbox_keeper(const struct session_settings *settings,
    const struct session_owner *owner, const char *path, int fd)
{
	struct keeper k = {
		.user = owner->user,
		.name = strrchr(path, '/') + 1,
		.path = path,
		.owner_only = settings->stage.separated,
		.owner = (uid_t)owner->uid,
		.locks = settings->mbox_locks,
		.stale_s = settings->mbox_stale_s,
		.lock = -1,
	};
	sigset_t none;

	confine(settings, owner, path, fd);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	serve(&k);
	_exit(EXIT_SUCCESS);
}

/* The session's side. */

struct link {
	struct mbox_access access;
	int fd;
	bool broken;
};

static int
receive(int socket, int *fd)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	int error = EIO;
	struct iovec part = { .iov_base = &error, .iov_len = sizeof(error) };
	struct msghdr m = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room),
	};
	struct cmsghdr *c;

	*fd = -1;
	if (recvmsg(socket, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) !=
	    (ssize_t)sizeof(error))
		return EIO;
	c = CMSG_FIRSTHDR(&m);
	if (c != NULL && c->cmsg_level == SOL_SOCKET &&
	    c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(fd, CMSG_DATA(c), sizeof(int));
	return error;
}

/* errno of what was asked, or 0. */
static int
ask(struct link *k, char what, int *fd)
{
	*fd = -1;
	if (!k->broken && send(k->fd, &what, 1, MSG_NOSIGNAL) == 1 &&
	    wait_fd(k->fd, WAIT_READ, clock_in(ANSWER_S)) == WAIT_READY)
		return receive(k->fd, fd);
	/* an answer that nobody waited for would be taken for the next one */
	k->broken = true;
	return EIO;
}

static int
ask_open(void *with)
{
	int fd, error = ask(with, ASK_OPEN, &fd);

	if (error == 0 && fd == -1)
		error = EIO;
	if (error != 0)
		fd_close(&fd);
	errno = error;
	return fd;
}

static void
ask_unlock(void *with)
{
	int fd;

	(void)ask(with, ASK_UNLOCK, &fd);
	fd_close(&fd);
}

struct mbox_access *
mbox_keeper_access(const struct session_settings *settings, int fd, int journal)
{
	struct link *k = mem_new(sizeof(*k));

	k->fd = fd;
	k->access = (struct mbox_access){
		.open = ask_open,
		.unlock = ask_unlock,
		.with = k,
		.locks = settings->mbox_locks,
		.journal = journal,
	};
	return &k->access;
}
