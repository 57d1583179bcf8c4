/* SPDX-License-Identifier: ISC */
#ifndef TOOLS_QUEUE_TOOL_H
#define TOOLS_QUEUE_TOOL_H

/* What the commands that work on the queue's files have in common. */

#include "lib/conf/common.h"

/*
 * Logs as "program", reads the settings, makes queue_directory the working
 * directory, and, as root, becomes the queue's owner for good, so that nothing
 * in the queue can make root do anything. Ends the command with a message where
 * that fails.
 */
void queue_tool_enter(const char *program, const char *config,
    struct common_params *params);
/* Tells a running qmgr to look at all queues. False: it does not run. */
bool queue_tool_notify(void);
/* In which queue this message is; NULL: in none. Not in maildrop. */
const char *queue_tool_find(const char *id);

#endif
