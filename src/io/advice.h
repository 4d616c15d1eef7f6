// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// What to tell an operator whose host lacks something: pure text from facts, so that every sentence is tested without
// breaking a host. The facts are gathered in capabilities.cpp.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace spillway::io {

/// The upstream release a kernel was built from, as far as it says so.
struct KernelVersion {
    unsigned major = 0;
    unsigned minor = 0;
    unsigned patch = 0;
    friend constexpr auto operator<=>(const KernelVersion&, const KernelVersion&) = default;
    [[nodiscard]] std::string text() const;
};

inline constexpr KernelVersion kKernelMin = {6, 1, 0};  // IORING_SETUP_DEFER_TASKRUN

/// The facts around a refused set-up.
struct SetupContext {
    KernelVersion kernel;
    int uring_disabled = -1;          // kernel.io_uring_disabled, -1 = no such setting
    std::uint64_t memlock_bytes = 0;  // RLIMIT_MEMLOCK
    std::uint64_t needed_bytes = 0;   // what one ring is charged
    std::string_view refused_flag;    // the set-up flag the kernel does not know; empty = none found
    KernelVersion flag_since;         // where that flag appeared
};

/// Why io_uring cannot be set up (`error` is an errno) and what mends it: one sentence, or two.
[[nodiscard]] std::string explain(int error, const SetupContext& context);

/// The version from what uname(2) gives (release, version) and /proc/version_signature (empty where there is none):
/// Debian and Ubuntu name an ABI in the release and the upstream version elsewhere.
[[nodiscard]] KernelVersion parse_kernel(std::string_view release, std::string_view version,
                                         std::string_view signature);

/// Known faults of this kernel that Spillway's use of io_uring can meet.
[[nodiscard]] std::vector<std::string> kernel_warnings(const KernelVersion& kernel);

constexpr std::uint64_t kUnlimited = ~std::uint64_t{0};

/// Limits of this process and host that bound what Spillway can serve.
struct HostLimits {
    std::uint64_t files_soft = kUnlimited;  // RLIMIT_NOFILE
    std::uint64_t files_hard = kUnlimited;
    std::uint64_t memlock_bytes = kUnlimited;  // RLIMIT_MEMLOCK; kUnlimited with CAP_IPC_LOCK
    std::uint64_t backlog_max = 4096;          // net.core.somaxconn
};

inline constexpr std::uint64_t kFilesAdvised = 1'048'576;
inline constexpr std::uint64_t kBacklogAdvised = 4096;

/// What of these limits should change for `cores` rings of `ring_bytes` locked memory each, with the command.
[[nodiscard]] std::vector<std::string> limit_advice(const HostLimits& limits, unsigned cores, std::uint64_t ring_bytes);

}  // namespace spillway::io
