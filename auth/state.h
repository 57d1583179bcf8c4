/* SPDX-License-Identifier: ISC */
#ifndef AUTH_STATE_H
#define AUTH_STATE_H

/*
 * What the processes of auth and auth-session know together: one-time
 * tickets, recent failures by source and by account, and how many questions
 * about tokens are under way. A small file in
 * data_directory, mapped by all of them; nothing in it must survive a reboot,
 * and a file that does not look right is simply begun anew.
 *
 * A ticket is 192 random bits; only its digest is kept. Each works once, for
 * one service, for TICKET_LIFE_MS.
 */

#include <stdbool.h>
#include <stdint.h>

enum {
	TICKET_TEXT_MAX = 64,
	TICKET_LIFE_MS = 60 * 1000,
	STATE_USER_MAX = 256,
	STATE_BEHIND_MAX = 288,
	STATE_SOURCE_MAX = 65,
	STATE_QUESTIONS_MAX = 100,
};

/* Whose a ticket is. */
struct state_login {
	char user[STATE_USER_MAX];
	char behind[STATE_BEHIND_MAX]; /* as login_behind */
};

struct state;

/*
 * Maps DIRECTORY/auth_state, created if missing; fatal() when that cannot be
 * done. To be called before rights are dropped.
 */
struct state *state_open(const char *directory);
void state_close(struct state **s);

/* False when too many tickets are out. Times are clock_ms(). */
bool state_issue(struct state *s, const char *service, const char *user,
    const char *behind, int64_t now, char ticket[TICKET_TEXT_MAX]);
bool state_redeem(struct state *s, const char *service, const char *ticket,
    int64_t now, struct state_login *out);
/* It was not answered, and is to be redeemed by another process. */
bool state_unredeem(struct state *s, const char *service, const char *ticket,
    int64_t now, const struct state_login *whose);

/* "192.0.2.1", "2001:db8:1:2::": whom an address stands for. */
void state_source(const char *client, char out[STATE_SOURCE_MAX]);
/*
 * Notes a failed login, and says how long its answer should wait: the more
 * failures in the last minutes from this address (or IPv6 network of 64
 * bits), for this account, or of this master ("": none was named), whichever
 * are most, the longer; at most "most_ms".
 */
uint64_t state_failure(struct state *s, const char *client, const char *user,
    const char *master, int64_t now, uint64_t most_ms);

/*
 * May one more question be asked: are there less than "most"
 * (STATE_QUESTIONS_MAX is the most there can be), and less than "most_of_one"
 * for this source? *count is how many of those are too many. The question
 * counts until state_answered; one of a process that was killed until "ends".
 */
enum state_room { STATE_ROOM, STATE_FULL, STATE_FULL_OF_SOURCE };

struct state_limits {
	unsigned int most, most_of_one;
	int64_t ends;
};

enum state_room state_ask(struct state *s, const char *source, int64_t now,
    const struct state_limits *limits, uint64_t *question, unsigned int *count);
void state_answered(struct state *s, uint64_t question);

#endif
