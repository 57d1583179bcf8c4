/* SPDX-License-Identifier: ISC */
/*
 * Counters of clients, while another process of the service, which was taken
 * over, writes into them what it likes. The input is a sequence of one byte
 * that says what is done, and what that needs.
 */
#include "lib/service/client_counts.h"

#include <stddef.h>
#include <string.h>

#include "lib/log/log.h"
#include "tests/fuzz/scribbled.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	STEPS_MAX = 24,
	KEPT = 4,
	UNIT_MS = 3600000,
	OPEN_MOST = 32 * UINT16_MAX, /* of all processes */
};

static struct client_key
key_of(uint64_t step)
{
	struct client_key key = { { 0 } };

	key.bytes[CLIENT_KEY_SIZE - 1] = (unsigned char)(1 + (step >> 6));
	return key;
}

static void
disconnect(struct client_count *n)
{
	client_counts_disconnect(n);
	ensure(!n->counted);
	client_counts_disconnect(n);
}

static void
connect_client(const struct client_key *key, struct client_count *n)
{
	disconnect(n);
	*n = client_counts_connect(key, 0, UNIT_MS);
	ensure(n->open <= OPEN_MOST);
	ensure(!n->counted || (n->open > 0 && n->events > 0));
}

/* Nobody writes meanwhile: one more, unless there is no room. */
static void
count(const struct client_key *key)
{
	uint32_t first = client_counts_event(key, 1, UNIT_MS);
	uint32_t second = client_counts_event(key, 1, UNIT_MS);

	ensure(
	    second == (first == 0 || first == UINT32_MAX ? first : first + 1) ||
	    second == 1); /* a new unit of time */
}

static void
act(struct span *in, struct client_count *kept)
{
	uint64_t step = scribbled_number(in, 1);
	struct client_key key = key_of(step);
	struct client_count *n = &kept[(step >> 2) % KEPT];

	switch (step & 3) {
	case 0:
		connect_client(&key, n);
		break;
	case 1:
		disconnect(n);
		break;
	case 2:
		count(&key);
		break;
	case 3:
		scribbled_write(in);
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = { (const char *)data, size };
	struct client_count kept[KEPT] = { { .counted = false } };

	if (scribbled.path == NULL) {
		log_threshold(LEVEL_FATAL);
		client_counts_open(scribbled_folder("smtpd-limits-2.smtp"),
		    "smtpd", "smtp");
		scribbled_map(SIZE_MAX);
	}
	scribbled_restore();
	for (int i = 0; i < STEPS_MAX && in.n > 0; i++)
		act(&in, kept);
	for (size_t i = 0; i < KEPT; i++)
		disconnect(&kept[i]);
	return 0;
}
