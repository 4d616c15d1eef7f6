// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "io/capabilities.h"

#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <optional>

#include <liburing.h>

#include "io/ring_rules.h"
#include "io/ring_self_test.h"

namespace spillway::io {
namespace {

constexpr unsigned kFeatureNoIowait = 1U << 17;  // Linux 6.15; not in liburing 2.9

/// The set-up flags we cannot do without, oldest first, each tried with all before it.
struct SetupFlag {
    std::string_view name;
    unsigned flag;
    KernelVersion since;
};
constexpr SetupFlag kSetupFlags[] = {
    {"IORING_SETUP_SUBMIT_ALL", IORING_SETUP_SUBMIT_ALL, {5, 18, 0}},
    {"IORING_SETUP_COOP_TASKRUN", IORING_SETUP_COOP_TASKRUN, {5, 19, 0}},
    {"IORING_SETUP_TASKRUN_FLAG", IORING_SETUP_TASKRUN_FLAG, {5, 19, 0}},
    {"IORING_SETUP_SINGLE_ISSUER", IORING_SETUP_SINGLE_ISSUER, {6, 0, 0}},
    {"IORING_SETUP_DEFER_TASKRUN", IORING_SETUP_DEFER_TASKRUN, {6, 1, 0}},
};

std::string read_text(const char* path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

std::optional<long> read_number(const char* path) {
    std::ifstream in(path);
    long value = 0;
    if (in >> value) return value;
    return std::nullopt;
}

KernelVersion running_kernel(const utsname& names) {
    return parse_kernel(names.release, names.version, read_text("/proc/version_signature"));
}

bool may_lock_any_amount() {
    __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
    if (::syscall(SYS_capget, &header, data) != 0) return false;
    return (data[CAP_TO_INDEX(CAP_IPC_LOCK)].effective & CAP_TO_MASK(CAP_IPC_LOCK)) != 0;
}

/// A ring of the smallest size, to ask the kernel things.
class ProbeRing {
public:
    explicit ProbeRing(unsigned flags) { error_ = -io_uring_queue_init(8, &ring_, flags); }
    ~ProbeRing() {
        if (error_ == 0) io_uring_queue_exit(&ring_);
    }
    ProbeRing(const ProbeRing&) = delete;
    ProbeRing& operator=(const ProbeRing&) = delete;
    [[nodiscard]] int error() const { return error_; }
    [[nodiscard]] io_uring* get() { return &ring_; }

private:
    io_uring ring_ = {};
    int error_ = 0;
};

void find_refused_flag(SetupContext& context) {
    unsigned flags = 0;
    for (const SetupFlag& next : kSetupFlags) {
        flags |= next.flag;
        if (ProbeRing(flags).error() != EINVAL) continue;
        // TASKRUN_FLAG and COOP_TASKRUN came together and the first is refused alone, hence the order of the table.
        context.refused_flag = next.name;
        context.flag_since = next.since;
        return;
    }
}

/// The first thing that keeps Spillway from running here; empty if nothing does.
std::string find_obstacle(Capabilities& host, const UringOptions& options) {
    const std::uint64_t needed = ring_locked_bytes(options);
    ProbeRing ring(IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
    if (ring.error() != 0) return explain(ring.error(), setup_context(needed));
    host.no_sqarray = (ring.get()->flags & IORING_SETUP_NO_SQARRAY) != 0;
    host.iowait_off = (ring.get()->features & kFeatureNoIowait) != 0;
    constexpr unsigned features =
        IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG | IORING_FEAT_CQE_SKIP | IORING_FEAT_FAST_POLL;
    if ((ring.get()->features & features) != features)
        return "this kernel (" + host.kernel.text() + ") lacks features of io_uring that Linux " + kKernelMin.text() +
               " has";
    io_uring_probe* probe = io_uring_get_probe_ring(ring.get());
    if (probe == nullptr) return "this kernel does not say which io_uring operations it has";
    std::string missing;
    for (const RingOperation& operation : ring_operations())
        if (operation.needed && missing.empty() && !io_uring_opcode_supported(probe, operation.code))
            missing = operation.name;
    io_uring_free_probe(probe);
    return missing.empty() ? missing : "this kernel (" + host.kernel.text() + ") has no io_uring operation " + missing;
}

/// For tests.
constexpr UringOptions kSmallRing = {.sq_entries = 64, .cq_entries = 128, .buffers = 8, .buffer_bytes = 4096};

base::Result<std::unique_ptr<UringRing>> start_ring(const UringOptions& options) {
    auto ring = UringRing::create(options);
    if (!ring) return ring;
    if (const int error = (*ring)->start(); error != 0)
        return base::fail(explain(-error, setup_context(ring_locked_bytes(options))));
    return ring;
}

std::string run_self_test(const UringOptions& options) {
    const auto ring = start_ring(options);
    return ring ? self_test(**ring) : ring.error();
}

void choose_receive(Capabilities& host) {
    UringOptions small = kSmallRing;
    small.receive_limit = 4 * small.buffer_bytes;
    const auto ring = start_ring(small);
    if (ring && ends_receives(**ring, small.receive_limit, small.buffer_bytes)) host.receive_limit = kReceiveLimit;
}

/// Tries the cheap way of sending, then the one that every kernel should be able to do.
void choose_send(Capabilities& host) {
    UringOptions small = kSmallRing;
    const std::string fault = run_self_test(small);
    if (fault.empty()) return;
    small.completion_per_send = true;
    const std::string second_fault = run_self_test(small);
    if (second_fault.empty()) {
        host.completion_per_send = true;
        host.advice.push_back("kernel " + host.kernel.text() + ": " + fault +
                              "; each send is confirmed instead, which is slower: use the latest 6.12 or 6.18");
    } else {
        host.obstacle = "the self-test of io_uring failed on kernel " + host.kernel.text() + ": " + second_fault;
    }
}

}  // namespace

SetupContext setup_context(std::uint64_t needed_bytes) {
    SetupContext context;
    utsname names = {};
    ::uname(&names);
    context.kernel = running_kernel(names);
    context.uring_disabled = static_cast<int>(read_number("/proc/sys/kernel/io_uring_disabled").value_or(-1));
    context.memlock_bytes = host_limits().memlock_bytes;
    context.needed_bytes = needed_bytes;
    find_refused_flag(context);
    return context;
}

HostLimits host_limits() {
    HostLimits limits;
    const auto value = [](rlim_t limit) { return limit == RLIM_INFINITY ? kUnlimited : std::uint64_t{limit}; };
    rlimit limit = {};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limits.files_soft = value(limit.rlim_cur);
        limits.files_hard = value(limit.rlim_max);
    }
    if (!may_lock_any_amount() && ::getrlimit(RLIMIT_MEMLOCK, &limit) == 0)
        limits.memlock_bytes = value(limit.rlim_cur);
    if (const auto backlog = read_number("/proc/sys/net/core/somaxconn"); backlog && *backlog >= 0)
        limits.backlog_max = static_cast<std::uint64_t>(*backlog);
    return limits;
}

void raise_limits() {
    for (const auto resource : {RLIMIT_NOFILE, RLIMIT_MEMLOCK}) {
        rlimit limit = {};
        if (::getrlimit(resource, &limit) != 0 || limit.rlim_cur == limit.rlim_max) continue;
        limit.rlim_cur = limit.rlim_max;
        static_cast<void>(::setrlimit(resource, &limit));  // what stays too small is told by limit_advice
    }
}

Capabilities ask_host(unsigned cores, const UringOptions& options) {
    Capabilities host;
    utsname names = {};
    ::uname(&names);
    host.kernel_release = names.release;
    host.kernel = running_kernel(names);
    host.limits = host_limits();
    host.advice = kernel_warnings(host.kernel);
    host.obstacle = find_obstacle(host, options);
    if (host.obstacle.empty()) choose_send(host);
    if (host.obstacle.empty()) choose_receive(host);
    for (std::string& line : limit_advice(host.limits, cores, ring_locked_bytes(options)))
        host.advice.push_back(std::move(line));
    return host;
}

}  // namespace spillway::io
