/* SPDX-License-Identifier: ISC */
#ifndef LIB_LOG_LOG_H
#define LIB_LOG_LOG_H

/*
 * Log lines. A program under master writes whole lines, one or several with
 * one write(2) of at most PIPE_BUF bytes, into a pipe that logd reads: atomic,
 * never blocking (a full pipe drops them, and the next line that fits says how
 * many).
 * A command that people start writes to logd's datagram socket, else to
 * syslog; it never waits for either. Without log_open lines go to standard
 * error.
 *
 * The line on the pipe is "L TAG[PID]: text\n", L the level's letter. logd
 * adds time and host; its grammar is Postfix's.
 */

#include <stdbool.h>
#include <stdnoreturn.h>

enum log_level {
	LEVEL_DEBUG, /* only with -v or debug_peer_list */
	LEVEL_INFO,
	LEVEL_WARNING,
	LEVEL_ERROR,
	LEVEL_FATAL, /* this process ends, master starts another */
	LEVEL_PANIC, /* a bug of ours */
};

/* Writes to this descriptor (kept, not closed). Tag: "posthaste/smtpd". */
void log_open(const char *tag, int fd);
/* Standard error as well, for programs in the foreground; tag without pid. */
void log_open_stderr(const char *tag);
/*
 * For programs that serve many at once: from now on INFO lines are kept and
 * leave together, PIPE_BUF bytes at most in one write(2), when log_flush is
 * called (lib/service does before each wait of the loop), when there is no
 * more room, with the next line that is more than INFO, before fork(2), at
 * exit(3), and when the process crashes (log_crash.h). Lines of one process
 * keep their order; SIGKILL loses what was logged since the last wait.
 */
void log_join_lines(void);
void log_flush(void);
/* For commands: the datagram socket at this path, silently nothing if down. */
void log_open_socket(const char *tag, const char *path);
/* Lines below this level are not written; LEVEL_INFO at the start. */
void log_threshold(enum log_level least);
bool log_debugging(void);

void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The text begins with "warning: " (written for you). So do error, fatal. */
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Logs and exits with status 75 (EX_TEMPFAIL); for daemons. */
noreturn void
fatal(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same with an exit status of sysexits(3); for commands. */
noreturn void fatal_status(int status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same for what conf.h collects: each line an error, the last one fatal. */
noreturn void fatal_lines(int status, const char *lines);

#endif
