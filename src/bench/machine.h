/* SPDX-License-Identifier: Apache-2.0
 *
 * machine.h -- what /proc and /sys say of this machine, in the form in which people talk of it. All
 * take the directory that stands for "/", so that tests can have machines of their own; "" is the
 * real one. What a machine does not tell is "".
 */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MACHINE_TEXT_LEN 256

/* The first line of a file without blanks around it. False, and "", when it cannot be read. */
bool mf__machine_line(const char *root, const char *path, char *out, size_t capacity);
/* Of "always [madvise] never" what stands in brackets. */
bool mf__machine_choice(const char *root, const char *path, char *out, size_t capacity);
/* The value of "key : value" (/proc/cpuinfo, of the first processor) or "key: value kB". */
bool mf__machine_field(const char *root, const char *path, const char *key, char *out,
                       size_t capacity);

bool mf__machine_governor(const char *root, char *out, size_t capacity); /* "performance" */
bool mf__machine_boost(const char *root, char *out, size_t capacity);    /* "on", "off" */
bool mf__machine_smt(const char *root, char *out, size_t capacity);      /* "on", "off" */
bool mf__machine_aslr(const char *root, char *out, size_t capacity);     /* "on", "off" */
/* "L1d 32K, L1i 32K, L2 1M, L3 30M" */
bool mf__machine_caches(const char *root, char *out, size_t capacity);
/* "KVM", the maker's name, or "yes"; "none" on bare metal. */
bool mf__machine_hypervisor(const char *root, char *out, size_t capacity);
/* "16 processors' worth": the quota of our cgroup in processors; NAN without one. */
double mf__machine_quota(const char *root);
/* kB of /proc/meminfo as bytes; NAN. */
double mf__machine_memory(const char *root, const char *key);
/* The soft limit ("Max open files") of /proc/self/limits; infinity when unlimited, NAN. */
double mf__machine_limit(const char *root, const char *name);
double mf__machine_load(const char *root); /* of the last minute; NAN */

#endif
