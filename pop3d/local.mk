# SPDX-License-Identifier: ISC
daemon_PROGRAMS += pop3d/pop3d pop3d/pop3d-session
pop3d_pop3d_SOURCES = pop3d/pop3d.c pop3d/login_stage.h pop3d/login_verbs.c \
	pop3d/login_auth.c pop3d/relay.c pop3d/command.c pop3d/command.h
pop3d_pop3d_session_SOURCES = pop3d/session_parent.c pop3d/session_child.c \
	pop3d/session.h pop3d/dialogue.c pop3d/send_message.c \
	pop3d/command.c pop3d/command.h
