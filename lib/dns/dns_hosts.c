/* SPDX-License-Identifier: ISC */
#include "lib/dns/dns_hosts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/fdio.h"
#include "lib/dns/dns_names.h"
#include "lib/log/log.h"

enum { FILE_MAX = 4 << 20, FOUND_MAX = 64 };

struct entry {
	struct address address;
	char *name;
};

static struct entry *entries;
static size_t count;
static bool unread; /* there is more that could not be read */

static void
add(const struct address *address, struct span name)
{
	if (count % 64 == 0)
		entries = mem_resize(entries, (count + 64) * sizeof(*entries));
	entries[count].address = *address;
	entries[count++].name = mem_span_text(name);
}

static void
read_line(struct span line)
{
	struct span rest = span_take(line, span_find(line, '#')), word;
	struct address address;

	if (!span_cut(&rest, " \t\r", true, &word) ||
	    !address_parse_ip(word, 0, &address))
		return;
	while (span_cut(&rest, " \t\r", true, &word))
		if (word.n > 0)
			add(&address, word);
}

/* False: it could not be read whole. */
static bool
read_file(const char *path)
{
	struct buf file = BUF_INIT(FILE_MAX);
	struct span rest, line;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool whole;

	if (fd < 0)
		return errno == ENOENT;
	whole = fd_read_whole(fd, &file) == 0;
	rest = whole ? buf_span(&file) : SPAN("");
	while (span_cut(&rest, "\n", true, &line))
		read_line(line);
	buf_fini(&file);
	fd_close(&fd);
	return whole;
}

void
dns_hosts_read(const char *path)
{
	while (count > 0)
		free(entries[--count].name);
	unread = !read_file(path);
	if (unread)
		log_warning("%s cannot be read: %m; mail to hosts that it "
			    "should have waits",
		    path);
}

enum dns_result
dns_hosts(struct arena *a, const char *name, int family, uint16_t port,
    struct address **out, size_t *n)
{
	struct address *list = arena_alloc(a, FOUND_MAX * sizeof(*list));
	size_t found = 0;

	for (size_t i = 0; i < count && found < FOUND_MAX; i++) {
		struct address *to = &list[found];

		if (strcasecmp(entries[i].name, name) != 0 ||
		    (family != AF_UNSPEC &&
			entries[i].address.any.sa_family != family))
			continue;
		*to = entries[i].address;
		dns_set_port(to, port);
		found++;
	}
	if (found == 0)
		return unread ? DNS_AGAIN : DNS_NO_NAME;
	*out = list;
	*n = found;
	return DNS_OK;
}
