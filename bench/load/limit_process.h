// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// bench/limit as a child process with as many sockets as there are subscribers, asked for a bare pass now and then: what
// the machine can do at best, in the very minute in which the server is measured.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <cstdio>
#include <optional>

#include "options.h"

namespace spillway::load {

class LimitProcess {
public:
    struct Pass {
        double sends_ms = 0;  // until the last send had returned
        double read_ms = 0;   // until everything was read
    };

    /// Starts it and waits until it has its sockets; stderr says why it cannot.
    [[nodiscard]] static std::optional<LimitProcess> start(const Options& options, std::uint32_t sockets);
    LimitProcess(LimitProcess&& other) noexcept;
    LimitProcess(const LimitProcess&) = delete;
    LimitProcess& operator=(const LimitProcess&) = delete;
    LimitProcess& operator=(LimitProcess&&) = delete;
    ~LimitProcess();

    Pass pass();

private:
    LimitProcess(pid_t pid, std::FILE* to, std::FILE* from) : pid_(pid), to_(to), from_(from) {}
    pid_t pid_;
    std::FILE* to_;
    std::FILE* from_;
};

}  // namespace spillway::load
