/* SPDX-License-Identifier: ISC */
/*
 * Uses of app passwords, noted by one process and read by another, while a
 * third writes into the file what it likes. The input is a sequence of one
 * byte that says what is done, and what that needs.
 */
#include "auth/app_use.h"

#include <stddef.h>
#include <string.h>

#include "lib/log/log.h"
#include "tests/fuzz/scribbled.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	STEPS_MAX = 40,
	NOW = 1700000000,
	SEEN = 4096 + 1024, /* the head, and the entries of our passwords */
	OFTEN_S = 60,
};

static struct app_use *noting;

/* Somebody's terminal gets it. */
static void
check_text(const char *text, size_t n)
{
	size_t i = 0;

	for (; i < n && text[i] != '\0'; i++)
		ensure(text[i] > ' ' && text[i] < 0x7f);
	ensure(i < n);
}

static bool
find(const unsigned char *digest, struct app_used *used)
{
	if (!app_use_find(scribbled.folder, digest, used))
		return false;
	check_text(used->protocol, sizeof(used->protocol));
	check_text(used->client, sizeof(used->client));
	return true;
}

/* Nobody writes meanwhile: it is there. */
static void
note(const unsigned char *digest, const char *protocol, int64_t now)
{
	struct app_used used;

	app_use_note(noting, digest, protocol, "192.0.2.1", now);
	if (scribbled.words[0] != scribbled.before[0])
		return; /* no table of uses, as its head says now */
	ensure(find(digest, &used));
	ensure(used.when <= now && used.when > now - OFTEN_S);
	ensure(strcmp(used.protocol, protocol) == 0);
	ensure(strcmp(used.client, "192.0.2.1") == 0);
}

static void
act(struct span *in, int64_t now)
{
	unsigned char digest[APP_PASSWORD_DIGEST] = { 0 };
	struct app_used used;
	uint64_t step = scribbled_number(in, 1);

	/* all in one set, and more than it has room for */
	digest[APP_PASSWORD_DIGEST - 1] = (unsigned char)(1 + (step >> 4));
	switch (step & 3) {
	case 0:
		note(digest, step & 4 ? "imap" : "smtp", now);
		break;
	case 1:
		(void)find(digest, &used);
		break;
	case 2:
		scribbled_write(in);
		break;
	case 3: /* one more process begins, and another ends */
		app_use_close(&noting);
		noting = app_use_open(scribbled.folder);
		ensure(noting != NULL);
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = { (const char *)data, size };

	if (noting == NULL) {
		log_threshold(LEVEL_FATAL);
		noting = app_use_open(scribbled_folder("app_password_use"));
		ensure(noting != NULL);
		scribbled_map(SEEN);
	}
	scribbled_restore();
	for (int i = 0; i < STEPS_MAX && in.n > 0; i++)
		act(&in, NOW + 7 * i);
	return 0;
}
