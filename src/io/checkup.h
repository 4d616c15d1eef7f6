// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What `spillway doctor` thinks of a host: pure judgement on facts, so that every piece of advice is tested with made-up
// values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "io/host_facts.h"

namespace spillway::io {

/// good: as it should be. hint: could be better, for some uses. change: should change before this host serves many.
/// obstacle: Spillway cannot run here.
enum class Verdict : std::uint8_t { good, hint, change, obstacle };
[[nodiscard]] std::string_view to_string(Verdict verdict);

struct Finding {
    std::string_view topic;
    Verdict verdict = Verdict::good;
    std::string found;   // what is there, and why it matters
    std::string change;  // what to do: the command or setting; empty = nothing
};

/// What the host is wanted for.
struct Purpose {
    unsigned cores = 1;
    std::uint64_t ring_bytes = 0;            // locked memory of one core's ring
    std::uint64_t clients = kFilesAdvised;   // as many as the descriptor limit should allow
    std::uint64_t send_buffer = 256 * 1024;  // of a client, bytes
    std::vector<std::uint16_t> ports;        // listened on; 0 = any
};

/// One finding or more for each topic, in the order in which they should be read.
[[nodiscard]] std::vector<Finding> examine(const HostFacts& facts, const Purpose& purpose);

/// 0: nothing should change; 1: something should; 2: Spillway cannot run here.
[[nodiscard]] int exit_code(const std::vector<Finding>& findings);

}  // namespace spillway::io
