// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Any bytes, whole, byte by byte and in pieces: the same requests and the same error, within the limits. The first byte
// chooses pieces and limits.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "../unit/http/request_log.h"
#include "base/assert.h"
#include "http/request_parser.h"
#include "http/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using namespace spillway::http;

std::string told(std::string_view input, std::size_t piece, const Limits& limits) {
    test::Connection connection(limits);
    connection.feed_in_pieces(input, piece);
    SPILLWAY_ASSERT(connection.parser.request().body.size() <= limits.body_bytes);
    SPILLWAY_ASSERT(connection.parser.request().headers.size() <= limits.headers);
    if (connection.parser.head_complete()) {
        Target target;
        const Request& request = connection.parser.request();
        SPILLWAY_ASSERT((target.parse(request.path, request.query) == TargetError::none) == !target.segments().empty());
    }
    return connection.log + "\n" + connection.behind;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const std::size_t choice = data[0];
    const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
    const Limits limits{.header_bytes = choice % 3 == 0 ? 120U : 4096U,
                        .headers = choice % 5 == 0 ? 3U : 20U,
                        .body_bytes = choice % 2 == 0 ? 10U : 500U};
    const std::string whole = told(input, input.size(), limits);
    SPILLWAY_ASSERT(whole == told(input, 1, limits));
    SPILLWAY_ASSERT(whole == told(input, 2 + choice % 59, limits));
    return 0;
}
