/* SPDX-License-Identifier: ISC */
/* Any bytes as main.cf: parsed, checked, snapshotted, read back. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/ensure.h"
#include "lib/conf/conf_parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
compare(void *with, const char *name, const char *raw, const char *origin)
{
	const char *other = conf_raw(with, name);

	(void)origin;
	if (strcmp(name, "myorigin") != 0)
		ensure(other != NULL && strcmp(other, raw) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf errors = BUF_INIT(1 << 20), warnings = BUF_INIT(1 << 20);
	struct conf *c, *d;
	int fd;

	if (size > 65536 || memchr(data, '\0', size) != NULL)
		return 0;
	c = conf_new("/nowhere");
	/* keep the name service and files out of it */
	conf_parse(c, (struct span){ (const char *)data, size }, "main.cf",
	    &errors, &warnings);
	conf_set(c, SPAN("inet_interfaces"), SPAN("all"), "fuzz");
	conf_set(c, SPAN("myorigin"), SPAN("$myhostname"), "fuzz");
	conf_check(c, &errors, &warnings);
	fd = conf_snapshot(c, "*", NULL);
	ensure(fd >= 0);
	d = conf_read_snapshot(fd);
	conf_each(c, compare, d);
	close(fd);
	conf_free(&c);
	conf_free(&d);
	buf_fini(&errors);
	buf_fini(&warnings);
	return 0;
}
