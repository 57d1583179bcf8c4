/* SPDX-License-Identifier: ISC */
#include "lib/dns/dns_hosts.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/fdio.h"
#include "lib/dns/dns_names.h"

enum { FILE_MAX = 4 << 20, FOUND_MAX = 64 };

struct entry {
	struct address address;
	char *name;
};

static struct entry *entries;
static size_t count;

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

void
dns_hosts_read(const char *path)
{
	struct buf file = BUF_INIT(FILE_MAX);
	struct span rest, line;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	while (count > 0)
		free(entries[--count].name);
	if (fd < 0)
		return;
	if (fd_read_whole(fd, &file) == 0) {
		rest = buf_span(&file);
		while (span_cut(&rest, "\n", true, &line))
			read_line(line);
	}
	buf_fini(&file);
	fd_close(&fd);
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
		return DNS_NO_NAME;
	*out = list;
	*n = found;
	return DNS_OK;
}
