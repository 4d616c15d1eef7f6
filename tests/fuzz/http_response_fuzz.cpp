// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as a server's response, whole, byte by byte and in pieces: the same status, body and error, within the limits.
// The first byte chooses pieces and limits.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "http/response_parser.h"
#include "property.h"

using namespace spillway::http;

namespace {

using spillway::fuzz::require;

std::string told(std::string_view input, std::size_t piece, const Limits& limits) {
    ResponseParser parser(limits);
    std::size_t at = 0;
    Outcome outcome = Outcome::need_more;
    while (at < input.size() && outcome == Outcome::need_more) {
        const std::string_view in = input.substr(at, piece);
        std::size_t consumed = 0;
        outcome = parser.feed(in, consumed);
        require(consumed <= in.size() && (outcome != Outcome::need_more || consumed == in.size()));
        at += consumed;
    }
    if (outcome == Outcome::need_more) outcome = parser.finish();
    if (outcome == Outcome::error) return "error";
    require(outcome == Outcome::complete && parser.body().size() <= limits.body_bytes);
    std::string text = std::to_string(parser.status()) + " ";
    for (const std::string_view name : {"Content-Type", "sec-websocket-accept", "X"})
        if (const auto value = parser.header(name)) text.append(name).append("=").append(*value).append(";");
    return text.append(parser.body()).append("|").append(input.substr(at));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const std::size_t choice = data[0];
    const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
    const Limits limits{
        .header_bytes = choice % 3 == 0 ? 120U : 4096U, .headers = 20, .body_bytes = choice % 2 == 0 ? 10U : 500U};
    const std::string whole = told(input, input.size(), limits);
    require(whole == told(input, 1, limits));
    require(whole == told(input, 2 + choice % 59, limits));
    return 0;
}
