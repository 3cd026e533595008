/* SPDX-License-Identifier: Apache-2.0
 * turn.h -- two processes that work in turns, over a pair of connected sockets. [any-thread] */
#ifndef OS_TURN_H
#define OS_TURN_H

/* Both ends close-on-exec. 0 or a negative errno. */
int mf_turn_pair(int ret_ends[2]);
/* A program that was started with an end as its standard input takes it from there, so that nothing
 * else reads it: returns the descriptor, close-on-exec, and leaves /dev/null in its place. */
int mf_turn_take_input(void);
/* The other one's turn. Nothing happens when it has ended. */
void mf_turn_pass(int end);
/* Waits for one's own. 0, or -EPIPE when the other one has ended. */
int mf_turn_wait(int end);

#endif
