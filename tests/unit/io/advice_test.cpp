// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "io/advice.h"

#include <cerrno>

#include <catch2/catch_test_macros.hpp>

#include "io/capabilities.h"

namespace spillway::io {
namespace {

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

SetupContext context() {
    return {.kernel = {6, 0, 9},
            .uring_disabled = 0,
            .memlock_bytes = 64 * 1024,
            .needed_bytes = 228 * 1024,
            .refused_flag = {},
            .flag_since = {}};
}

}  // namespace

TEST_CASE("each refusal of io_uring names its cause and what mends it") {
    auto c = context();
    CHECK(has(explain(ENOSYS, c), "this kernel (6.0.9) has no io_uring, or a seccomp profile hides it"));
    CHECK(has(explain(EPERM, c), "seccomp"));
    c.uring_disabled = 1;
    CHECK(has(explain(EPERM, c),
              "kernel.io_uring_disabled=1: sysctl -w kernel.io_uring_disabled=0, or put the user into the group"));
    c.uring_disabled = 2;
    CHECK(has(explain(EPERM, c), "kernel.io_uring_disabled=2: sysctl -w kernel.io_uring_disabled=0"));
    CHECK_FALSE(has(explain(EPERM, c), "group"));
    CHECK(has(explain(ENOMEM, c),
              "the locked-memory limit is 64 KiB for all rings of this user, and one core needs 228 KiB"));
    c.memlock_bytes = kUnlimited;
    CHECK_FALSE(has(explain(ENOMEM, c), "locked-memory limit"));
    CHECK(has(explain(EINVAL, c), "this kernel (6.0.9) refuses the set-up of the ring; Spillway needs Linux 6.1.0"));
    c.refused_flag = "IORING_SETUP_DEFER_TASKRUN";
    c.flag_since = {6, 1, 0};
    CHECK(explain(EINVAL, c) == "IORING_SETUP_DEFER_TASKRUN needs Linux 6.1.0 or later, running 6.0.9");
    CHECK(has(explain(EMFILE, c), "ulimit -n"));
    CHECK(has(explain(EIO, c), "Input/output error"));
}

TEST_CASE("the upstream version is found wherever a distribution puts it") {
    CHECK(parse_kernel("6.18.44-fc", "#1 SMP", "") == KernelVersion{6, 18, 44});
    CHECK(parse_kernel("6.12", "", "") == KernelVersion{6, 12, 0});
    CHECK(parse_kernel("6.1.0-27-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.115-1 (2024-11-01)", "") ==
          KernelVersion{6, 1, 115});
    CHECK(parse_kernel("6.8.0-45-generic", "#45-Ubuntu SMP", "Ubuntu 6.8.0-45.45-generic 6.8.12\n") ==
          KernelVersion{6, 8, 12});
    CHECK(parse_kernel("6.8.0-45-generic", "#45-Ubuntu SMP", "nonsense") == KernelVersion{6, 8, 0});
    CHECK(parse_kernel("", "", "") == KernelVersion{});
}

TEST_CASE("kernels with known faults are warned of, their neighbours are not") {
    CHECK(kernel_warnings({6, 1, 112}).empty());
    CHECK(kernel_warnings({6, 1, 113}).size() == 1);
    CHECK(kernel_warnings({6, 1, 116}).size() == 1);
    CHECK(kernel_warnings({6, 1, 117}).empty());
    CHECK(has(kernel_warnings({6, 6, 58}).at(0), "kernel 6.6.58: io_uring_enter can hang"));
    CHECK(kernel_warnings({6, 12, 21}).empty());
    CHECK(kernel_warnings({6, 18, 44}).empty());
}

TEST_CASE("limits that are too small are told with the command") {
    const std::uint64_t ring = 228 * 1024;
    CHECK(limit_advice({}, 64, ring).empty());
    CHECK(limit_advice({.files_soft = kFilesAdvised, .files_hard = kFilesAdvised}, 1, ring).empty());
    const auto soft = limit_advice({.files_soft = 1024, .files_hard = kUnlimited}, 1, ring);
    REQUIRE(soft.size() == 1);
    CHECK(soft[0] == "open files: the limit is 1024 and could be unlimited: ulimit -n 1048576");
    const auto hard = limit_advice({.files_soft = 20'000, .files_hard = 20'000}, 1, ring);
    REQUIRE(hard.size() == 1);
    CHECK(has(hard[0], "the hard limit is 20000"));
    CHECK(limit_advice({.memlock_bytes = 2 * ring}, 2, ring).empty());
    const auto memory = limit_advice({.memlock_bytes = 2 * ring - 1}, 2, ring);
    REQUIRE(memory.size() == 1);
    CHECK(has(memory[0], "2 cores need 456 KiB: LimitMEMLOCK=infinity"));
    CHECK(has(limit_advice({.backlog_max = 128}, 1, ring).at(0), "sysctl -w net.core.somaxconn=4096"));
}

TEST_CASE("this host can run Spillway, and says what it is") {
    const auto host = ask_host(2, {});
    CHECK(host.obstacle == "");
    CHECK(host.kernel >= kKernelMin);
    CHECK_FALSE(host.kernel_release.empty());
    CHECK(host.limits.files_hard >= host.limits.files_soft);
}

}  // namespace spillway::io
