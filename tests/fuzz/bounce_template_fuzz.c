/* SPDX-License-Identifier: ISC */
/*
 * bounce_template_file of any bytes. What is taken has texts of whole lines;
 * what is not taken changes nothing and says in which line.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bounce/template.h"
#include "lib/base/ensure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct conf *
settings(void)
{
	char dir[] = "/tmp/template_fuzz.XXXXXX", path[64];
	struct buf errors = BUF_INIT(4096);
	struct conf *conf;
	FILE *f;

	ensure(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/main.cf", dir);
	f = fopen(path, "w");
	ensure(f != NULL);
	fputs("myhostname = mx.test\ndelay_warning_time = 90m\n", f);
	fclose(f);
	conf = conf_read(dir, &errors, NULL);
	ensure(conf != NULL);
	unlink(path);
	rmdir(dir);
	buf_fini(&errors);
	return conf;
}

static void
check_words(const struct compose_words *w)
{
	const char *const lines[] = { w->charset, w->from, w->subject,
		w->postmaster_subject };
	size_t n = w->text != NULL ? strlen(w->text) : 0;

	for (size_t i = 0; i < 4; i++)
		ensure(lines[i] == NULL || strchr(lines[i], '\n') == NULL);
	ensure(n == 0 || strcmp(w->text + n - 2, "\r\n") == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct conf *conf;
	struct compose_words words[COMPOSE_KINDS] = { 0 }, none = { 0 };
	struct buf error = BUF_INIT(1024);
	struct span in = { (const char *)data, size };
	struct arena *a;

	/* a text with a NUL, or that is longer than any, is cut */
	if (size > 60000 || memchr(data, '\0', size) != NULL)
		return 0;
	if (conf == NULL)
		conf = settings();
	a = arena_new();
	if (template_parse(in, conf, a, words, &error)) {
		ensure(error.n == 0);
		for (int i = 0; i < COMPOSE_KINDS; i++)
			check_words(&words[i]);
	} else {
		ensure(span_starts(buf_span(&error), "line "));
		for (int i = 0; i < COMPOSE_KINDS; i++)
			ensure(memcmp(&words[i], &none, sizeof(none)) == 0);
	}
	buf_fini(&error);
	arena_free(&a);
	return 0;
}
