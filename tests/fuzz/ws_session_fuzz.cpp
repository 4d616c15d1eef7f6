// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Any bytes, cut anywhere, by both routes, with and without pauses: the events must be the same, and the Sessions must
// be back in the end. The first byte chooses the cuts and limits; the rest is what a client sends.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "../unit/ws/client_frames.h"
#include "base/assert.h"
#include "ws/session.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using namespace spillway::ws;

std::string told_in_pieces(SessionPool& pool, std::string_view input, std::size_t piece, MessageLimits limits,
                           bool slowly, bool pausing) {
    test::Connection connection{.pool = pool, .limits = limits, .slowly = slowly};
    connection.sink.pause_always = pausing;
    connection.feed_in_pieces(input, piece);
    SPILLWAY_ASSERT(connection.inbound.ended() || connection.inbound.at_message_boundary() == (pool.lent() == 0));
    return connection.log();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const std::size_t choice = data[0];
    const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
    const MessageLimits limits{.message_bytes = choice % 3 == 0 ? 40U : 20'000U,
                               .fragments = choice % 5 == 0 ? 3U : 1000U};
    SessionPool pool(2);
    const std::string whole = told_in_pieces(pool, input, input.size(), limits, false, false);
    SPILLWAY_ASSERT(whole == told_in_pieces(pool, input, 1, limits, false, false));
    SPILLWAY_ASSERT(whole == told_in_pieces(pool, input, input.size(), limits, true, false));
    SPILLWAY_ASSERT(whole == told_in_pieces(pool, input, 1 + choice % 61, limits, choice % 2 == 0, true));
    SPILLWAY_ASSERT(pool.lent() == 0);
    return 0;
}
