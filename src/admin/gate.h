/*
 * gate - the socket file of a console, and who may come in through it.
 */
#ifndef ADMIN_GATE_H
#define ADMIN_GATE_H

#include "admin/console.h"

/* A listening descriptor; -1: complaints tell. Makes the file's directory (0750) when missing. */
int gate_open(const struct console_door *door, struct complaints *complaints);

/* Of enum right, by the peer's credentials: root, our own user, members of the file's group. */
unsigned gate_rights(const struct console_door *door, int fd, unsigned *uid_out);

#endif
