/* SPDX-License-Identifier: ISC */
#include "local/command.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "local/exit_status.h"

/* A command that runs. */
struct running {
	const struct command *command;
	pid_t pid;
	int input; /* the whole message, for the command to read */
	int output; /* we read what it says; -1 at its end */
	int ended; /* readable when it has ended */
	int64_t deadline;
	struct buf *said;
	bool late;
	bool line_start; /* for dot stuffing */
	struct buf gathered; /* of the message, not written yet */
	off_t room; /* for more of it */
};

enum {
	GATHERED = 65536,
	SMALL_MAX = 1 << 20, /* messages up to this are kept in memory */
	MEMORY_MAX = 16 << 20, /* all are, where the disk has no room */
};

bool
command_is_plain(const char *text)
{
	static const char plain[] =
	    "1234567890!@%-_=+:,./ \t"
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	static const char *const built_in[] = { ".", ":", "alias", "bg",
		"break", "case", "cd", "command", "continue", "do", "done",
		"elif", "else", "esac", "eval", "exec", "exit", "export", "fi",
		"for", "if", "in", "read", "readonly", "return", "set", "shift",
		"then", "times", "trap", "type", "ulimit", "umask", "unset",
		"until", "while", "!", NULL };
	struct span rest = span_of(text), word;

	if (strspn(text, plain) != strlen(text) ||
	    !span_cut(&rest, " \t", true, &word))
		return false;
	for (const char *const *b = built_in; *b != NULL; b++)
		if (span_is(word, *b))
			return false;
	/* NAME=value before a command */
	return span_find(word, '=') == word.n;
}

static char **
split_words(const char *text)
{
	struct span rest = span_of(text), word;
	char **words = mem_array(strlen(text) + 1, sizeof(*words));
	size_t n = 0;

	while (span_cut(&rest, " \t", true, &word))
		words[n++] = mem_span_text(word);
	return words;
}

static void
give_up(const char *what, const char *name)
{
	/* to the parent, as the command's output */
	fprintf(stderr, "4.3.5 %s %s: %s\n", what, name, strerror(errno));
	fflush(stderr);
	_exit(EX_TEMPFAIL);
}

static void
become(const struct command *c)
{
	if (!c->root)
		return;
	if ((c->user != NULL ? initgroups(c->user, c->gid) :
			       setgroups(1, &c->gid)) != 0 ||
	    setresgid(c->gid, c->gid, c->gid) != 0 ||
	    setresuid(c->uid, c->uid, c->uid) != 0 ||
	    (c->uid != 0 && setuid(0) == 0))
		give_up("cannot become", c->user != NULL ? c->user : "user");
}

static void
default_signals(void)
{
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The descriptors become 0, 1 and 2, whatever numbers they have now. */
static void
standard_descriptors(int input, int output)
{
	input = fcntl(input, F_DUPFD, 10);
	output = fcntl(output, F_DUPFD, 10);
	if (dup2(input, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0)
		_exit(EX_OSERR);
	if (close_range(3, ~0U, 0) != 0)
		for (int fd = 3; fd < 65536; fd++)
			close(fd);
}

static void
run_text(const struct command *c)
{
	static char sh[] = "/bin/sh", dash_c[] = "-c";
	char **words = split_words(c->shell[0] != '\0' ? c->shell : "");
	size_t n = 0;

	if (c->shell[0] == '\0' && command_is_plain(c->text)) {
		words = split_words(c->text);
		execvpe(words[0], words, c->environment);
		if (errno != ENOENT && errno != ENOEXEC)
			give_up("execute", words[0]);
		/* a name that only the shell knows, or a script without #! */
	}
	if (c->shell[0] == '\0') {
		char *argv[] = { sh, dash_c, mem_text(c->text), NULL };

		execve(sh, argv, c->environment);
		give_up("execute", sh);
	}
	while (words[n] != NULL)
		n++;
	words = mem_resize(words, (n + 2) * sizeof(*words));
	words[n++] = mem_text(c->text);
	words[n] = NULL;
	execvpe(words[0], words, c->environment);
	give_up("execute", words[0]);
}

static void
in_child(const struct command *c, int input, int output)
{
	struct rlimit files = { (rlim_t)c->file_limit, (rlim_t)c->file_limit };

	setsid();
	default_signals();
	standard_descriptors(input, output);
	if (c->chroot != NULL && c->root && chroot(c->chroot) != 0)
		give_up("chroot to", c->chroot);
	become(c);
	if (chdir(c->directory) != 0)
		give_up("change directory to", c->directory);
	umask(077);
	if (c->file_limit > 0)
		setrlimit(RLIMIT_FSIZE, &files);
	/* execvp looks for the command along the command's own PATH */
	clearenv();
	for (char **e = c->environment; *e != NULL; e++)
		if (strncmp(*e, "PATH=", 5) == 0)
			putenv(*e);
	if (c->argv == NULL)
		run_text(c);
	execvpe(c->argv[0], c->argv, c->environment);
	give_up("execute", c->argv[0]);
}

static void
kill_all(struct running *r)
{
	r->late = true;
	kill(-r->pid, SIGKILL);
	kill(r->pid, SIGKILL);
}

static bool
start(struct running *r, struct why *why)
{
	int out[2] = { -1, -1 };

	if (pipe2(out, O_CLOEXEC) == 0)
		r->pid = fork();
	if (r->pid == 0)
		in_child(r->command, r->input, out[1]);
	fd_close(&out[1]);
	r->output = out[0];
	if (r->pid > 0)
		r->ended = (int)syscall(SYS_pidfd_open, r->pid, 0);
	if (r->ended >= 0) {
		fd_nonblocking(r->output, true);
		return true;
	}
	why_errno(why, "4.3.0", "cannot start a command");
	if (r->pid > 0) {
		kill_all(r);
		waitpid(r->pid, NULL, 0);
	}
	fd_close(&r->output);
	return false;
}

/* One line, printable; the rest of what it says is read and forgotten. */
static void
take_output(struct running *r)
{
	char bytes[4096];
	ssize_t n = read(r->output, bytes, sizeof(bytes));

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		fd_close(&r->output);
	for (ssize_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if (r->said->n < COMMAND_OUTPUT_MAX)
			buf_add_char(r->said,
			    c == '\n' || c == '\r' || c == '\t' ? ' ' :
				c < 0x20 || c == 0x7f           ? '?' :
								  (char)c);
	}
}

/*
 * Waits until it says something, or has ended. False when the time is over:
 * then it has been killed.
 */
static bool
wait_for(struct running *r)
{
	struct pollfd fds[2] = {
		{ .fd = r->output, .events = POLLIN },
		{ .fd = r->ended, .events = POLLIN },
	};
	int64_t left = r->deadline - clock_ms();

	if (left <= 0) {
		kill_all(r);
		return false;
	}
	if (poll(fds, 2, left > 60000 ? 60000 : (int)left) > 0 &&
	    fds[0].revents != 0)
		take_output(r);
	return true;
}

static int
write_bounded(struct running *r, const char *data, size_t n)
{
	if ((off_t)n > r->room) {
		errno = ENOSPC;
		return -1;
	}
	r->room -= (off_t)n;
	return fd_write_all(r->input, data, n);
}

static int
write_gathered(struct running *r)
{
	int result = write_bounded(r, r->gathered.p, r->gathered.n);

	r->gathered.n = 0;
	return result;
}

static int
write_input(struct running *r, const char *data, size_t n)
{
	if (r->gathered.n + n > GATHERED && write_gathered(r) != 0)
		return -1;
	if (n > GATHERED)
		return write_bounded(r, data, n);
	return buf_add(&r->gathered, data, n) ? 0 : -1;
}

/* Message text on its way, with dots doubled where asked for. */
static int
write_message(void *with, const void *data, size_t n)
{
	struct running *r = with;
	struct span rest = { data, n };

	if (!r->command->dot_stuff)
		return write_input(r, rest.p, rest.n);
	while (rest.n > 0) {
		size_t line = span_find(rest, '\n') + 1;

		if (r->line_start && rest.p[0] == '.' &&
		    write_input(r, ".", 1) != 0)
			return -1;
		if (line > rest.n)
			line = rest.n;
		if (write_input(r, rest.p, line) != 0)
			return -1;
		r->line_start = rest.p[line - 1] == '\n';
		rest = span_skip(rest, line);
	}
	return 0;
}

static int
write_text(struct running *r, const char *text)
{
	return text != NULL ? write_input(r, text, strlen(text)) : 0;
}

static int
write_all(struct running *r)
{
	const struct command *c = r->command;

	r->line_start = true;
	r->gathered.n = 0;
	return write_text(r, c->before) == 0 &&
		deliver_each(c->source, c->line_end, c->quote_from,
		    write_message, r) == 0 &&
		write_text(r, c->after) == 0 && write_gathered(r) == 0 ?
	    0 :
	    -1;
}

/*
 * The command gets it for reading only: with a descriptor to write to, a user
 * could fill the queue's disk, or memory, with what no quota counts. Anybody
 * who has the descriptor may open it again by /dev/stdin, for reading.
 */
static int
make_read_only(struct running *r)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", r->input);
	if (fchmod(r->input, 0444) != 0)
		return -1;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	fd_close(&r->input);
	r->input = fd;
	return 0;
}

static int
keep_in_memory(struct running *r)
{
	r->room = MEMORY_MAX;
	r->input = memfd_create("message", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (r->input < 0 || write_all(r) != 0 ||
	    fcntl(r->input, F_ADD_SEALS,
		F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0)
		return -1;
	return make_read_only(r);
}

/* In a file without a name in the queue. */
static int
keep_on_disk(struct running *r)
{
	r->room = INT64_MAX;
	r->input = open(".", O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0400);
	if (r->input < 0 || write_all(r) != 0)
		return -1;
	return make_read_only(r);
}

/*
 * The message is whole before the command begins. At the end of a pipe it
 * could not tell that from our own end, and would take a part for all.
 *
 * A full disk must not keep what fills it: then memory has to do, as it has
 * where the queue's file system has no files without a name; but only for as
 * much as all agents may take at once.
 */
static bool
prepare_input(struct running *r, struct why *why)
{
	off_t size = r->command->source->size;

	if (size > SMALL_MAX && keep_on_disk(r) == 0)
		return true;
	if (size > SMALL_MAX)
		fd_close(&r->input);
	if (size <= MEMORY_MAX && keep_in_memory(r) == 0)
		return true;
	if (size > MEMORY_MAX)
		errno = ENOSPC;
	why_errno(why, "4.3.0", "cannot keep the message for a command");
	fd_close(&r->input);
	return false;
}

/*
 * Until it has ended; what it left running, with our pipe in its hands, is
 * not waited for.
 */
static int
wait_end(struct running *r)
{
	int status = 0, options = WNOHANG;
	pid_t gone;

	while ((gone = waitpid(r->pid, &status, options)) == 0)
		if (!wait_for(r))
			options = 0; /* it was killed */
	if (r->output >= 0)
		take_output(r);
	/* how it ended is not to be known: not a success */
	return gone > 0 ? status : EX_TEMPFAIL << 8;
}

enum verdict
command_run(const struct command *c, struct buf *output, struct why *why)
{
	struct running r = { .command = c,
		.pid = -1,
		.input = -1,
		.output = -1,
		.ended = -1,
		.gathered = BUF_INIT(GATHERED),
		.deadline = clock_in(c->limit_s),
		.said = output };
	const char *name = c->argv != NULL ? c->argv[0] : c->text;
	bool started = prepare_input(&r, why) && start(&r, why);
	int status;

	buf_fini(&r.gathered);
	fd_close(&r.input);
	if (!started)
		return LATER;
	status = wait_end(&r);
	fd_close(&r.output);
	fd_close(&r.ended);
	while (output->n > 0 && output->p[output->n - 1] == ' ')
		output->p[--output->n] = '\0';
	if (r.late)
		return why_set(why, "4.3.0",
		    "Command time limit exceeded: "
		    "\"%s\"%s%s",
		    name, output->n ? ". Command output: " : "",
		    buf_text(output));
	return exit_status_verdict(status, name, buf_text(output), why);
}
