/* SPDX-License-Identifier: ISC */
#include "lib/net/port.h"

#include <errno.h>
#include <fcntl.h>

#include "lib/base/buf.h"
#include "lib/base/fdio.h"

enum { FILE_MAX = 4 << 20, PORT_MAX = 65535 };

/* What port_names_read() found: "25 smtp mail\n"... */
static struct buf names = BUF_INIT(FILE_MAX);

/* "name 25/tcp alias alias # comment" */
static void
read_line(struct span line)
{
	struct span rest = span_take(line, span_find(line, '#')), name, port;
	size_t slash;
	uint64_t n;

	if (!span_cut(&rest, " \t\r", true, &name) ||
	    !span_cut(&rest, " \t\r", true, &port))
		return;
	slash = span_find(port, '/');
	if (!span_u64(span_take(port, slash), PORT_MAX, &n) ||
	    !span_is(span_skip(port, slash), "/tcp"))
		return;
	buf_printf(&names, "%u %.*s %.*s\n", (unsigned int)n, SPAN_ARG(name),
	    SPAN_ARG(rest));
}

int
port_names_read(const char *path)
{
	struct buf file = BUF_INIT(FILE_MAX);
	struct span rest, line;
	int fd = open(path, O_RDONLY | O_CLOEXEC), result;

	buf_fini(&names);
	if (fd < 0)
		return errno;
	result = fd_read_whole(fd, &file) == 0 ? 0 : errno;
	rest = result == 0 ? buf_span(&file) : SPAN("");
	while (span_cut(&rest, "\n", true, &line))
		read_line(line);
	buf_fini(&file);
	fd_close(&fd);
	return result;
}

static bool
has_word(struct span words, struct span wanted)
{
	struct span word;

	while (span_cut(&words, " \t\r", true, &word))
		if (span_equal(word, wanted))
			return true;
	return false;
}

static uint16_t
port_in_file(struct span name)
{
	struct span rest = buf_span(&names), line, number;
	uint64_t n;

	while (span_cut(&rest, "\n", true, &line))
		if (span_cut(&line, " ", true, &number) &&
		    has_word(line, name) && span_u64(number, PORT_MAX, &n))
			return (uint16_t)n;
	return 0;
}

uint16_t
port_of(struct span text)
{
	static const struct {
		const char *name;
		uint16_t port;
	} known[] = {
		{ "smtp", 25 },
		{ "submission", 587 },
		{ "submissions", 465 },
		{ "smtps", 465 },
		{ "lmtp", 24 },
	};
	uint64_t n;

	if (span_u64(text, PORT_MAX, &n))
		return (uint16_t)n;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (span_is_nocase(text, known[i].name))
			return known[i].port;
	return text.n > 0 ? port_in_file(text) : 0;
}
