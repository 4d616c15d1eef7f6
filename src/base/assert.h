// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Assertions say that a fault is ours. They stay on in release builds: a server that no longer knows its own state
// stops with the place and the condition instead of misbehaving; the supervisor restarts it and clients reconnect.
#pragma once

namespace spillway::base {

/// Prints the broken condition with its place to standard error and aborts. Never returns; any thread.
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line) noexcept;

}  // namespace spillway::base

/// Always checked; for conditions that cost a compare.
#define SPILLWAY_ASSERT(condition)                       \
    (static_cast<bool>(condition) ? static_cast<void>(0) \
                                  : ::spillway::base::assertion_failed(#condition, __FILE__, __LINE__))

/// Checked in debug and sanitizer builds; for conditions that cost a walk.
#ifdef NDEBUG
#define SPILLWAY_DEBUG_ASSERT(condition) static_cast<void>(0)
#else
#define SPILLWAY_DEBUG_ASSERT(condition) SPILLWAY_ASSERT(condition)
#endif
