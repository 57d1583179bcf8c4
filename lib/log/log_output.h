/* SPDX-License-Identifier: ISC */
#ifndef LIB_LOG_LOG_OUTPUT_H
#define LIB_LOG_LOG_OUTPUT_H

/*
 * Where whole lines leave the process: a pipe or a datagram socket; lib/log
 * only. Never waits; counts what was lost.
 */

#include <stdbool.h>
#include <stddef.h>

void log_output_pipe(int fd);
void log_output_socket(const char *path);
bool log_output_open(void);
/*
 * One line with its end. "now": it and what is kept leave at once, whatever
 * log_join_lines said. False: it is lost, and counted.
 */
bool log_output_line(const char *line, size_t n, bool now);
/* Lines lost since the last time that this was asked. */
unsigned long log_output_lost(void);
/* So many are lost that were not counted, or not told. */
void log_output_lose(unsigned long lines);
/* Who writes: "posthaste/smtpd". */
void log_output_name(const char *tag);
const char *log_output_tag(void);
/* What is kept, then this one; for a process that crashes. */
void log_output_last(const char *line, size_t n);

#endif
