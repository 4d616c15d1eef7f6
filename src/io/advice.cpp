// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "io/advice.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

namespace spillway::io {
namespace {

std::string kib(std::uint64_t bytes) { return std::to_string((bytes + 1023) / 1024) + " KiB"; }

/// Numbers from the front of `text`, dots between them; 0.0.0 when it does not start with one.
KernelVersion leading_version(std::string_view text) {
    unsigned parts[3] = {};
    const char* at = text.data();
    const char* const end = at + text.size();
    for (unsigned& part : parts) {
        const auto [next, error] = std::from_chars(at, end, part);
        if (error != std::errc{} || next == end || *next != '.') break;
        at = next + 1;
    }
    return {parts[0], parts[1], parts[2]};
}

std::string explain_blocked(int uring_disabled) {
    if (uring_disabled > 0) {
        const std::string value = std::to_string(uring_disabled);
        return "io_uring is blocked by kernel.io_uring_disabled=" + value + ": sysctl -w kernel.io_uring_disabled=0" +
               (uring_disabled == 1 ? ", or put the user into the group that kernel.io_uring_group names" : "");
    }
    return "io_uring is blocked, as container runtimes do by their default seccomp profile: allow io_uring_setup, "
           "io_uring_enter and io_uring_register in the profile (docker run --security-opt seccomp=FILE; Kubernetes: "
           "seccompProfile localhostProfile)";
}

/// First and last release with a fault, and the fault.
struct KnownFault {
    KernelVersion first;
    KernelVersion last;
    std::string_view text;
};

constexpr KnownFault kKnownFaults[] = {
    {{6, 1, 113},
     {6, 1, 116},
     "io_uring_enter can hang in uninterruptible sleep (a faulty backport): update to 6.1.117 or later"},
    {{6, 6, 57},
     {6, 6, 59},
     "io_uring_enter can hang in uninterruptible sleep (a faulty backport): update to 6.6.60 or later"},
    {{6, 6, 1},
     {6, 7, 99},
     "accept completions may carry a wrong descriptor under load: update to the latest 6.12 or 6.18"},
    {{6, 4, 0}, {6, 6, 4}, "CVE-2024-0582 in provided buffer rings: update to 6.6.5 or later"},
    {{6, 2, 0}, {6, 6, 85}, "requests may fail with ENOMEM for no reason: update to 6.6.86 or later"},
    {{6, 7, 0}, {6, 12, 20}, "requests may fail with ENOMEM for no reason: update to 6.12.21 or later"},
    {{6, 13, 0}, {6, 13, 8}, "requests may fail with ENOMEM for no reason: update to 6.13.9 or later"},
};

}  // namespace

std::string KernelVersion::text() const {
    return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch);
}

std::string explain(int error, const SetupContext& context) {
    const std::string running = context.kernel.text();
    switch (error) {
        case ENOSYS:
            return "this kernel (" + running +
                   ") has no io_uring, or a seccomp profile hides it: Spillway needs Linux " + kKernelMin.text() +
                   " or later with the calls io_uring_setup, io_uring_enter and io_uring_register allowed";
        case EPERM:
        case EACCES: return explain_blocked(context.uring_disabled);
        case ENOMEM:
            if (context.memlock_bytes == kUnlimited)
                return "the kernel has no memory for an io_uring of " + kib(context.needed_bytes) +
                       ": free memory, or use fewer cores";
            return "the locked-memory limit is " + kib(context.memlock_bytes) +
                   " for all rings of this user, and one core needs " + kib(context.needed_bytes) +
                   ": raise it (LimitMEMLOCK=infinity in systemd, ulimit -l unlimited, docker run "
                   "--ulimit memlock=-1), or use fewer cores; right after a restart the old memory may take a moment "
                   "to be returned";
        case EINVAL:
            if (!context.refused_flag.empty())
                return std::string(context.refused_flag) + " needs Linux " + context.flag_since.text() +
                       " or later, running " + running;
            return "this kernel (" + running + ") refuses the set-up of the ring; Spillway needs Linux " +
                   kKernelMin.text() + " or later";
        case EMFILE:
        case ENFILE: return "no descriptors left for io_uring: raise the limit (ulimit -n, LimitNOFILE in systemd)";
        default: return "io_uring cannot be set up on Linux " + running + ": " + std::strerror(error);
    }
}

KernelVersion parse_kernel(std::string_view release, std::string_view version, std::string_view signature) {
    // "Ubuntu 6.8.0-45.45-generic 6.8.12": the upstream release is the last word.
    while (!signature.empty() && (signature.back() == '\n' || signature.back() == ' ')) signature.remove_suffix(1);
    if (const auto space = signature.rfind(' '); space != std::string_view::npos)
        if (const auto found = leading_version(signature.substr(space + 1)); found.major > 0) return found;
    // "#1 SMP PREEMPT_DYNAMIC Debian 6.1.115-1 (2024-11-01)"
    constexpr std::string_view debian = "Debian ";
    if (const auto at = version.find(debian); at != std::string_view::npos)
        if (const auto found = leading_version(version.substr(at + debian.size())); found.major > 0) return found;
    return leading_version(release);
}

std::vector<std::string> kernel_warnings(const KernelVersion& kernel) {
    std::vector<std::string> warnings;
    for (const KnownFault& fault : kKnownFaults)
        if (kernel >= fault.first && kernel <= fault.last)
            warnings.push_back("kernel " + kernel.text() + ": " + std::string(fault.text));
    return warnings;
}

std::vector<std::string> limit_advice(const HostLimits& limits, unsigned cores, std::uint64_t ring_bytes) {
    std::vector<std::string> advice;
    if (limits.files_soft < std::min(limits.files_hard, kFilesAdvised))
        advice.push_back("open files: the limit is " + std::to_string(limits.files_soft) + " and could be " +
                         (limits.files_hard == kUnlimited ? "unlimited" : std::to_string(limits.files_hard)) +
                         ": ulimit -n " + std::to_string(std::min(limits.files_hard, kFilesAdvised)));
    if (limits.files_hard < kFilesAdvised)
        advice.push_back("open files: the hard limit is " + std::to_string(limits.files_hard) +
                         ", one per client and a few more: LimitNOFILE=" + std::to_string(kFilesAdvised) +
                         " in systemd, docker run --ulimit nofile=" + std::to_string(kFilesAdvised));
    if (limits.memlock_bytes != kUnlimited && limits.memlock_bytes < cores * ring_bytes)
        advice.push_back("locked memory: the limit is " + kib(limits.memlock_bytes) + ", " + std::to_string(cores) +
                         " cores need " + kib(cores * ring_bytes) +
                         ": LimitMEMLOCK=infinity in systemd, ulimit -l unlimited, docker run --ulimit memlock=-1");
    if (limits.backlog_max < kBacklogAdvised)
        advice.push_back("accept backlog: net.core.somaxconn is " + std::to_string(limits.backlog_max) +
                         ": sysctl -w net.core.somaxconn=" + std::to_string(kBacklogAdvised));
    return advice;
}

}  // namespace spillway::io
