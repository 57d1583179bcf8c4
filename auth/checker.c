/* SPDX-License-Identifier: ISC */
/*
 * SECURITY: runs a program of the administrator's with words that strangers
 * chose in its standard input, each checked to be one line by who asks us. It
 * gets no descriptor but its standard ones, no environment but PATH, cannot
 * gain rights, and is killed when its time is over, when it writes too much,
 * and when we end. What it has started, in sessions of its own too, is killed
 * after each question, but not when we are killed ourselves.
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
#include <time.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"

enum {
	WORDS_MAX = 64,
	COMPLAINT_MAX = 200,
	QUESTION_MAX = 16384,
	ROUNDS_MAX = 500
};

struct running {
	pid_t pid;
	int ended; /* readable when it has ended */
	int input; /* its standard input, and what is still to be written */
	struct buf question;
	size_t told;
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

static bool
put_question(struct buf *text, const struct checker_question *q)
{
	buf_printf(text, "protocol=%s\nclient=%s\nuser=%s\ntoken=", q->protocol,
	    q->client, q->user);
	buf_add_span(text, q->token);
	buf_add_char(text, '\n');
	return !text->overflow;
}

/* A pipe may be as small as a page: what is left is written by and by. */
static void
tell(struct running *r)
{
	struct span left = span_skip(buf_span(&r->question), r->told);
	ssize_t n = write(r->input, left.p, left.n);

	if (n > 0)
		r->told += (size_t)n;
	/* who does not read it has decided without (EPIPE) */
	if (r->told == r->question.n ||
	    (n == -1 && errno != EAGAIN && errno != EINTR))
		fd_close(&r->input);
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
		good = r->ended != -1 && put_question(&r->question, q);
		r->input = pipes[0][1];
		pipes[0][1] = -1;
		r->output = pipes[1][0];
		r->complaints = pipes[2][0];
		pipes[1][0] = pipes[2][0] = -1;
		good = good && fd_nonblocking(r->input, true) == 0 &&
		    fd_nonblocking(r->output, true) == 0 &&
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
		struct pollfd p[4] = {
			{ .fd = r->ended, .events = POLLIN },
			{ .fd = r->output, .events = POLLIN },
			{ .fd = r->complaints, .events = POLLIN },
			{ .fd = r->input, .events = POLLOUT },
		};
		int64_t left = deadline - clock_ms();

		if (left <= 0 || r->too_much)
			return false;
		if (poll(p, 4, left > 60000 ? 60000 : (int)left) <= 0)
			continue;
		if (p[3].revents != 0)
			tell(r);
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

/* Of this process; all of them are what the program has left. */
static void
kill_children(void)
{
	struct buf text = BUF_INIT(1 << 16);
	int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
	struct span rest, word;
	uint64_t pid;

	if (fd != -1 && fd_read_whole(fd, &text) == 0) {
		rest = buf_span(&text);
		while (span_cut(&rest, " ", true, &word))
			if (span_u64(word, INT32_MAX, &pid) && pid > 1)
				(void)kill((pid_t)pid, SIGKILL);
	}
	fd_close(&fd);
	buf_fini(&text);
}

/*
 * Those whose parents have ended are ours, wherever they are: each round may
 * bring others. One that starts more than can be killed is reported.
 */
static void
end_left(void)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	pid_t gone;

	for (int round = 0; round < ROUNDS_MAX; round++) {
		while ((gone = waitpid(-1, NULL, WNOHANG)) > 0)
			;
		if (gone == -1)
			return;
		kill_children();
		(void)nanosleep(&pause, NULL);
	}
	log_warning("what auth_token_checker has started goes on");
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
	end_left();
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
		.input = -1,
		.question = BUF_INIT(QUESTION_MAX),
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
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
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
	fd_close(&r.input);
	fd_close(&r.output);
	fd_close(&r.complaints);
	if (r.question.p != NULL)
		explicit_bzero(r.question.p, r.question.n);
	buf_fini(&r.question);
	buf_fini(&r.said);
	buf_fini(&r.complained);
}
