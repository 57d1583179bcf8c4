/* SPDX-License-Identifier: ISC */
#include "logd/target.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/log/log.h"

enum {
	BATCH_MAX = 4 * 1024 * 1024, /* kept while the file takes nothing */
	RETRY_MS = 1000,
};

static struct {
	const char *path; /* "": syslog */
	int fd;
	bool json;
	int facility;
	char host[65];
	struct buf batch;
	struct buf line; /* one datagram */
	unsigned long lost;
	int64_t retry; /* connect to syslog again */
	ino_t inode;
	dev_t device;
} target = { .fd = -1 };

static const struct {
	const char *name;
	int value;
} facilities[] = {
	{ "auth", LOG_AUTH },
	{ "authpriv", LOG_AUTHPRIV },
	{ "cron", LOG_CRON },
	{ "daemon", LOG_DAEMON },
	{ "ftp", LOG_FTP },
	{ "lpr", LOG_LPR },
	{ "mail", LOG_MAIL },
	{ "news", LOG_NEWS },
	{ "user", LOG_USER },
	{ "uucp", LOG_UUCP },
	{ "local0", LOG_LOCAL0 },
	{ "local1", LOG_LOCAL1 },
	{ "local2", LOG_LOCAL2 },
	{ "local3", LOG_LOCAL3 },
	{ "local4", LOG_LOCAL4 },
	{ "local5", LOG_LOCAL5 },
	{ "local6", LOG_LOCAL6 },
	{ "local7", LOG_LOCAL7 },
};

static int
facility(const char *name)
{
	for (size_t i = 0; i < sizeof(facilities) / sizeof(facilities[0]); i++)
		if (strcmp(facilities[i].name, name) == 0)
			return facilities[i].value;
	fatal("syslog_facility: there is no facility \"%s\"", name);
}

/*
 * The folder may belong to the log user, who must not make root write
 * elsewhere: no symbolic link, no second name, no device.
 */
static void
open_file(const struct logd_params *params, const char *owner)
{
	mode_t mode =
	    (mode_t)strtoul(params->maillog_file_permissions, NULL, 8);
	const struct passwd *user;
	struct stat st;

	target.fd = open(target.path,
	    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
	    mode);
	if (target.fd < 0 || fstat(target.fd, &st) < 0)
		fatal("maillog_file %s: %m", target.path);
	if (!S_ISREG(st.st_mode) || st.st_nlink > 1)
		fatal("maillog_file %s: not a file of its own", target.path);
	target.inode = st.st_ino;
	target.device = st.st_dev;
	user = owner != NULL ? getpwnam(owner) : NULL;
	if (geteuid() == 0 && user != NULL && st.st_uid == 0 &&
	    fchown(target.fd, user->pw_uid, (gid_t)-1) < 0)
		log_warning("maillog_file %s: cannot be given to %s: %m",
		    target.path, owner);
	if (st.st_size == 0 && fchmod(target.fd, mode) < 0)
		log_warning("maillog_file %s: %m", target.path);
}

static void
connect_syslog(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX,
		.sun_path = "/dev/log" };

	if (clock_ms() < target.retry)
		return;
	target.retry = clock_ms() + RETRY_MS;
	target.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (target.fd >= 0 &&
	    connect(target.fd, (const struct sockaddr *)&a, sizeof(a)) < 0)
		fd_close(&target.fd);
}

void
target_open(const struct common_params *common,
    const struct logd_params *params, const char *owner)
{
	target.path = common->maillog_file;
	target.json = strcmp(params->maillog_format, "json") == 0;
	target.facility = facility(common->syslog_facility);
	buf_init(&target.batch, BATCH_MAX);
	buf_init(&target.line, 2 * LINE_TEXT_MAX);
	if (gethostname(target.host, sizeof(target.host) - 1) < 0)
		target.host[0] = '\0';
	target.host[strcspn(target.host, ".")] = '\0';
	if (target.path[0] == '\0')
		connect_syslog();
	else if (strcmp(target.path, "/dev/stdout") == 0)
		target.fd = STDOUT_FILENO;
	else
		open_file(params, owner);
}

/* syslog takes one line a datagram. */
static void
send_syslog(const struct line *l, const struct line_stamp *stamp)
{
	buf_reset(&target.line);
	line_syslog(l, stamp, target.facility, &target.line);
	if (target.fd < 0)
		connect_syslog();
	if (target.fd >= 0 &&
	    send(target.fd, target.line.p, target.line.n, MSG_NOSIGNAL) >= 0)
		return;
	target.lost++;
	if (errno != EMSGSIZE && errno != ENOBUFS)
		fd_close(&target.fd);
}

static void
add_line(const struct line *l, int64_t now_us)
{
	struct line_stamp stamp = { now_us, target.host };
	size_t before = target.batch.n;

	if (target.path[0] == '\0') {
		send_syslog(l, &stamp);
		return;
	}
	if (target.json)
		line_json(l, &stamp, &target.batch);
	else
		line_text(l, &stamp, &target.batch);
	if (!target.batch.overflow)
		return;
	target.batch.n = before;
	target.batch.overflow = false;
	target.lost++;
}

static void
tell_lost(int64_t now_us)
{
	struct line l = { .level = 'W',
		.tag = SPAN("posthaste/logd"),
		.pid = (uint64_t)getpid() };
	unsigned long lost = target.lost;
	struct buf text = BUF_INIT(200);

	buf_printf(&text,
	    "warning: %lu log lines lost: the log could not be "
	    "written",
	    lost);
	l.text = buf_span(&text);
	target.lost = 0;
	add_line(&l, now_us);
	if (target.lost > 0)
		target.lost += lost - 1;
	buf_fini(&text);
}

void
target_add(struct span raw, int64_t now_us)
{
	struct line l = line_parse(raw);

	if (target.lost > 0 && target.batch.n == 0)
		tell_lost(now_us);
	add_line(&l, now_us);
}

void
target_flush(void)
{
	while (target.batch.n > 0) {
		ssize_t done = write(target.fd, target.batch.p, target.batch.n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return; /* a full disk: kept, up to a limit */
		buf_drop(&target.batch, (size_t)done);
	}
}

bool
target_moved(void)
{
	struct stat st;

	if (target.path[0] == '\0' || target.fd == STDOUT_FILENO)
		return false;
	return stat(target.path, &st) < 0 || st.st_ino != target.inode ||
	    st.st_dev != target.device;
}
