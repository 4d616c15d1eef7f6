// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "io/ring_rules.h"

#include <vector>

#include <liburing.h>

namespace spillway::io {
namespace {

constexpr RingOperation kOperations[] = {
    {IORING_OP_ACCEPT, "accept"},
    {IORING_OP_RECV, "recv"},
    {IORING_OP_SEND, "send"},
    {IORING_OP_SENDMSG, "sendmsg"},
    {IORING_OP_READ, "read"},  // of the wake-up descriptor
    {IORING_OP_ASYNC_CANCEL, "cancel"},
    {IORING_OP_SEND_ZC, "send without copying", false},
    {IORING_OP_SENDMSG_ZC, "sendmsg without copying", false},
};

/// What is registered after the ring was enabled. Before, everything may be: receive buffers are.
constexpr unsigned kRegistrations[] = {
    IORING_REGISTER_RING_FDS,
    IORING_UNREGISTER_RING_FDS,
};

constexpr unsigned kRequestFlags = IOSQE_BUFFER_SELECT | IOSQE_CQE_SKIP_SUCCESS;

}  // namespace

std::span<const RingOperation> ring_operations() { return kOperations; }

int restrict_ring(io_uring& ring) {
    std::vector<io_uring_restriction> rules;
    const auto allow = [&rules](unsigned what, unsigned value) {
        io_uring_restriction rule = {};
        rule.opcode = static_cast<__u16>(what);
        rule.register_op = static_cast<__u8>(value);  // shares its place with sqe_op and sqe_flags
        rules.push_back(rule);
    };
    for (const RingOperation& operation : kOperations)
        allow(IORING_RESTRICTION_SQE_OP, static_cast<unsigned>(operation.code));
    for (const unsigned registration : kRegistrations) allow(IORING_RESTRICTION_REGISTER_OP, registration);
    allow(IORING_RESTRICTION_SQE_FLAGS_ALLOWED, kRequestFlags);
    return io_uring_register_restrictions(&ring, rules.data(), static_cast<unsigned>(rules.size()));
}

}  // namespace spillway::io
