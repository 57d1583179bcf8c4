/* SPDX-License-Identifier: ISC */
/*
 * SECURITY: runs a program of the administrator's with words that strangers
 * chose in its standard input, each checked to be one line by who asks us. It
 * gets no descriptor but its standard ones, no environment but PATH, cannot
 * gain rights, and is killed with all that it has started when its time is
 * over, when it writes too much, and when we end.
 */
#include "auth/checker.h"

#include <errno.h>
#include <fcntl.h>
#include <paths.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"

enum { WORDS_MAX = 64, COMPLAINT_MAX = 200, QUESTION_MAX = 16384 };

struct running {
	pid_t pid;
	int ended; /* readable when it has ended */
	int output, complaints; /* its standard output and error */
	struct buf said, complained;
	bool too_much;
};

/* In the child: descriptors 0, 1, 2, whatever numbers they have now. */
static void
standard_descriptors(const int fds[3])
{
	int above[3];

	for (int i = 0; i < 3; i++)
		above[i] = fcntl(fds[i], F_DUPFD, 10);
	for (int i = 0; i < 3; i++)
		if (above[i] == -1 || dup2(above[i], i) == -1)
			_exit(71);
	if (close_range(3, ~0U, 0) == -1)
		_exit(71);
}

_Noreturn static void
in_child(char **words, int64_t limit_s, const int fds[3])
{
	const struct rlimit no_core = { 0, 0 };
	const struct rlimit time = { (rlim_t)limit_s + 1, (rlim_t)limit_s + 2 };
	static char path[] = "PATH=" _PATH_STDPATH;
	char *environment[] = { path, NULL };
	sigset_t none;

	setsid();
	standard_descriptors(fds);
	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	(void)setrlimit(RLIMIT_CORE, &no_core);
	(void)setrlimit(RLIMIT_CPU, &time);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == -1 || chdir("/") == -1)
		_exit(71);
	umask(077);
	execve(words[0], words, environment);
	fprintf(stderr, "%s: %s\n", words[0], strerror(errno));
	fflush(stderr);
	_exit(126);
}

/* Pipes are far larger than a question: writing it never waits. */
static bool
tell(int fd, const struct checker_question *q)
{
	struct buf text = BUF_INIT(QUESTION_MAX);
	bool good;

	buf_printf(&text,
	    "protocol=%s\nclient=%s\nuser=%s\ntoken=", q->protocol, q->client,
	    q->user);
	buf_add_span(&text, q->token);
	buf_add_char(&text, '\n');
	/* who does not read it has decided without (EPIPE) */
	good = !text.overflow &&
	    (fd_write_all(fd, text.p, text.n) == 0 || errno == EPIPE);
	explicit_bzero(text.p, text.n);
	buf_fini(&text);
	return good;
}

static void
close_pairs(int pipes[3][2])
{
	for (int i = 0; i < 3; i++) {
		fd_close(&pipes[i][0]);
		fd_close(&pipes[i][1]);
	}
}

static bool
start(struct running *r, char **words, int64_t limit_s,
    const struct checker_question *q)
{
	int pipes[3][2] = { { -1, -1 }, { -1, -1 }, { -1, -1 } };
	bool good = true;

	for (int i = 0; i < 3 && good; i++)
		good = pipe2(pipes[i], O_CLOEXEC) == 0;
	if (good) {
		const int fds[3] = { pipes[0][0], pipes[1][1], pipes[2][1] };

		r->pid = fork();
		if (r->pid == 0)
			in_child(words, limit_s, fds);
		good = r->pid > 0;
	}
	if (good) {
		r->ended = (int)syscall(SYS_pidfd_open, r->pid, 0);
		fd_close(&pipes[0][0]);
		good = r->ended != -1 && tell(pipes[0][1], q);
		r->output = pipes[1][0];
		r->complaints = pipes[2][0];
		pipes[1][0] = pipes[2][0] = -1;
		good = good && fd_nonblocking(r->output, true) == 0 &&
		    fd_nonblocking(r->complaints, true) == 0;
	}
	if (!good)
		log_warning("cannot start %s: %m", words[0]);
	close_pairs(pipes);
	return good;
}

/* At its end the descriptor is closed. False: there is no more now. */
static bool
take(int *fd, struct buf *into, bool *too_much)
{
	char bytes[CHECKER_OUTPUT_MAX];
	ssize_t n = *fd == -1 ? 0 : read(*fd, bytes, sizeof(bytes));

	if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
		fd_close(fd);
	else if (n > 0 && !buf_add(into, bytes, (size_t)n) && too_much != NULL)
		*too_much = true;
	return n > 0;
}

/* Until it has ended. False: its time is over, or it says too much. */
static bool
listen_to(struct running *r, int64_t deadline)
{
	for (;;) {
		struct pollfd p[3] = {
			{ .fd = r->ended, .events = POLLIN },
			{ .fd = r->output, .events = POLLIN },
			{ .fd = r->complaints, .events = POLLIN },
		};
		int64_t left = deadline - clock_ms();

		if (left <= 0 || r->too_much)
			return false;
		if (poll(p, 3, left > 60000 ? 60000 : (int)left) <= 0)
			continue;
		if (p[1].revents != 0)
			take(&r->output, &r->said, &r->too_much);
		if (p[2].revents != 0)
			take(&r->complaints, &r->complained, NULL);
		if (p[0].revents == 0)
			continue;
		/* what others hold open is not waited for */
		while (!r->too_much && take(&r->output, &r->said, &r->too_much))
			;
		take(&r->complaints, &r->complained, NULL);
		return !r->too_much;
	}
}

/* What it has started ends with it. -1: it did not end by itself. */
static int
finish(struct running *r, bool ended)
{
	int status = -1;

	(void)kill(-r->pid, SIGKILL);
	(void)kill(r->pid, SIGKILL);
	while (waitpid(r->pid, &status, 0) == -1 && errno == EINTR)
		;
	return ended ? status : -1;
}

/* Its first line on standard error, where it has no answer. */
static void
complain(const struct running *r, const char *name, const char *what)
{
	struct span line = span_trim(buf_span(&r->complained));
	char text[COMPLAINT_MAX];
	size_t n = span_find(line, '\n');

	if (n >= sizeof(text))
		n = sizeof(text) - 1;
	for (size_t i = 0; i < n; i++)
		text[i] =
		    line.p[i] >= ' ' && line.p[i] < 0x7f ? line.p[i] : '?';
	text[n] = '\0';
	log_warning("%s: %s%s%s", name, what, n > 0 ? ": " : "", text);
}

static char **
split(const char *command, char *words[WORDS_MAX + 1])
{
	struct span rest = span_of(command), word;
	size_t n = 0;

	while (n < WORDS_MAX && span_cut(&rest, " \t", true, &word))
		if (word.n > 0)
			words[n++] = mem_span_text(word);
	words[n] = NULL;
	return words;
}

static void
judge(struct running *r, const char *name, bool ended, int status,
    struct checker_answer *out)
{
	if (!ended)
		complain(r, name,
		    r->too_much ? "says too much" :
				  "takes longer than auth_token_timeout");
	else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		complain(r, name,
		    WIFSIGNALED(status) ? "was killed" : "has failed");
	else if (!checker_parse(buf_span(&r->said), out))
		complain(r, name, "has answered what is no answer");
}

void
checker_ask(const char *command, int64_t limit_s,
    const struct checker_question *q, struct checker_answer *out)
{
	struct running r = { .pid = -1,
		.ended = -1,
		.output = -1,
		.complaints = -1,
		.said = BUF_INIT(CHECKER_OUTPUT_MAX),
		.complained = BUF_INIT(COMPLAINT_MAX * 10) };
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old;
	char *words[WORDS_MAX + 1];
	bool started, ended;
	int status;

	memset(out, 0, sizeof(*out));
	out->verdict = LATER;
	snprintf(out->text, sizeof(out->text), "no answer about the token");
	split(command, words);
	sigaction(SIGPIPE, &ignore, &old);
	started = words[0] != NULL && start(&r, words, limit_s, q);
	ended = started && listen_to(&r, clock_in(limit_s));
	if (r.pid > 0) {
		status = finish(&r, ended);
		if (started)
			judge(&r, words[0], ended, status, out);
	}
	sigaction(SIGPIPE, &old, NULL);
	for (char **w = words; *w != NULL; w++)
		free(*w);
	fd_close(&r.ended);
	fd_close(&r.output);
	fd_close(&r.complaints);
	buf_fini(&r.said);
	buf_fini(&r.complained);
}
