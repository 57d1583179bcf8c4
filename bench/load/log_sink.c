/* SPDX-License-Identifier: ISC */
/*
 * The least that a syslog daemon does, for peers of the bench that log through
 * /dev/log: takes each datagram and appends it to a file as a line. Without it
 * such a server would be spared the work of its log, which the others have to
 * do.
 *
 * usage: log_sink SOCKET FILE
 *
 * Says "ready" on standard output when the socket is there; ends by a signal.
 *
 * SECURITY: runs as root, for a bench only. What it reads comes from the peer's
 * own processes and is written as it is, ends of lines within made spaces.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { LINE = 8192 };

static int
listen_at(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	size_t n = strlen(path);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || n >= sizeof(at.sun_path))
		return -1;
	memcpy(at.sun_path, path, n);
	unlink(path);
	if (bind(fd, (const struct sockaddr *)&at, sizeof(at)) != 0 ||
	    chmod(path, 0666) != 0)
		return -1;
	return fd;
}

int
main(int argc, char **argv)
{
	char line[LINE + 1];
	ssize_t n, i;
	int in, out;

	if (argc != 3) {
		fputs("usage: log_sink SOCKET FILE\n", stderr);
		return 64;
	}
	in = listen_at(argv[1]);
	out = open(argv[2], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (in < 0 || out < 0) {
		perror("log_sink");
		return 1;
	}
	puts("ready");
	fflush(stdout);
	while ((n = recv(in, line, LINE, 0)) >= 0) {
		for (i = 0; i < n; i++)
			if (line[i] == '\n' || line[i] == '\0')
				line[i] = ' ';
		line[n] = '\n';
		if (write(out, line, (size_t)n + 1) < 0) {
			perror("log_sink");
			return 1;
		}
	}
	return 1;
}
