/* SPDX-License-Identifier: ISC */
/*
 * SECURITY. Begins as root in a copy of the parent, becomes the mailbox's
 * owner with the mailbox's directory as its root, and hears nothing but
 * single bytes from the owner's session process. In /var/mail it has the
 * group that makes lock files there, by which mailboxes of others may be
 * readable: that is why the process that reads mail and talks to a client is
 * another one. Hostile: whatever lies under the mailbox's name.
 */
#include "lib/login/mbox_keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/base/process.h"
#include "lib/log/log.h"
#include "lib/login/session_internal.h"
#include "lib/login/root_path.h"
#include "lib/sandbox/sandbox.h"
#include "lib/store/mbox_lock.h"

enum {
	OWN_FD = 3,
	LOG_FD = 4,
	KEY_BYTES = 16,
	ANSWER_MS = 30000,
};

/* What is asked. */
enum { ASK_OPEN = 'O', ASK_UNLOCK = 'U', ASK_CREATE = 'C' };

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

static int
open_journal(const struct session_stage *stage,
    const struct session_owner *owner, const char *path)
{
	char name[2 * KEY_BYTES + 32];
	int folder = open_folder(stage->settings.common.data_directory),
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
		    stage->settings.common.data_directory, name);
	fd_close(&folder);
	return fd;
}

/* The keeper's side. */

/*
 * The group that may make lock files in a spool directory: root's directory,
 * where its group may write and not everybody. A user whose own directory or
 * link leads to some directory of root's gets no group by that.
 */
static gid_t
group_for(const struct session_owner *owner, const char *path)
{
	gid_t group = (gid_t)owner->gid;
	struct stat here, there;
	int fd = root_path_open(path);

	if (fd != -1 && stat(".", &here) == 0 && fstat(fd, &there) == 0 &&
	    here.st_dev == there.st_dev && here.st_ino == there.st_ino &&
	    there.st_uid == 0 && (there.st_mode & S_IWGRP) != 0 &&
	    (there.st_mode & S_IWOTH) == 0)
		group = there.st_gid;
	fd_close(&fd);
	return group;
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

/* As local makes it; in a directory where its owner may. */
static bool
serve_create(struct keeper *k)
{
	int error = 0,
	    fd = open(k->name,
		O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd == -1 && errno != EEXIST) {
		error = errno;
		log_warning("user=<%s>: %s: %m", k->user, k->path);
	}
	fd_close(&fd);
	return answer(OWN_FD, error, -1);
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
		else if (ask == ASK_CREATE)
			good = serve_create(k);
		else
			good = serve_unlock(k);
	}
	give_back(k);
}

static void
confine(const struct mbox_keeping *how, const struct session_owner *owner,
    const char *path, int fd)
{
	const struct session_stage *stage = how->stage;
	pid_t parent = getppid();
	char *folder = mem_text(path), *tag;
	gid_t group;

	if (dup2(fd, OWN_FD) == -1 || fd_cloexec(OWN_FD, true) == -1)
		fatal("descriptors: %m");
	session_close_from(stage, LOG_FD + 1);
	tag =
	    mem_printf("%s/%s", stage->settings.common.syslog_name, stage->tag);
	log_open(tag, LOG_FD);
	free(tag);
	tag = mem_printf("%s-mbox", stage->tag);
	prctl(PR_SET_NAME, tag, 0, 0, 0);
	free(tag);
	*strrchr(folder, '/') = '\0';
	session_enter(stage, owner, folder[0] == '\0' ? "/" : folder);
	if (stage->separated) {
		group = group_for(owner, folder);
		sandbox_root(".");
		sandbox_become((uid_t)owner->uid, group);
	}
	free(folder);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
	if (getppid() != parent)
		exit(EXIT_SUCCESS);
	sandbox_apply(how->filter);
}

_Noreturn static void
keep(const struct mbox_keeping *how, const struct session_owner *owner,
    const char *path, int fd)
{
	const struct session_stage *stage = how->stage;
	struct keeper k = {
		.user = owner->user,
		.name = strrchr(path, '/') + 1,
		.path = path,
		.owner_only = stage->separated,
		.owner = (uid_t)owner->uid,
		.locks = how->locks,
		.stale_s = how->stale_s,
		.lock = -1,
	};
	sigset_t none;

	confine(how, owner, path, fd);
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
	struct pollfd answer = { .fd = k->fd, .events = POLLIN };

	*fd = -1;
	/* not in a task: another one's question would come in between */
	if (!k->broken && send(k->fd, &what, 1, MSG_NOSIGNAL) == 1 &&
	    poll(&answer, 1, ANSWER_MS) == 1)
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

static int
ask_create(void *with)
{
	int fd, error = ask(with, ASK_CREATE, &fd);

	fd_close(&fd);
	errno = error;
	return error == 0 ? 0 : -1;
}

struct mbox_access *
mbox_keeper_access(const struct mbox_keeping *how)
{
	struct link *k = mem_new(sizeof(*k));

	k->fd = SESSION_FD_ABOVE;
	k->access = (struct mbox_access){
		.open = ask_open,
		.unlock = ask_unlock,
		.create = ask_create,
		.with = k,
		.locks = how->locks,
		.journal = SESSION_FD_ABOVE + 1,
	};
	return &k->access;
}

/* The parent's side. */

void
mbox_keeper_setup(struct mbox_keeping *k, const struct session_stage *stage,
    struct conf *conf)
{
	static const int shared[] = { LOG_FD };
	const char *locks = conf_value(conf, "mailbox_delivery_lock");
	const char *stale = conf_value(conf, "stale_lock_time");
	unsigned char digest[EVP_MAX_MD_SIZE];

	k->stage = stage;
	k->filter = sandbox_prepare("io mbox", shared, 1);
	/* a keeper sees no /proc */
	(void)process_boot_id();
	/* where it is in a module, that is loaded now */
	ensure(EVP_Digest("", 0, digest, NULL, EVP_sha256(), NULL) == 1);
	if (!mbox_locks_parse(locks, &k->locks))
		fatal("mailbox_delivery_lock: unknown word in \"%s\"", locks);
	if (!conf_parse_time(stale, 's', &k->stale_s))
		fatal("stale_lock_time: bad value \"%s\"", stale);
}

bool
mbox_keeper_start(const struct mbox_keeping *k,
    const struct session_owner *owner, const char *path, int fds[SESSION_FDS],
    pid_t *keeper)
{
	int pair[2];

	fds[MBOX_JOURNAL] = open_journal(k->stage, owner, path);
	if (fds[MBOX_JOURNAL] == -1)
		return false;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
		pair) == -1) {
		log_warning("socketpair: %m");
		return false;
	}
	/* the keeper has nothing to do but to wait for a question */
	(void)fd_nonblocking(pair[1], false);
	*keeper = fork();
	if (*keeper == 0) {
		session_redeem_wipe();
		fd_close(&pair[0]);
		fd_close(&fds[MBOX_JOURNAL]);
		keep(k, owner, path, pair[1]);
	}
	if (*keeper == -1)
		log_warning("fork: %m");
	fd_close(&pair[1]);
	fds[MBOX_KEEPER] = pair[0];
	return *keeper != -1;
}

/* Made by us, or given to the owner before: no other changes hands. */
static bool
give_to(int fd, const struct session_owner *owner)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return false;
	if (st.st_uid != geteuid() && st.st_uid != (uid_t)owner->uid) {
		errno = EPERM;
		return false;
	}
	return fchown(fd, (uid_t)owner->uid, (gid_t)owner->gid) == 0;
}

int
mbox_keeper_directory(const struct mbox_keeping *k,
    const struct session_owner *owner, const char *path)
{
	int folder = open_folder(k->stage->settings.common.data_directory),
	    fd = -1, error;
	char name[2 * KEY_BYTES + 32], *directory;

	journal_name(owner, path, name);
	directory = mem_printf("%s.imap", name);
	/* by the descriptor: data_directory is the queue owner's */
	if (folder != -1 &&
	    (mkdirat(folder, directory, 0700) == 0 || errno == EEXIST))
		fd = openat(folder, directory,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	error = errno;
	if (fd != -1 && k->stage->separated && !give_to(fd, owner)) {
		error = errno;
		fd_close(&fd);
	}
	free(directory);
	fd_close(&folder);
	errno = error;
	return fd;
}
