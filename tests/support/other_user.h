// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Things done as another user: to the kernel, user ids belong to threads; it is the C library that changes them in all.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <thread>

namespace spillway::test {

inline constexpr uid_t kNobody = 65534;

/// Only root can be others.
inline bool can_be_others() { return ::geteuid() == 0; }

/// Calls `body` in a thread of that user. False: it could not become that.
template <class F>
[[nodiscard]] bool as_user(uid_t user, F&& body) {
    bool became = false;
    std::thread([&] {
        became = ::syscall(SYS_setresuid, user, user, user) == 0;
        if (became) body();
    }).join();
    return became;
}

}  // namespace spillway::test
