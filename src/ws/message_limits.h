// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// How large a client's message may be, in bytes and in frames.
#pragma once

#include <cstdint>

#include <spillway/limits.h>

namespace spillway::ws {

/// Bounds of one message, checked on what the peer announces, before a byte of it is stored.
struct MessageLimits {
    std::uint64_t message_bytes = 32 * kKiB;  // payload of all its fragments; over it: 1009
    std::uint32_t fragments = kFragmentsMax;  // frames of one message, the first included; over it: 1008
};

}  // namespace spillway::ws
