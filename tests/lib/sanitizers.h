/* SPDX-License-Identifier: Apache-2.0
 * sanitizers.h -- whether this program is built with one, by gcc or by clang; long searches are
 * shorter then. */
#ifndef SANITIZERS_H
#define SANITIZERS_H

#ifndef __has_feature
#define __has_feature(name) 0
#endif

#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#else
#define UNDER_TSAN 0
#endif

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define UNDER_ASAN 1
#else
#define UNDER_ASAN 0
#endif

#endif
