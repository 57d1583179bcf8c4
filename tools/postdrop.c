/* SPDX-License-Identifier: ISC */
/*
 * postdrop - put a message into maildrop.
 *
 * SECURITY: set-gid, so that it may create files in maildrop, whose names and
 * contents nobody else can see. Everything is hostile: arguments,
 * environment, descriptors, limits, signals, timers, working directory, and
 * standard input. Reads main.cf (of the built-in directory, or one that it
 * lists), moves to the queue directory, gives up all system calls but those
 * for files and sockets, and only then reads standard input. What is written is
 * made anew from what was understood. Signal handlers set a flag.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/conf/common.h"
#include "lib/log/log.h"
#include "lib/net/address.h"
#include "lib/queue/drop_file.h"
#include "lib/queue/queue_file.h"
#include "lib/sandbox/sandbox.h"
#include "tools/authorise.h"
#include "tools/login_senders.h"

enum {
	OUT_MAX = 1 << 20, /* written to the file at once */
	READY_MODE = 0644, /* pickup takes it; others cannot reach it */
};

static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGALRM,
	SIGVTALRM, SIGPROF, SIGXCPU, SIGUSR1, SIGUSR2 };
static volatile sig_atomic_t interrupted;
static struct common_params common;
static char *senders; /* what the caller may send as; NULL: anything */
static char *caller; /* with these: whose they are */

/* The file as it grows. */
struct drop {
	char path[QUEUE_PATH_MAX];
	int fd; /* -1 before it is made */
	int64_t size; /* bytes of content */
	struct buf out;
};

static void
note_signal(int number)
{
	interrupted = number;
}

/* Whatever the caller left blocked, ignored or ticking. */
static void
tame_signals(void)
{
	struct sigaction act = { .sa_handler = note_signal };
	static const struct itimerval never;
	sigset_t all;

	setitimer(ITIMER_REAL, &never, NULL);
	setitimer(ITIMER_VIRTUAL, &never, NULL);
	setitimer(ITIMER_PROF, &never, NULL);
	/* they are let in only while we wait for input */
	sigemptyset(&all);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(&all, signals[i]);
	sigprocmask(SIG_SETMASK, &all, NULL);
	sigfillset(&act.sa_mask);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &act, NULL);
	act.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &act, NULL);
	sigaction(SIGXFSZ, &act, NULL); /* a small file limit is EFBIG */
}

/*
 * Descriptors 0 to 2 open, so that no file of ours becomes one of them, and
 * nothing else.
 */
static void
tame_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0 || close_range(STDERR_FILENO + 1, ~0U, 0) < 0)
		_exit(EX_OSERR);
}

static bool
wait_input(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	sigset_t none;

	sigemptyset(&none);
	while (!interrupted && ppoll(&p, 1, NULL, &none) < 0 && errno == EINTR)
		continue;
	return !interrupted;
}

/*
 * A connection is all that pickup needs. It is not waited for; while it does
 * not run the file waits to be found.
 */
static void
wake_pickup(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX,
		.sun_path = "public/pickup" };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd >= 0)
		(void)!connect(fd, (struct sockaddr *)&to, sizeof(to));
	fd_close(&fd);
}

static void
take_settings(const char *option)
{
	struct buf errors = BUF_INIT(1 << 16);
	const char *directory = conf_find_directory(option);
	struct conf *c = conf_read(directory, &errors, NULL);
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];

	if (c == NULL || !conf_fill(c, &common_param_group, &common, &errors))
		fatal_lines(EX_CONFIG, buf_text(&errors));
	buf_fini(&errors);
	if (chdir(common.queue_directory) < 0)
		fatal_status(EX_TEMPFAIL, "queue_directory = %s: %s",
		    common.queue_directory, strerror(errno));
	if ((size_t)snprintf(path, sizeof(path), "%s/public/log",
		common.queue_directory) < sizeof(path))
		log_open_socket(mem_printf("%s/postdrop", common.syslog_name),
		    path);
}

/* Ends the command; nothing of the message is left. */
static noreturn void
give_up(struct drop *d, int status, const char *text)
{
	if (d->fd >= 0)
		unlink(d->path);
	fatal_status(status, "uid=%ld: %s", (long)getuid(), text);
}

static noreturn void
give_up_errno(struct drop *d)
{
	int error = errno;

	give_up(d, error == EFBIG ? EX_UNAVAILABLE : EX_TEMPFAIL,
	    error == ENOSPC || error == EDQUOT ? "Insufficient system storage" :
						 strerror(error));
}

static noreturn void
give_up_input(struct drop *d, enum drop_read result)
{
	if (interrupted)
		give_up(d, EX_TEMPFAIL, "interrupted by a signal");
	if (result == DROP_ERROR)
		give_up_errno(d);
	give_up(d, EX_DATAERR,
	    result == DROP_SHORT ? "unexpected end of input" :
				   "malformed input");
}

static void
write_out(struct drop *d)
{
	if (fd_write_all(d->fd, d->out.p, d->out.n) < 0)
		give_up_errno(d);
	buf_reset(&d->out);
}

static void
create(struct drop *d)
{
	char id[QUEUE_ID_MAX];

	queue_id_mint(id);
	queue_path("maildrop", id, d->path);
	d->fd = open(d->path,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (d->fd < 0)
		fatal_status(EX_TEMPFAIL, "uid=%ld: create %s: %s",
		    (long)getuid(), d->path, strerror(errno));
}

static void
check_sender(struct drop *d, const char *sender)
{
	char text[128];

	if (senders == NULL ||
	    login_sender_allowed(senders, sender,
		common.empty_address_local_login_sender_maps_lookup_key,
		common.recipient_delimiter))
		return;
	snprintf(text, sizeof(text),
	    "sender address rejected: not owned by user %s", caller);
	give_up(d, EX_NOPERM, text);
}

static void
take_envelope(struct drop *d, struct drop_reader *in)
{
	struct arena *a = arena_new();
	struct drop_envelope e;
	enum drop_read result = drop_read_envelope(in, a, &e);

	if (result != DROP_OK)
		give_up_input(d, result);
	check_sender(d, e.sender);
	create(d);
	/* the reader takes what the writer makes, and nothing else */
	buf_init(&d->out, DROP_ENVELOPE_MAX + OUT_MAX);
	if (!drop_put_envelope(&d->out, &e))
		give_up(d, EX_DATAERR, "malformed input");
	arena_free(&a);
}

static void
take_content(struct drop *d, struct drop_reader *in)
{
	enum drop_read result;
	struct span chunk;

	while ((result = drop_read_chunk(in, &chunk)) == DROP_OK) {
		d->size += (int64_t)chunk.n;
		if (common.message_size_limit > 0 &&
		    d->size > common.message_size_limit)
			give_up(d, EX_UNAVAILABLE,
			    "message file too big (message_size_limit)");
		if (d->out.n >= OUT_MAX)
			write_out(d);
		drop_put_chunk(&d->out, chunk.p, chunk.n);
	}
	if (result != DROP_ENDED)
		give_up_input(d, result);
	drop_put_chunk(&d->out, NULL, 0);
	write_out(d);
}

/* From here on it is accepted, and pickup's. */
static void
commit(struct drop *d)
{
	if (fchmod(d->fd, READY_MODE) < 0 || queue_flush(d->fd) < 0 ||
	    close(d->fd) < 0)
		give_up_errno(d);
	wake_pickup();
}

static const char *
take_arguments(int argc, char **argv)
{
	const char *config = NULL;
	int option;

	/* -r and -v are taken as Postfix's postdrop takes them */
	while ((option = getopt(argc, argv, "c:rv")) != -1) {
		if (option == 'c')
			config = optarg;
		else if (option == '?')
			fatal_status(EX_USAGE,
			    "usage: postdrop [-c config_dir] [-rv]");
	}
	if (optind < argc)
		fatal_status(EX_USAGE, "usage: postdrop [-c config_dir] [-rv]");
	return config;
}

int
main(int argc, char **argv)
{
	static const struct rlimit no_core;
	struct drop d = { .fd = -1 };
	struct drop_reader *in;

	tame_descriptors();
	tame_signals();
	umask(077);
	(void)setrlimit(RLIMIT_CORE, &no_core);
	if (chdir("/") < 0 || argc < 1)
		return EX_OSERR;
	log_open_stderr("postdrop");
	take_settings(take_arguments(argc, argv));
	clearenv();
	if (strcmp(common.authorized_submit_users, "static:anyone") != 0)
		authorise("authorized_submit_users",
		    common.authorized_submit_users, "submit mail");
	if (strcmp(common.local_login_sender_maps, "static:*") != 0) {
		caller = mem_text(login_name());
		senders = login_senders(common.local_login_sender_maps);
	}
	sandbox_promise("io queue-write drop unix");
	in = drop_reader_new(STDIN_FILENO);
	drop_reader_wait(in, wait_input);
	take_envelope(&d, in);
	take_content(&d, in);
	commit(&d);
	return EX_OK;
}
