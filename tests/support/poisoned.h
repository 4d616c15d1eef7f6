// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Does somebody notice when freed pooled memory is read (base/poison.h)? Under AddressSanitizer a process that does so ends;
// in other debug builds it finds 0xDD; release builds notice nothing, and say so.
#pragma once

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>

#include "base/poison.h"

namespace spillway::test {

#ifdef NDEBUG
inline constexpr bool kFreedIsFilled = false;
#else
inline constexpr bool kFreedIsFilled = true;
#endif

/// A read of that byte is noticed.
inline bool read_is_caught(const void* memory, std::size_t at) {
    const volatile unsigned char* byte = static_cast<const volatile unsigned char*>(memory) + at;
#ifdef SPILLWAY_ASAN
    const pid_t child = ::fork();
    if (child == 0) {
        static_cast<void>(::dup2(::open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO));  // the report
        ::_exit(*byte == 0 ? 0 : 0);
    }
    int status = 0;
    return ::waitpid(child, &status, 0) == child && !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
#else
    return *byte == 0xDD;
#endif
}

}  // namespace spillway::test
