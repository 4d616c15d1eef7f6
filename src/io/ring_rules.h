// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// The one list of what our rings ask of the kernel. At start the kernel is asked whether it has it all; then each ring is
// restricted to it (io_uring_register_restrictions(3)), so that whoever gets hold of a ring cannot open files, start
// connections or register anything with it. A seccomp filter does not see what goes through a ring; this does.
//
// A new operation, a new flag of a request, or a registration after start() needs its line here: else it fails with EACCES.
#pragma once

#include <span>
#include <string_view>

struct io_uring;  // NOLINT(readability-identifier-naming): liburing's name

namespace spillway::io {

struct RingOperation {
    int code = 0;           // IORING_OP_...
    std::string_view name;  // for people
    bool needed = true;     // Spillway does not run without it
};
[[nodiscard]] std::span<const RingOperation> ring_operations();

/// Restricts a ring that is not enabled yet; holds from its enabling on, for ever. 0, or -errno where the kernel or a
/// seccomp filter refuses: the ring then works without.
[[nodiscard]] int restrict_ring(io_uring& ring);

}  // namespace spillway::io
