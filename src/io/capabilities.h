// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What this host offers, asked once at start: by trying, not by version, because distributions move features between
// versions. `spillway serve` starts on the answer, `spillway doctor` prints it.
#pragma once

#include <string>
#include <vector>

#include "io/advice.h"
#include "io/uring_ring.h"

namespace spillway::io {

struct Capabilities {
    KernelVersion kernel;
    std::string kernel_release;       // as `uname -r` prints it
    std::string obstacle;             // why Spillway cannot run here, with what mends it; empty = it can
    std::vector<std::string> advice;  // what should change, each with the command; empty = nothing
    HostLimits limits;
    bool completion_per_send = false;  // for UringOptions: the cheaper way failed the self-test
    unsigned receive_limit = 0;        // for UringOptions: kReceiveLimit where the kernel keeps to it
    bool no_sqarray = false;           // for the curious, and for bug reports
    bool iowait_off = false;
};

/// Asks the kernel and runs the self-test on a small ring of the calling thread, which is gone afterwards. `cores` and
/// `options` are what will be used. Takes some milliseconds.
[[nodiscard]] Capabilities ask_host(unsigned cores, const UringOptions& options);

/// The facts that explain() wants, gathered after a refused set-up.
[[nodiscard]] SetupContext setup_context(std::uint64_t needed_bytes);

/// The limits of this process, as they are now.
[[nodiscard]] HostLimits host_limits();

/// Raises the soft limits of descriptors and locked memory to the hard ones, as any process may for itself. For the
/// start of a server, before it derives its capacity from them.
void raise_limits();

}  // namespace spillway::io
